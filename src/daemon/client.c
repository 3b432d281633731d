/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { LINE_MAX_BYTES = 1 << 20, SEND_S = 10 };

struct client_link {
	int fd;
	char *in; /* [LINE_MAX_BYTES] */
	size_t len;
};

static int explain(int e, const char *socket, char err[CLIENT_ERR_MAX])
{
	const char *todo = "";

	if (e == -ENOENT || e == -ECONNREFUSED)
		todo = ": sunderd does not run (or --socket names another one's)";
	else if (e == -EACCES || e == -EPERM)
		todo = ": only root and the group of sunderd.conf may";
	snprintf(err, CLIENT_ERR_MAX, "%.100s: %s%s", socket, strerror(-e), todo);
	return e;
}

int client_open(const char *path, struct client_link **ret, char err[CLIENT_ERR_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = SEND_S};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client_link *c;

	if (strlen(path) >= sizeof(address.sun_path))
		return explain(-ENAMETOOLONG, path, err);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
		connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return explain(-errno, path, err);
	c = calloc(1, sizeof(*c));
	if (c)
		c->in = malloc(LINE_MAX_BYTES);
	if (!c || !c->in) {
		free(c);
		return explain(-ENOMEM, path, err);
	}
	c->fd = TAKE_FD(fd);
	*ret = c;
	return 0;
}

void client_close(struct client_link *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->in);
	free(c);
}

int client_fd(const struct client_link *c)
{
	return c->fd;
}

int client_send(struct client_link *c, const struct message *m, char err[CLIENT_ERR_MAX])
{
	_cleanup_free_ char *line = message_format(m);
	size_t len = line ? strlen(line) : 0, at = 0;

	if (!line)
		return explain(-ENOMEM, "request", err);
	while (at < len) {
		ssize_t n = send(c->fd, line + at, len - at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE
				       ? 0
				       : explain(-errno, "request", err); /* the reply says why */
		at += (size_t)n;
	}
	return 0;
}

/* The reply that a line is; what the daemon refuses is an error of the caller's. */
static int take(const char *line, size_t len, json_t **ret, char err[CLIENT_ERR_MAX])
{
	json_error_t e;
	json_t *doc = json_loadb(line, len, 0, &e);
	const char *why = json_string_value(json_object_get(doc, "error"));

	if (!json_is_object(doc)) {
		json_decref(doc);
		snprintf(err, CLIENT_ERR_MAX, "sunderd's answer is not understood");
		return -EPROTO;
	}
	if (!json_is_true(json_object_get(doc, "ok"))) {
		snprintf(err, CLIENT_ERR_MAX, "%s", why ? why : "sunderd refuses");
		json_decref(doc);
		return -EPERM;
	}
	*ret = doc;
	return 0;
}

int client_receive(struct client_link *c, int wait_ms, json_t **ret, char err[CLIENT_ERR_MAX])
{
	struct timespec now, began;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (;;) {
		struct pollfd p = {c->fd, POLLIN, 0};
		char *end = memchr(c->in, '\n', c->len);
		long gone;
		ssize_t n;

		if (end) {
			size_t len = (size_t)(end - c->in);
			int r = take(c->in, len, ret, err);

			c->len -= len + 1;
			memmove(c->in, end + 1, c->len);
			return r;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		gone = (now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
		if (wait_ms >= 0 && gone >= wait_ms && wait_ms > 0)
			return -EAGAIN;
		if (c->len == LINE_MAX_BYTES)
			return explain(-EPROTO, "answer", err);
		n = poll(&p, 1, wait_ms < 0 ? -1 : wait_ms > gone ? (int)(wait_ms - gone) : 0);
		if (n < 0)
			return errno == EINTR ? -EINTR : explain(-errno, "answer", err);
		if (n == 0)
			return -EAGAIN;
		n = read(c->fd, c->in + c->len, LINE_MAX_BYTES - c->len);
		if (n <= 0) {
			snprintf(err, CLIENT_ERR_MAX, "sunderd has ended the connection");
			return -ECONNRESET;
		}
		c->len += (size_t)n;
	}
}
