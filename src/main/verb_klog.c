/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder klog [FILE|-] [--json]: the kernel reports in a log. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "klog/klog.h"
#include "main.h"

#define READ_SIZE (64U << 10)

struct output {
	bool json;
	bool text; /* with the lines of each report */
	unsigned long crashes;
};

/* A string whose bytes need not be UTF-8: those that are not become '?'. */
static json_t *json_bytes(const char *s)
{
	json_t *j = json_string(s);
	_cleanup_free_ char *copy = NULL;

	if (j)
		return j;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

static int print_json(const struct klog_report *r)
{
	json_t *alt = json_array(), *o = json_object();
	int err = -ENOMEM;

	if (!alt || !o)
		goto out;
	for (size_t i = 0; i < r->nalt; i++)
		if (json_array_append_new(alt, json_bytes(r->alt[i])))
			goto out;
	if (json_object_set_new(o, "crash", json_boolean(r->crash)) ||
		json_object_set_new(o, "title", json_bytes(r->title)) ||
		json_object_set(o, "alt", alt) ||
		json_object_set_new(o, "type", json_string(r->type)) ||
		json_object_set_new(o, "frame", json_bytes(r->frame)) ||
		json_object_set_new(o, "corrupted", json_boolean(r->corrupted)) ||
		json_object_set_new(o, "panicked", json_boolean(r->panicked)) ||
		json_object_set_new(o, "suppressed", json_boolean(r->suppressed)) ||
		json_object_set_new(o, "kind", json_string(r->kind)) ||
		json_object_set_new(o, "line", json_integer((json_int_t)r->line)) ||
		json_object_set_new(o, "start", json_integer((json_int_t)r->start)) ||
		json_object_set_new(o, "end", json_integer((json_int_t)r->end)))
		goto out;
	err = json_dumpf(o, stdout, JSON_COMPACT) || putchar('\n') == EOF ? -EIO : 0;
out:
	json_decref(alt);
	json_decref(o);
	return err;
}

static int print_plain(const struct klog_report *r, bool with_text)
{
	printf("%llu: %s%s%s\n", (unsigned long long)r->line, r->title,
		r->corrupted ? " [corrupted]" : "", r->panicked ? " [panicked]" : "");
	for (size_t i = 0; i < r->nalt; i++)
		printf("\talso %s\n", r->alt[i]);
	if (with_text) {
		fwrite(r->text, 1, r->text_len, stdout);
		putchar('\n');
	}
	return ferror(stdout) ? -EIO : 0;
}

static int print_ready(struct klog *k, struct output *out)
{
	const struct klog_report *r;
	int err = 0;

	while (!err && (r = klog_next(k))) {
		if (!r->crash)
			continue;
		out->crashes++;
		err = out->json ? print_json(r) : print_plain(r, out->text);
	}
	return err;
}

static int read_log(int fd, struct klog *k, struct output *out)
{
	_cleanup_free_ char *buf = malloc(READ_SIZE);
	int err = 0;

	if (!buf)
		return -ENOMEM;
	while (!err) {
		ssize_t n = read(fd, buf, READ_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		err = n ? klog_push(k, buf, (size_t)n) : klog_flush(k);
		if (!err)
			err = print_ready(k, out);
		if (!n)
			break;
	}
	return err;
}

static void usage(FILE *f)
{
	fputs("usage: sunder klog [--json] [--text] [FILE|-]\n"
	      "Finds the kernel's reports in a console log, dmesg, journal or /dev/kmsg text.\n"
	      "\n"
	      "      --json  one JSON object per report\n"
	      "      --text  print each report's lines as well\n"
	      "  -h, --help\n"
	      "\n"
	      "exit: 0 no report, 1 reports found, 2 usage error or unreadable input\n",
		f);
}

static int parse_options(int argc, char **argv, struct output *out, const char **path)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"text", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'j')
			out->json = true;
		else if (c == 't')
			out->text = true;
		else if (c == 'h')
			return 1;
		else
			return -EINVAL;
	}
	if (argc - optind > 1)
		return -EINVAL;
	*path = optind < argc ? argv[optind] : "-";
	return 0;
}

int verb_klog(int argc, char **argv)
{
	struct output out = {.json = false};
	_cleanup_close_ int fd = -1;
	const char *path = "-";
	struct klog *k = NULL;
	int err = parse_options(argc, argv, &out, &path);

	if (err) {
		usage(err > 0 ? stdout : stderr);
		return err > 0 ? 0 : 2;
	}
	if (strcmp(path, "-")) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			log_error("%s: %s", path, strerror(errno));
			return 2;
		}
	}
	err = klog_new(&k, NULL);
	if (!err)
		err = read_log(fd < 0 ? STDIN_FILENO : fd, k, &out);
	klog_free(k);
	if (!err && fflush(stdout))
		err = -errno;
	if (err) {
		log_error("%s: %s", path, strerror(-err));
		return 2;
	}
	return out.crashes ? 1 : 0;
}
