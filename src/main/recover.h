/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_MAIN_RECOVER_H
#define SUNDER_MAIN_RECOVER_H

#include <stdbool.h>

/*
 * Makes a finding of each recording in state_dir whose run is gone and whose kernel is not the one that runs: title and report from
 * pstore, kdump's dmesg or the log (may be NULL) where they have one, the programs of the last rounds from the recording. The
 * recording goes when the finding is filed. talk: tells also that there was nothing. Number of findings or -errno.
 */
int recover_runs(const char *state_dir, const char *store_dir, const char *log, bool talk);

#endif
