/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_MAIN_TREE_H
#define SUNDER_MAIN_TREE_H

/* Removes a directory of ours with all below it; links are not followed. What cannot be removed stays. */
void tree_remove(const char *path);

#endif
