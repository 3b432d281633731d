/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rust symbol names in a readable form. */
#ifndef SUNDER_KLOG_DEMANGLE_H
#define SUNDER_KLOG_DEMANGLE_H

#include <stddef.h>

/*
 * Writes the path that a mangled Rust name (v0 "_R...", or the older "_ZN...E") stands for,
 * without hashes, as "<krate::Type as other::Trait>::method". Returns its length, or 0: not such
 * a name, not understood, or longer than size - 1.
 */
size_t demangle(const char *s, size_t n, char *out, size_t size);

#endif
