/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunderd: runs campaigns on this machine for days, and survives what they do to it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service.h"

static const char help[] = "usage: sunderd [--config FILE] [--check]\n"
			   "Runs campaigns of jobs in turns, day and night; recovers what was "
			   "found when a run, the daemon "
			   "or the machine died.\n"
			   "\n"
			   "  -c, --config FILE  the configuration (/etc/sunder/sunderd.conf)\n"
			   "      --check        only read it, and say what is wrong with it\n"
			   "      --foreground   stays in the foreground, as it always does\n"
			   "      --version\n"
			   "  -h, --help\n"
			   "\n"
			   "Signals: TERM and INT end the slice and the daemon within 10 s, HUP "
			   "reads the configuration again, "
			   "USR1 says what it\n"
			   "does. Control: sunder status, start, pause, resume, stop, tail.\n"
			   "\n"
			   "exit: 0 ended as asked, 2 usage, configuration or internal error\n";

enum { EXIT_WRONG = 2, OPT_CHECK = 256, OPT_VERSION, OPT_FOREGROUND };

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPT_CHECK},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int check(const char *file)
{
	struct config *c = malloc(sizeof(*c));
	char err[CONFIG_ERR_MAX] = "no memory";
	int r = c ? config_load(file, c, err) : -1;

	if (r < 0)
		fprintf(stderr, "sunderd: %s\n", err);
	else
		printf("%s: %u campaign%s\n", file, c->ncampaigns, c->ncampaigns == 1 ? "" : "s");
	free(c);
	return r < 0 ? EXIT_WRONG : 0;
}

/* Through the service manager, so that others end well too; without one, at once. */
static void reboot_machine(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("systemctl", "systemctl", "reboot", NULL);
		_exit(1);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0)
		return;
	sync();
	reboot(RB_AUTOBOOT);
}

static int serve(const char *file)
{
	struct service *s = calloc(1, sizeof(*s));
	bool again;
	int r;

	if (!s)
		return EXIT_WRONG;
	r = service_open(s, file);
	if (r == 0)
		r = sd_event_loop(s->event);
	if (r < 0)
		fprintf(stderr, "sunderd: ended: %s\n", strerror(-r));
	again = s->reboot;
	service_close(s);
	free(s);
	if (r == 0 && again)
		reboot_machine();
	return r < 0 ? EXIT_WRONG : 0;
}

int main(int argc, char **argv)
{
	const char *file = "/etc/sunder/sunderd.conf";
	bool only_check = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case OPT_CHECK:
			only_check = true;
			break;
		case OPT_FOREGROUND:
			break;
		case OPT_VERSION:
			puts("sunderd " SUNDER_VERSION);
			return 0;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return EXIT_WRONG;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "sunderd takes no \"%s\" (see 'sunderd --help')\n", argv[optind]);
		return EXIT_WRONG;
	}
	return only_check ? check(file) : serve(file);
}
