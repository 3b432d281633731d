/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder vm: hands over to the script that boots guests. */
#include "main.h"
#include "vm_script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "report/report.h"

/* The path of this very program. Freed by the caller; NULL if it cannot be told. */
static char *self(void)
{
	return realpath("/proc/self/exe", NULL);
}

char *vm_script(const char *program)
{
	_cleanup_free_ char *installed = NULL;
	const char *slash = program ? strrchr(program, '/') : NULL;

	if (slash &&
		asprintf(&installed, "%.*s/../libexec/sunder/vm", (int)(slash - program),
			program) >= 0 &&
		access(installed, X_OK) == 0)
		return TAKE_PTR(installed);
	return access(SUNDER_SCRIPTS_DIR "/vm", X_OK) == 0 ? strdup(SUNDER_SCRIPTS_DIR "/vm")
							   : NULL;
}

int verb_vm(int argc, char **argv)
{
	_cleanup_free_ char *program = self(), *script = vm_script(program), **args = NULL;
	int n = 0;

	if (!script) {
		log_error("the script that boots guests is neither in ../libexec/sunder/vm nor in "
			  "%s/vm",
			SUNDER_SCRIPTS_DIR);
		return EXIT_USAGE;
	}
	args = calloc((size_t)argc + 3, sizeof(*args));
	if (!args)
		return EXIT_RESOURCES;
	args[n++] = script;
	if (program) { /* this program runs in the guest; a --binary of the user's comes later and wins */
		args[n++] = (char *)"--binary";
		args[n++] = program;
	}
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	execv(script, args);
	log_error("%s: %s", script, strerror(errno));
	return EXIT_USAGE;
}
