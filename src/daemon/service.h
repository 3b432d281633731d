/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: one thread, one event loop. It never maps a slot and opens no database: runs, recovery and lists of findings are
 * children, so that whatever ends one of them does not end the daemon.
 */
#ifndef SUNDER_DAEMON_SERVICE_H
#define SUNDER_DAEMON_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "child.h"
#include "daemon/config.h"
#include "daemon/schedule.h"
#include "daemon/state.h"
#include "events.h"
#include "history.h"
#include "run_status.h"
#include "sample.h"

enum { QUEUE_MAX = 16, HELPERS_MAX = 16, WHY_MAX = 200 };

enum phase {
	PHASE_IDLE, /* a slice may begin */
	PHASE_RUNNING,
	PHASE_HELPING, /* helpers are at work: recovery, or what comes after a slice */
	PHASE_WAITING, /* for what the daemon before this one had left running */
};

/* Why a slice that runs is to end. */
enum ending {
	ENDING_NOT,
	ENDING_PAUSED,
	ENDING_FOR_OTHER,
	ENDING_GONE,
	ENDING_OVERDUE,
	ENDING_STOP
};

/* What is known of a campaign in this life of the daemon; by the index of the configuration. */
struct campaign_now {
	unsigned int fails; /* in a row */
	int64_t not_before; /* after a failure */
	time_t window_change; /* 0: never */
	bool window_open, quarantined;
	int last_exit; /* -1: none yet */
	int64_t last_end;
	char why[WHY_MAX]; /* of the last failure, or why it cannot run */
};

/* What a helper is for. */
enum helper_kind { HELPER_RESTORE, HELPER_RECOVER, HELPER_LIST, HELPER_REMOVE };

struct helper {
	enum helper_kind kind;
	char path[CONFIG_PATH_MAX]; /* of HELPER_REMOVE */
};

struct slice {
	pid_t pid;
	uint64_t pid_start;
	sd_event_source *source; /* of a child of ours; NULL: of the daemon before */
	int campaign; /* index; -1: it is not configured any more */
	char run[CONFIG_PATH_MAX]; /* directory with status.json */
	char log[CONFIG_PATH_MAX];
	double began_s, limit_s; /* monotonic; limit: when it is overdue */
	double asked_s; /* to end; 0: not */
	unsigned int signals; /* sent */
	enum ending ending;
	bool stuck; /* SIGKILL did not help */
	struct run_status status;
	double progress_s; /* when ops moved last */
};

struct control;
struct http;
struct budget;

struct service {
	sd_event *event;
	sd_event_source *tick;
	struct config config;
	struct state state;
	char state_file[CONFIG_PATH_MAX + 32], runs[CONFIG_PATH_MAX + 32];
	char findings_file[CONFIG_PATH_MAX + 32], log_file[CONFIG_PATH_MAX + 32];
	char sunder[CONFIG_PATH_MAX], boot_id[STATE_ID_MAX], kernel[STATE_ID_MAX],
		host[STATE_ID_MAX];
	int64_t started;
	double started_s;
	enum phase phase;
	bool reboot; /* when it has ended */
	bool stopping; /* the daemon ends when the slice has */
	double stop_asked_s;
	char hold[WHY_MAX]; /* why nothing may begin until somebody says so; "": it may */
	struct campaign_now now[CONFIG_MAX_CAMPAIGNS];
	struct share share[CONFIG_MAX_CAMPAIGNS]; /* by the same index */
	char queue[QUEUE_MAX][CONFIG_PATH_MAX]; /* of `start` */
	unsigned int nqueue;
	struct slice slice;
	/* After a slice: what is charged when the list of findings is there. */
	struct {
		bool due;
		char campaign[CONFIG_NAME_MAX];
		double seconds;
		uint64_t seed;
	} charge;
	struct helper helper[HELPERS_MAX];
	unsigned int nhelpers;
	pid_t helper_pid;
	sd_event_source *helper_source;
	double helper_began_s, helper_not_before_s;
	unsigned int helper_tries;
	json_t *findings; /* array, as of `sunder findings list --json` */
	int64_t findings_max; /* highest id in it; -1: not read yet */
	uint64_t disk_used;
	bool disk_full;
	struct events events;
	struct history *history;
	struct sample sample, sample_before;
	struct run_status before; /* numbers of the last second; its doc is not used */
	uint64_t before_number; /* of its slice */
	struct control *control;
	struct http *http;
	struct budget *budget;
	double textfile_s; /* when it is due */
	bool textfile_told;
	int lock; /* of the work directory */
};

double service_now_s(void);

/* ---- service.c ---- */
int service_open(struct service *s, const char *config_file);
void service_close(struct service *s);

/* Ends the slice, then the daemon. A second call ends it at once. */
void service_stop(struct service *s);
void service_pause(struct service *s);
void service_resume(struct service *s);

/* A campaign, or a job of the jobs directory, has the next slice. 0; -ENOENT; -ENOSPC: too many wait. */
int service_start(struct service *s, const char *name, bool now);
void service_reload(struct service *s);

/* Writes state.json; what fails is told, and holds all. */
void service_save(struct service *s);

/* False: a run has made no progress for so long that the machine may hang: the watchdog is not told that all is well. */
bool service_is_alive(const struct service *s);

/* ---- slice.c ---- */

/* Begins the next slice if one may. */
void slice_next(struct service *s);

/* Each second while one runs. */
void slice_watch(struct service *s);

/* Asks it to end. */
void slice_end(struct service *s, enum ending why);

/* Brings up to date which campaigns may run. */
void slice_settle(struct service *s);

/* The job whose turn it is, as a path or the name that the run gives it; "" if that is not known. */
const char *slice_turn(const struct slice *x);

/* What a slice has done, as far as it told. */
void slice_add_totals(struct state_totals *t, const struct run_status *r, double seconds);

/* ---- recovery.c ---- */

/* At the start: what the state says was running. */
void recovery_begin(struct service *s);

/* Each second in PHASE_WAITING. */
void recovery_watch(struct service *s);

/* ---- helper.c ---- */
void helper_add(struct service *s, enum helper_kind kind, const char *path);

/* Starts the next one, or leaves PHASE_HELPING when there is none. */
void helper_next(struct service *s);
void helper_watch(struct service *s);
void helper_kill(struct service *s);

/* ---- disk.c ---- */

/* Measures what the daemon keeps; has the oldest clean runs removed until that is within the budget. */
void disk_check(struct service *s);

/* ---- document.c ---- */

/* What docs/sunderd.schema.json describes. */
json_t *document_status(const struct service *s);

/* "ok", "attention" or "bad", and why. */
const char *document_health(const struct service *s, char why[WHY_MAX]);

#endif
