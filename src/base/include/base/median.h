/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_BASE_MEDIAN_H
#define SUNDER_BASE_MEDIAN_H

#include <stddef.h>

/* The median of v[n], n >= 1, none of them NaN; the mean of the middle two if n is even. Sorts v. */
double median(double *v, size_t n);

#endif
