/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/rng.h"
#include "budget.h"
#include "control.h"
#include "http.h"
#include "metrics.h"

/* Seconds: since the stop was asked for, until a run is told again, and killed; without progress. */
enum { TICK_US = 1000000, STOP_AGAIN_S = 6, STOP_KILL_S = 9, ALIVE_S = 420 };

double service_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void service_save(struct service *s)
{
	int r = state_save(s->state_file, &s->state);

	if (r == 0)
		return;
	/* Nothing may run of which a death would leave no trace. */
	if (!s->hold[0])
		events_add(
			&s->events, EVENT_TROUBLE, NULL, 0, "%s: %s", s->state_file, strerror(-r));
	snprintf(s->hold, sizeof(s->hold), "the state cannot be written: %s", strerror(-r));
}

/* ---- each second ---- */

static float per_second(uint64_t now, uint64_t before)
{
	return now > before ? (float)(now - before) : 0;
}

static float part(uint64_t some, uint64_t all)
{
	return all ? (float)some / (float)all : 0;
}

/* A slice that has just begun or ended has no second before. */
static void note_history(struct service *s)
{
	const struct run_status *a = &s->before, *b = &s->slice.status;
	bool same = b->doc && a->ops <= b->ops && s->before_number == s->state.slice.number;
	struct history_rates r = {0};
	struct history_node node[SAMPLE_MAX_NODES] = {0};

	if (same)
		r = (struct history_rates){per_second(b->ops, a->ops),
			per_second(b->migrated, a->migrated), per_second(b->split, a->split),
			per_second(b->collapsed, a->collapsed),
			part(b->overlapped - a->overlapped, b->seen - a->seen)};
	for (unsigned int i = 0; i < s->sample.nnodes && i < history_nodes(s->history); i++) {
		const struct sample_node *x = &s->sample.node[i], *y = &s->sample_before.node[i];
		unsigned int k = (unsigned int)x->id % RUN_STATUS_NODES;

		node[i].busy = part(x->cpu_busy - y->cpu_busy, x->cpu_all - y->cpu_all);
		node[i].allocated = per_second(x->allocated, y->allocated);
		node[i].migrated_to = same ? per_second(b->migrated_to[k], a->migrated_to[k]) : 0;
		node[i].huge = (float)(x->anon_huge + x->shmem_huge + x->file_huge);
	}
	if (s->sample_before.nnodes == s->sample.nnodes)
		history_add(s->history, time(NULL), &r, node);
	s->before = *b;
	s->before.doc = NULL;
	s->before_number = s->state.slice.number;
}

bool service_is_alive(const struct service *s)
{
	const struct slice *x = &s->slice;

	if (x->stuck)
		return false;
	return s->phase != PHASE_RUNNING || service_now_s() < x->progress_s + ALIVE_S;
}

static void tell_systemd(struct service *s)
{
	char why[WHY_MAX];

	if (service_is_alive(s))
		sd_notify(0, "WATCHDOG=1");
	sd_notifyf(0, "STATUS=%s: %s", document_health(s, why), why);
}

/* The window of the campaign that runs has closed, or it is not configured any more. */
static void check_slice(struct service *s)
{
	if (s->phase != PHASE_RUNNING || s->slice.ending != ENDING_NOT)
		return;
	if (s->slice.campaign < 0 && strcmp(s->state.slice.campaign, "on-demand") != 0)
		slice_end(s, ENDING_GONE);
}

static void finish_stop(struct service *s)
{
	double waited = service_now_s() - s->stop_asked_s;
	bool busy = s->phase == PHASE_RUNNING || s->phase == PHASE_HELPING;

	if (s->phase == PHASE_RUNNING && waited > STOP_AGAIN_S && s->slice.signals == 1) {
		s->slice.signals++;
		kill(s->slice.pid, SIGTERM);
	}
	if (busy && waited < STOP_KILL_S)
		return;
	if (s->phase == PHASE_RUNNING)
		kill(-s->slice.pid, SIGKILL);
	helper_kill(s);
	sd_event_exit(s->event, 0);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct service *s = arg;

	sd_event_source_set_time_relative(source, TICK_US);
	s->sample_before = s->sample;
	sample_read(&s->sample);
	slice_watch(s);
	recovery_watch(s);
	helper_watch(s);
	slice_settle(s);
	check_slice(s);
	note_history(s);
	if (s->stopping)
		finish_stop(s);
	else
		slice_next(s);
	control_tick(s->control);
	metrics_textfile(s);
	tell_systemd(s);
	return 0;
}

/* ---- what is asked for ---- */

void service_stop(struct service *s)
{
	if (s->stopping) {
		s->stop_asked_s = 0;
		finish_stop(s);
		return;
	}
	s->stopping = true;
	s->stop_asked_s = service_now_s();
	sd_notify(0, "STOPPING=1");
	events_add(&s->events, EVENT_NOTE, NULL, 0, "stopping");
	slice_end(s, ENDING_STOP);
	finish_stop(s);
}

void service_pause(struct service *s)
{
	s->state.paused = true;
	service_save(s);
	slice_end(s, ENDING_PAUSED);
}

void service_resume(struct service *s)
{
	s->state.paused = false;
	if (!s->slice.stuck)
		s->hold[0] = '\0';
	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		s->now[i].not_before = 0;
	service_save(s);
}

int service_start(struct service *s, const char *name, bool now)
{
	char path[CONFIG_PATH_MAX];

	if (config_find(&s->config, name) < 0 &&
		(!config_job_path(&s->config, name, path, sizeof(path)) || access(path, R_OK) < 0))
		return -ENOENT;
	if (s->nqueue == QUEUE_MAX)
		return -ENOSPC;
	snprintf(s->queue[s->nqueue++], sizeof(s->queue[0]), "%s", name);
	if (state_pardon(&s->state, name))
		service_save(s);
	if (now)
		slice_end(s, ENDING_FOR_OTHER);
	return 0;
}

/* ---- configuration ---- */

/* What was known of campaigns stays with those of the same name. */
static void adopt_campaigns(struct service *s, const struct config *old)
{
	struct campaign_now *before = calloc(CONFIG_MAX_CAMPAIGNS, sizeof(*before));

	if (before)
		memcpy(before, s->now, sizeof(s->now));
	memset(s->now, 0, sizeof(s->now));
	memset(s->share, 0, sizeof(s->share));
	state_forget(&s->state, &s->config);
	for (unsigned int i = 0; i < s->config.ncampaigns; i++) {
		const char *name = s->config.campaign[i].name;
		struct state_campaign *c = state_campaign(&s->state, name);
		int k = old ? config_find(old, name) : -1;

		s->now[i].last_exit = -1;
		if (k >= 0 && before)
			s->now[i] = before[k];
		s->now[i].not_before = 0;
		s->now[i].window_change = 0;
		s->share[i] = (struct share){.weight = s->config.campaign[i].weight,
			.ready = true, /* what it is behind by stays, over a restart */
			.boost = c ? c->boost : 1,
			.pass = c ? c->pass : 0};
	}
	s->slice.campaign = config_find(&s->config, s->state.slice.campaign);
	free(before);
}

static void tell_fixed(struct service *s, const struct config *new)
{
	if (strcmp(new->state, s->config.state) != 0 || strcmp(new->work, s->config.work) != 0 ||
		strcmp(new->socket, s->config.socket) != 0 ||
		strcmp(new->group, s->config.group) != 0)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"state, work, socket and group change when sunderd is started anew");
}

void service_reload(struct service *s)
{
	char err[CONFIG_ERR_MAX] = "";
	struct config *old = malloc(sizeof(*old)), *new = malloc(sizeof(*new));
	int r = old && new ? config_load(s->config.file, new, err) : -ENOMEM;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, (uint64_t)(service_now_s() * 1e6));
	if (r < 0) {
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"the configuration stays as it was: %s", err[0] ? err : strerror(-r));
	} else {
		*old = s->config;
		tell_fixed(s, new);
		memcpy(new->state, old->state, sizeof(new->state));
		memcpy(new->work, old->work, sizeof(new->work));
		s->config = *new;
		adopt_campaigns(s, old);
		budget_set(s->budget, &s->config);
		http_reload(s);
		service_save(s);
		events_add(&s->events, EVENT_NOTE, NULL, 0, "the configuration was read again");
	}
	free(old);
	free(new);
	sd_notify(0, "READY=1");
}

/* ---- signals ---- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct service *s = arg;

	if (si->ssi_signo == SIGHUP)
		service_reload(s);
	else if (si->ssi_signo == SIGUSR1)
		events_add(&s->events, EVENT_NOTE, NULL, 0, "%" PRIu64 " slices, %zu findings, %s",
			s->state.totals.slices, json_array_size(s->findings),
			s->phase == PHASE_RUNNING ? s->state.slice.job : "nothing runs");
	else
		service_stop(s);
	return 0;
}

static int add_sources(struct service *s)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
	sigset_t set;
	uint64_t now;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&s->event);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(taken); i++)
		r = sd_event_add_signal(s->event, NULL, taken[i], on_signal, s);
	if (r >= 0)
		r = sd_event_now(s->event, CLOCK_MONOTONIC, &now);
	if (r >= 0)
		r = sd_event_add_time(s->event, &s->tick, CLOCK_MONOTONIC, now, 1000, on_tick, s);
	return r < 0 ? r : sd_event_source_set_enabled(s->tick, SD_EVENT_ON);
}

/* ---- open and close ---- */

static int find_sunder(struct service *s)
{
	char self[CONFIG_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	snprintf(s->sunder, sizeof(s->sunder), "%s", s->config.sunder);
	if (s->sunder[0])
		return access(s->sunder, X_OK) < 0 ? -errno : 0;
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	snprintf(s->sunder, sizeof(s->sunder), "%.*s/sunder", CONFIG_PATH_MAX - 8, self);
	if (access(s->sunder, X_OK) == 0)
		return 0;
	snprintf(s->sunder, sizeof(s->sunder), "%.*s/../bin/sunder", CONFIG_PATH_MAX - 16, self);
	return access(s->sunder, X_OK) < 0 ? -errno : 0;
}

static void know_machine(struct service *s)
{
	struct utsname u;

	path_read("/proc/sys/kernel/random/boot_id", s->boot_id, sizeof(s->boot_id));
	if (uname(&u) == 0) {
		snprintf(s->kernel, sizeof(s->kernel), "%.63s", u.release);
		snprintf(s->host, sizeof(s->host), "%.63s", u.nodename);
	}
	sample_read(&s->sample);
	s->started = time(NULL);
	s->started_s = service_now_s();
}

/* One daemon a work directory. A record lock: what is forked has no part in it. */
static int lock_work(struct service *s)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[CONFIG_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/lock", s->config.work);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return -errno;
	if (fcntl(s->lock, F_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

static int load_state(struct service *s)
{
	char err[STATE_ERR_MAX] = "";
	int r;

	snprintf(s->state_file, sizeof(s->state_file), "%s/state.json", s->config.work);
	snprintf(s->runs, sizeof(s->runs), "%s/runs", s->config.work);
	snprintf(s->findings_file, sizeof(s->findings_file), "%s/findings.json", s->config.work);
	snprintf(s->log_file, sizeof(s->log_file), "%s/helpers.log", s->config.work);
	unlink(s->log_file); /* of this life only: it stays short */
	r = path_make_dirs(s->runs);
	if (r == 0)
		r = lock_work(s);
	if (r == 0)
		r = state_load(s->state_file, &s->state, err);
	if (r == -EBADMSG)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"%s was damaged and is kept as %s.corrupt: %s", s->state_file,
			s->state_file, err);
	else if (r < 0)
		return r;
	if (s->config.seed)
		s->state.seed = s->config.seed;
	else if (!s->state.seed)
		s->state.seed = rng_fresh_seed();
	return state_save(s->state_file, &s->state);
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "sunderd: %s: %s\n", what, strerror(-r));
	return r;
}

int service_open(struct service *s, const char *config_file)
{
	char err[CONFIG_ERR_MAX];
	int r = config_load(config_file, &s->config, err);

	s->findings_max = -1;
	s->lock = -1;
	s->slice.campaign = -1;
	if (r < 0) {
		fprintf(stderr, "sunderd: %s\n", err);
		return r;
	}
	know_machine(s);
	r = find_sunder(s);
	if (r < 0)
		return fail(s->sunder[0] ? s->sunder : "sunder", r);
	r = load_state(s);
	if (r == -EBUSY)
		fprintf(stderr, "sunderd: %s is in use by another sunderd\n", s->config.work);
	if (r < 0)
		return r == -EBUSY ? r : fail(s->config.work, r);
	adopt_campaigns(s, NULL);
	s->history = history_new(s->sample.nnodes);
	if (!s->history)
		return fail("history", -ENOMEM);
	r = add_sources(s);
	if (r < 0)
		return fail("event loop", r);
	r = control_open(s, &s->control);
	if (r < 0)
		return fail(s->config.socket, r);
	if (budget_open(&s->config, &s->budget, err) < 0)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0, "%s", err);
	http_reload(s);
	recovery_begin(s);
	sd_notify(0, "READY=1");
	return 0;
}

void service_close(struct service *s)
{
	http_close(s->http);
	control_close(s->control);
	budget_close(s->budget);
	run_status_clear(&s->slice.status);
	json_decref(s->findings);
	history_free(s->history);
	sd_event_source_disable_unref(s->slice.source);
	sd_event_source_disable_unref(s->helper_source);
	sd_event_source_disable_unref(s->tick);
	sd_event_unref(s->event);
	cleanup_close(&s->lock);
}
