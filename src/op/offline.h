/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_OP_OFFLINE_H
#define SUNDER_OP_OFFLINE_H

#include "op/gear.h"

/* Whose ops have the kernel do without pages. */
extern const struct gear gear_offline;

#endif
