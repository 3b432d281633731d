/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder vm: hands over to the script that boots guests. */
#include "main.h"
#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "report/report.h"

int verb_vm(int argc, char **argv)
{
	_cleanup_free_ char *program = place_self(), *script = place_script("vm"), **args = NULL;
	int n = 0;

	if (!script) {
		log_error("the script that boots guests is neither in ../libexec/sunder/vm of this "
			  "program nor "
			  "in the scripts of its build directory");
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
