/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "finding_page.h"
#include "metrics.h"
#include "service.h"

/* A visitor that sends nothing goes after QUIET_S, one that does not come to the point after SLOW_S. */
enum { VISITORS_MAX = 64, QUIET_S = 15, SLOW_S = 30, MEMORY_MAX = 16384, FRESH_MS = 500 };

/* Made of the files in page/ at build time. */
extern const char page_html[], page_css[], page_js[], page_icon[], uplot_js[], uplot_css[];

struct visitor {
	struct MHD_Connection *connection; /* NULL: free */
	double since_s; /* it came, or its last request was served */
};

/* A document that is made anew when it is older than its time; visitors that still read an older one keep it. */
struct kept {
	struct MHD_Response *response;
	double made_s;
};

enum document { DOC_STATUS, DOC_SECONDS, DOC_MINUTES, DOC_METRICS, DOC_COUNT };

struct http {
	struct service *service;
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	char host[64];
	unsigned int port;
	struct visitor visitor[VISITORS_MAX];
	struct kept kept[DOC_COUNT];
};

/* ---- answers ---- */

static const char *const type_html = "text/html; charset=utf-8";
static const char *const type_json = "application/json";

static struct MHD_Response *finish(struct MHD_Response *r, const char *type)
{
	static const char *const headers[][2] = {
		{"Content-Security-Policy",
			"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
			"connect-src "
			"'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"X-Content-Type-Options", "nosniff"}, {"Referrer-Policy", "no-referrer"},
		{"Cache-Control", "no-store"}};

	if (!r)
		return NULL;
	MHD_add_response_header(r, "Content-Type", type);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		MHD_add_response_header(r, headers[i][0], headers[i][1]);
	return r;
}

/* Takes the text. */
static struct MHD_Response *owned(char *text, const char *type)
{
	if (!text)
		return NULL;
	return finish(
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE), type);
}

static struct MHD_Response *constant(const char *text, const char *type)
{
	return finish(
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT),
		type);
}

static enum MHD_Result send_once(
	struct MHD_Connection *c, unsigned int code, struct MHD_Response *r)
{
	enum MHD_Result done = r ? MHD_queue_response(c, code, r) : MHD_NO;

	if (r)
		MHD_destroy_response(r);
	return done;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int code, const char *why)
{
	struct MHD_Response *r = constant(why, "text/plain; charset=utf-8");

	if (r && code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	return send_once(c, code, r);
}

static char *dump(json_t *doc)
{
	char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	json_decref(doc);
	return text;
}

static struct MHD_Response *make(struct service *s, enum document d)
{
	switch (d) {
	case DOC_STATUS:
		return owned(dump(document_status(s)), type_json);
	case DOC_SECONDS:
		return owned(dump(history_json(s->history, false)), type_json);
	case DOC_MINUTES:
		return owned(dump(history_json(s->history, true)), type_json);
	case DOC_METRICS:
		return owned(metrics_text(s), "text/plain; version=0.0.4; charset=utf-8");
	case DOC_COUNT:
		break;
	}
	return NULL;
}

static enum MHD_Result send_kept(struct http *h, struct MHD_Connection *c, enum document d)
{
	struct kept *k = &h->kept[d];
	double now = service_now_s();

	if (!k->response || now > k->made_s + FRESH_MS / 1000.0) {
		struct MHD_Response *r = make(h->service, d);

		if (k->response)
			MHD_destroy_response(k->response);
		k->response = r;
		k->made_s = now;
	}
	return k->response ? MHD_queue_response(c, MHD_HTTP_OK, k->response) : MHD_NO;
}

/* ---- who asks for what ---- */

/* An address or a name that means this machine: a name that somebody else's server gave to our address is none. */
static bool host_is_ours(const struct http *h, struct MHD_Connection *c)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	char name[256];
	struct in6_addr address;
	size_t len;

	if (!host || strlen(host) >= sizeof(name))
		return false;
	len = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
	snprintf(name, sizeof(name), "%.*s", (int)(*host == '[' && len ? len - 1 : len),
		*host == '[' ? host + 1 : host);
	return strcmp(name, "localhost") == 0 || strcasecmp(name, h->service->host) == 0 ||
	       inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static enum MHD_Result route(struct http *h, struct MHD_Connection *c, const char *url)
{
	static const struct {
		const char *url, *text, *type;
	} files[] = {{"/", page_html, "text/html; charset=utf-8"},
		{"/page.css", page_css, "text/css; charset=utf-8"},
		{"/page.js", page_js, "text/javascript; charset=utf-8"},
		{"/uplot.css", uplot_css, "text/css; charset=utf-8"},
		{"/uplot.js", uplot_js, "text/javascript; charset=utf-8"},
		{"/icon.svg", page_icon, "image/svg+xml"}};
	static const struct {
		const char *url;
		enum document document;
	} documents[] = {{"/status.json", DOC_STATUS}, {"/seconds.json", DOC_SECONDS},
		{"/minutes.json", DOC_MINUTES}, {"/metrics", DOC_METRICS}};
	struct MHD_Response *r;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(url, files[i].url) == 0)
			return send_once(c, MHD_HTTP_OK, constant(files[i].text, files[i].type));
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
		if (strcmp(url, documents[i].url) == 0)
			return send_kept(h, c, documents[i].document);
	if (strncmp(url, "/findings/", 10) == 0) {
		r = owned(finding_page(h->service, url + 10), type_html);
		if (r)
			return send_once(c, MHD_HTTP_OK, r);
	}
	return refuse(c, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **state)
{
	static int seen;

	if (!*state) { /* the headers are there */
		*state = &seen;
		return MHD_YES;
	}
	if (*upload_size) { /* nothing is taken */
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "This is for reading only.\n");
	if (!host_is_ours(arg, c))
		return refuse(c, MHD_HTTP_MISDIRECTED_REQUEST, "This is not that host.\n");
	return route(arg, c, url);
}

/* ---- visitors ---- */

static struct visitor *find_visitor(struct http *h, const struct MHD_Connection *c)
{
	for (unsigned int i = 0; i < VISITORS_MAX; i++)
		if (h->visitor[i].connection == c)
			return &h->visitor[i];
	return NULL;
}

static void on_visitor(
	void *arg, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode code)
{
	bool comes = code == MHD_CONNECTION_NOTIFY_STARTED;
	struct visitor *v = find_visitor(arg, comes ? NULL : c);

	if (v)
		*v = (struct visitor){comes ? c : NULL, service_now_s()};
}

static void on_served(
	void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
	struct visitor *v = find_visitor(arg, c);

	if (v)
		v->since_s = service_now_s();
}

/* Those that send a byte now and then are never quiet: they have their time too. */
static void drop_slow(struct http *h)
{
	double now = service_now_s();

	for (unsigned int i = 0; i < VISITORS_MAX; i++) {
		struct visitor *v = &h->visitor[i];
		const union MHD_ConnectionInfo *info;

		if (!v->connection || now < v->since_s + SLOW_S)
			continue;
		info = MHD_get_connection_info(v->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info)
			shutdown(info->connect_fd, SHUT_RDWR);
		v->since_s = now;
	}
}

/* ---- in the loop ---- */

static void serve(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG wait;
	uint64_t us = 1000000;

	MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &wait) == MHD_YES && wait < 1000)
		us = wait * 1000;
	sd_event_source_set_time_relative(h->timer, us);
	sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	serve(arg);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	drop_slow(arg);
	serve(arg);
	return 0;
}

static void silent(void *arg, const char *fmt, va_list ap)
{
}

static struct MHD_Daemon *listen_at(struct http *h)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)h->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)h->port)};
	bool is_v6 = inet_pton(AF_INET, h->host, &v4.sin_addr) != 1;

	if (is_v6 && inet_pton(AF_INET6, h->host, &v6.sin6_addr) != 1)
		return NULL;
	return MHD_start_daemon(MHD_USE_EPOLL | (is_v6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL,
		on_request, h, MHD_OPTION_EXTERNAL_LOGGER, silent, NULL, MHD_OPTION_SOCK_ADDR,
		is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)VISITORS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)QUIET_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_visitor, h, MHD_OPTION_NOTIFY_COMPLETED, on_served,
		h, MHD_OPTION_END);
}

static int open_at(struct service *s, const char *host, unsigned int port, struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));
	const union MHD_DaemonInfo *info;
	int r;

	if (!h)
		return -ENOMEM;
	h->service = s;
	h->port = port;
	snprintf(h->host, sizeof(h->host), "%s", host);
	errno = 0;
	h->daemon = listen_at(h);
	info = h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	r = info    ? sd_event_add_io(s->event, &h->io, info->epoll_fd, EPOLLIN, on_io, h)
	    : errno ? -errno
		    : -EIO;
	if (r >= 0)
		r = sd_event_add_time_relative(
			s->event, &h->timer, CLOCK_MONOTONIC, 1000000, 1000, on_timer, h);
	if (r < 0) {
		http_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void http_reload(struct service *s)
{
	const struct config *c = &s->config;
	int r;

	if (s->http && s->http->port == c->listen_port &&
		strcmp(s->http->host, c->listen_host) == 0)
		return;
	http_close(s->http);
	s->http = NULL;
	if (!c->listen_port)
		return;
	r = open_at(s, c->listen_host, c->listen_port, &s->http);
	if (r < 0)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"listen = %s:%u: %s: no page and no metrics", c->listen_host,
			c->listen_port, strerror(-r));
	else if (strncmp(c->listen_host, "127.", 4) != 0 && strcmp(c->listen_host, "::1") != 0)
		events_add(&s->events, EVENT_NOTE, NULL, 0,
			"the page can be read by all who reach %s:%u", c->listen_host,
			c->listen_port);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	sd_event_source_disable_unref(h->io);
	sd_event_source_disable_unref(h->timer);
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	for (unsigned int i = 0; i < DOC_COUNT; i++)
		if (h->kept[i].response)
			MHD_destroy_response(h->kept[i].response);
	free(h);
}
