/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "daemon/message.h"
#include "service.h"

/* Seconds: for a request to be whole, for a client to read on, between requests. Bytes: what waits to be read. */
enum {
	CLIENTS_MAX = 32,
	BACKLOG = 64,
	REQUEST_S = 5,
	DRAIN_S = 10,
	IDLE_S = 60,
	OUT_MAX = 1 << 19,
	GROUPS_MAX = 1024,
	ACCEPTS = 16
};

struct client {
	struct control *control;
	int fd;
	sd_event_source *io;
	uid_t uid;
	pid_t pid;
	char in[MESSAGE_MAX + 1];
	size_t in_len;
	char *out;
	size_t out_len, out_at;
	double deadline_s; /* closed then */
	bool follows, ends; /* ends: closed when all is sent */
	uint64_t next_event;
};

struct control {
	struct service *service;
	int fd;
	sd_event_source *io;
	gid_t group;
	bool has_group;
	struct client *client[CLIENTS_MAX];
	unsigned int nclients;
};

/* ---- clients ---- */

static void drop(struct client *c)
{
	struct control *k = c->control;

	for (unsigned int i = 0; i < k->nclients; i++)
		if (k->client[i] == c)
			k->client[i] = k->client[--k->nclients];
	sd_event_source_disable_unref(c->io);
	close(c->fd);
	free(c->out);
	free(c);
}

/* Sends what can be sent; false: the client is gone. */
static bool flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			drop(c);
			return false;
		}
		if (n < 0)
			break;
		c->out_at += (size_t)n;
		c->deadline_s = service_now_s() + DRAIN_S;
	}
	if (c->out_at < c->out_len) {
		sd_event_source_set_io_events(c->io, EPOLLOUT); /* and reads no more until then */
		return true;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_at = 0;
	if (c->ends) {
		drop(c);
		return false;
	}
	sd_event_source_set_io_events(c->io, EPOLLIN);
	c->deadline_s = service_now_s() + IDLE_S;
	return true;
}

/* Takes the document; false: the client is gone (it reads too slowly). */
static bool say(struct client *c, json_t *doc)
{
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0, left = c->out_len - c->out_at;
	char *out;

	json_decref(doc);
	out = text && left + len < OUT_MAX ? malloc(left + len + 1) : NULL;
	if (!out) {
		drop(c);
		return false;
	}
	if (left)
		memcpy(out, c->out + c->out_at, left);
	memcpy(out + left, text, len);
	out[left + len] = '\n';
	free(c->out);
	c->out = out;
	c->out_at = 0;
	c->out_len = left + len + 1;
	return true;
}

static json_t *error_json(const char *why)
{
	json_t *text = json_string(why);

	return json_pack("{s:i, s:b, s:o}", "v", MESSAGE_VERSION, "ok", false, "error",
		text ? text : json_string("?"));
}

static json_t *ok_json(void)
{
	return json_pack("{s:i, s:b}", "v", MESSAGE_VERSION, "ok", true);
}

/* ---- requests ---- */

static json_t *start(struct service *s, const struct message *m)
{
	int r = service_start(s, m->name, m->now);
	char why[CONFIG_PATH_MAX * 2 + 64];

	if (r == -ENOENT) {
		snprintf(why, sizeof(why), "%.200s is neither a campaign nor a job in %s", m->name,
			s->config.jobs);
		return error_json(why);
	}
	return r < 0 ? error_json("too many wait already") : ok_json();
}

/* The last events, then those to come. */
static json_t *tail(struct client *c, const struct message *m)
{
	struct service *s = c->control->service;
	uint64_t from = s->events.count > m->lines ? s->events.count - m->lines + 1 : 1;
	json_t *list = json_array();

	for (uint64_t i = from; i <= s->events.count; i++) {
		const struct event *e = events_get(&s->events, i);

		if (e)
			json_array_append_new(list, event_json(e));
	}
	c->follows = m->follow;
	c->next_event = s->events.count + 1;
	return json_pack("{s:i, s:b, s:o}", "v", MESSAGE_VERSION, "ok", true, "events", list);
}

static json_t *status(struct service *s)
{
	return json_pack(
		"{s:i, s:b, s:o}", "v", MESSAGE_VERSION, "ok", true, "status", document_status(s));
}

static json_t *obey(struct client *c, const struct message *m)
{
	struct service *s = c->control->service;

	if (m->what != MESSAGE_STATUS && m->what != MESSAGE_TAIL)
		events_add(&s->events, EVENT_CONTROL, NULL, 0,
			"%s%s%s, asked for by uid %u, pid %d", message_do_name(m->what),
			m->name[0] ? " " : "", m->name, c->uid, c->pid);
	switch (m->what) {
	case MESSAGE_STATUS:
		return status(s);
	case MESSAGE_START:
		return start(s, m);
	case MESSAGE_PAUSE:
		service_pause(s);
		break;
	case MESSAGE_RESUME:
		service_resume(s);
		break;
	case MESSAGE_STOP:
		if (!s->stopping)
			service_stop(s);
		break;
	case MESSAGE_TAIL:
		return tail(c, m);
	}
	return ok_json();
}

/* One line; false: the client is gone. */
static bool answer(struct client *c, size_t len)
{
	char err[MESSAGE_ERR_MAX];
	struct message m;

	if (message_parse(c->in, len, &m, err) < 0) {
		c->ends = true;
		return say(c, error_json(err));
	}
	return say(c, obey(c, &m));
}

/* Lines that are whole, as long as the client reads the answers. */
static void take_lines(struct client *c)
{
	char *end;

	while (!c->out_len && (end = memchr(c->in, '\n', c->in_len))) {
		size_t len = (size_t)(end - c->in);

		if (!answer(c, len))
			return;
		c->in_len -= len + 1;
		memmove(c->in, end + 1, c->in_len);
		if (!flush(c))
			return;
	}
	if (c->out_len || c->in_len <= MESSAGE_MAX)
		return;
	c->ends = true;
	if (say(c, error_json("the message is longer than 4096 bytes")))
		flush(c);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct client *c = arg;
	ssize_t n;

	if (c->out_len && (!flush(c) || c->out_len))
		return 0;
	n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(c);
		return 0;
	}
	if (n > 0 && !c->in_len)
		c->deadline_s = service_now_s() + REQUEST_S;
	c->in_len += n > 0 ? (size_t)n : 0;
	take_lines(c);
	return 0;
}

/* ---- who may ---- */

static bool is_in_group(int fd, gid_t own, gid_t wanted)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (own == wanted)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static bool may(const struct control *k, int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0)
		return false;
	return ret->uid == 0 || ret->uid == geteuid() ||
	       (k->has_group && is_in_group(fd, ret->gid, k->group));
}

/* One line that may be lost, so that a person learns why. */
static void refuse(int fd, const char *why)
{
	json_t *doc = error_json(why);
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	char line[256], dropped[4096];
	int n = snprintf(line, sizeof(line), "%s\n", text ? text : "{}");

	json_decref(doc);
	/* What it has sent and nobody reads would have the kernel drop the answer. */
	for (int i = 0; i < 8 && recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0; i++)
		;
	if (n > 0 && send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* It is gone: nobody is left to tell. */
	}
	close(fd);
}

/* Room for one more: the one that has been silent for longest goes, if it has asked for nothing. */
static bool make_room(struct control *k)
{
	struct client *worst = NULL;

	if (k->nclients < CLIENTS_MAX)
		return true;
	for (unsigned int i = 0; i < k->nclients; i++)
		if (!k->client[i]->follows &&
			(!worst || k->client[i]->deadline_s < worst->deadline_s))
			worst = k->client[i];
	if (!worst)
		return false;
	drop(worst);
	return true;
}

static void admit(struct control *k, int fd, const struct ucred *who)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c || !make_room(k)) {
		free(c);
		refuse(fd, "too many clients");
		return;
	}
	c->control = k;
	c->fd = fd;
	c->uid = who->uid;
	c->pid = who->pid;
	c->deadline_s = service_now_s() + REQUEST_S;
	if (sd_event_add_io(k->service->event, &c->io, fd, EPOLLIN, on_client, c) < 0) {
		free(c);
		close(fd);
		return;
	}
	k->client[k->nclients++] = c;
}

static int on_listener(sd_event_source *source, int listener, uint32_t events, void *arg)
{
	struct control *k = arg;

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct ucred who;

		if (fd < 0)
			break;
		if (may(k, fd, &who))
			admit(k, fd, &who);
		else
			refuse(fd, "only root and the configured group may control sunderd");
	}
	return 0;
}

/* ---- each second ---- */

static bool tell_events(struct client *c)
{
	struct service *s = c->control->service;

	while (c->next_event <= s->events.count) {
		const struct event *e = events_get(&s->events, c->next_event++);
		json_t *doc = e ? json_pack("{s:i, s:b, s:[o]}", "v", MESSAGE_VERSION, "ok", true,
					  "events", event_json(e))
				: NULL;

		if (doc && !say(c, doc))
			return false;
	}
	return !c->out_len || flush(c);
}

void control_tick(struct control *k)
{
	double now = service_now_s();

	for (unsigned int i = k->nclients; i-- > 0;) {
		struct client *c = k->client[i];

		if (c->follows && !c->ends && !tell_events(c))
			continue;
		if (now > c->deadline_s && !(c->follows && !c->out_len))
			drop(c);
	}
}

/* ---- open ---- */

/* True if somebody listens there. */
static bool is_taken(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
				  errno == EAGAIN);
}

static int listen_at(const char *path, const struct control *k)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char dir[sizeof(address.sun_path)], *slash;
	mode_t mask;
	int r;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	*slash = '\0';
	r = *dir ? path_make_dirs(dir) : 0;
	if (fd < 0 || r < 0)
		return fd < 0 ? -errno : r;
	if (is_taken(&address))
		return -EADDRINUSE;
	unlink(path);
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && k->has_group &&
		(chown(path, (uid_t)-1, k->group) < 0 || chmod(path, 0660) < 0))
		r = -errno;
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

int control_open(struct service *s, struct control **ret)
{
	struct control *k = calloc(1, sizeof(*k));
	const struct group *g = NULL;
	int r;

	if (!k)
		return -ENOMEM;
	k->service = s;
	k->fd = -1;
	if (s->config.group[0]) {
		g = getgrnam(s->config.group);
		if (!g) {
			events_add(&s->events, EVENT_TROUBLE, NULL, 0,
				"there is no group %s: only root may control", s->config.group);
		} else {
			k->group = g->gr_gid;
			k->has_group = true;
		}
	}
	r = listen_at(s->config.socket, k);
	if (r >= 0) {
		k->fd = r;
		r = sd_event_add_io(s->event, &k->io, k->fd, EPOLLIN, on_listener, k);
	}
	if (r < 0) {
		cleanup_close(&k->fd);
		free(k);
		return r;
	}
	*ret = k;
	return 0;
}

void control_close(struct control *k)
{
	if (!k)
		return;
	while (k->nclients)
		drop(k->client[0]);
	sd_event_source_disable_unref(k->io);
	unlink(k->service->config.socket);
	close(k->fd);
	free(k);
}
