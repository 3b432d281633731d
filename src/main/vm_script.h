/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_MAIN_VM_SCRIPT_H
#define SUNDER_MAIN_VM_SCRIPT_H

/*
 * The script that boots guests: installed programs have it in ../libexec/sunder, built ones in the source tree. program: the path
 * of this one. Freed by the caller; NULL: there is none.
 */
char *vm_script(const char *program);

#endif
