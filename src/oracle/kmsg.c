/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel log as it grows, read from /dev/kmsg (Documentation/ABI/testing/dev-kmsg). */
#include "oracle/oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "klog/klog.h"

enum { RECORD_MAX = 8192 + 256 }; /* one read(2) returns one record, at most CONSOLE_EXT_LOG_MAX */

struct kmsg {
	int fd, mark_fd;
	struct klog *klog;
	uint64_t next_seq; /* expected; 0: none read yet */
	bool pending; /* something was pushed since the last flush */
	struct kmsg_counts counts;
};

int kmsg_open(const char *mark, struct kmsg **ret)
{
	struct kmsg *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->mark_fd =
		open("/dev/kmsg", O_WRONLY | O_CLOEXEC); /* may be refused: then there is no mark */
	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	r = k->fd < 0 ? -errno : klog_new(&k->klog, NULL);
	if (r == 0) {
		kmsg_mark(k, mark);
		if (lseek(k->fd, 0, SEEK_END) < 0)
			r = -errno;
	}
	if (r < 0) {
		kmsg_close(k);
		return r;
	}
	*ret = k;
	return 0;
}

void kmsg_close(struct kmsg *k)
{
	if (!k)
		return;
	if (k->klog)
		klog_free(k->klog);
	if (k->fd >= 0)
		close(k->fd);
	if (k->mark_fd >= 0)
		close(k->mark_fd);
	free(k);
}

int kmsg_fd(const struct kmsg *k)
{
	return k->fd;
}

void kmsg_mark(struct kmsg *k, const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "<6>sunder: %s\n", text);

	if (k->mark_fd < 0 || n < 0)
		return;
	if (write(k->mark_fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0) {
		/* The mark is for people; the reader starts at the log's end anyway. */
	}
}

/* Machine check, APEI and EDAC drivers say "[Hardware Error]" or "EDAC MC0: 1 CE ...". */
static void note_hardware(struct kmsg *k, const char *record)
{
	const char *text = strchr(record, ';');

	if (!text || (!strstr(text, "[Hardware Error]") &&
			     (strncmp(text, ";EDAC ", 6) != 0 ||
				     (!strstr(text, " CE ") && !strstr(text, " UE ")))))
		return;
	if (!k->counts.hardware++)
		snprintf(k->counts.hardware_first, sizeof(k->counts.hardware_first), "%.*s",
			(int)strcspn(text + 1, "\n"), text + 1);
}

/* "PRIO,SEQ,USEC,FLAGS;TEXT": the kernel's own records have facility 0 (prio >> 3). */
static int take(struct kmsg *k, const char *record, size_t len)
{
	unsigned long long seq;
	unsigned int prio;

	if (sscanf(record, "%u,%llu,", &prio, &seq) != 2)
		return 0;
	if (k->next_seq && seq > k->next_seq)
		k->counts.lost += seq - k->next_seq;
	k->next_seq = seq + 1;
	if (prio >> 3)
		return 0;
	k->counts.records++;
	note_hardware(k, record);
	k->pending = true;
	return klog_push(k->klog, record, len);
}

void kmsg_plant(struct kmsg *k, const char *record)
{
	k->pending = true;
	klog_push(k->klog, record, strlen(record));
}

static char *join_alts(const struct klog_report *r)
{
	size_t len = 1;
	char *s, *p;

	for (size_t i = 0; i < r->nalt; i++)
		len += strlen(r->alt[i]) + 1;
	s = p = malloc(len);
	if (!s)
		return NULL;
	*p = '\0';
	for (size_t i = 0; i < r->nalt; i++)
		p += sprintf(p, "%s%s", i ? "\n" : "", r->alt[i]);
	return s;
}

static int give(struct kmsg *k, void (*found)(void *arg, struct finding *f), void *arg)
{
	const struct klog_report *r;
	int n = 0;

	while ((r = klog_next(k->klog))) {
		struct finding f = {.oracle = ORACLE_KLOG, .lost_kernel = r->panicked};

		if (strcmp(r->kind, "oom") == 0)
			k->counts.oom++;
		if (!r->crash || r->suppressed)
			continue;
		snprintf(f.title, sizeof(f.title), "%s", r->title);
		f.alt = join_alts(r);
		f.text = strndup(r->text ? r->text : "", r->text_len);
		found(arg, &f);
		n++;
	}
	return n;
}

int kmsg_drain(struct kmsg *k, bool quiet, void (*found)(void *arg, struct finding *f), void *arg)
{
	char record[RECORD_MAX];
	int n = 0, r;

	for (;;) {
		ssize_t len = read(k->fd, record, sizeof(record) - 1);

		if (len < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten before we read it: the next record's number tells how many */
		if (len < 0 && errno != EAGAIN)
			return -errno;
		if (len <= 0)
			break;
		record[len] = '\0';
		r = take(k, record, (size_t)len);
		if (r < 0)
			return r;
		n += give(k, found, arg);
	}
	if (quiet && k->pending) {
		k->pending = false;
		r = klog_flush(k->klog);
		if (r < 0)
			return r;
	}
	return n + give(k, found, arg);
}

struct kmsg_counts kmsg_counts(const struct kmsg *k)
{
	return k->counts;
}
