/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A campaign of afl-fuzz: one instance a kernel, this one or those of guests, kept going for as long as is wanted. All that is worth
 * keeping is below one directory, and the same command goes on from there:
 *
 *   afl/INSTANCE/     AFL's directories, of guests brought here while they run; afl-whatsup and afl-plot read them
 *   findings/         the campaign's own store of findings; merged into the machine's
 *   kills.json, quarantine/   programs that killed their kernel, how often, and those that run no more
 *   reached.map       what of the map was ever reached
 *   guests/INSTANCE/  console and results of the guest that died last, and of the one that runs
 *   summary.json
 */
#ifndef SUNDER_MAIN_CAMPAIGN_H
#define SUNDER_MAIN_CAMPAIGN_H

#include <sys/types.h>
#include <time.h>

#include "corpus.h"
#include "figures.h"
#include "finding/store.h"
#include "report/report.h"

enum {
	CAMPAIGN_MAX_INSTANCES = 16,
	CAMPAIGN_MAX_FOUND = 256,
	CAMPAIGN_DIR_MAX = 256,
	CAMPAIGN_PATH_MAX = 512
};

enum campaign_work {
	CAMPAIGN_FUZZ,
	CAMPAIGN_MINIMISE, /* which entries of the corpus reach all that it reaches */
};

struct campaign_options {
	const char *output; /* directory; new, empty, or of a campaign that goes on */
	const char *seeds; /* directory; NULL: made of the workloads */
	const char *harness, *mutator; /* programs; NULL: sunder's own; mutator "none": AFL's */
	const char *layers, *allow, *background, *share, *store, *state, *tmp; /* NULL: not given */
	const char *name; /* of the only instance; NULL: main-HOST */
	bool secondary; /* the only instance is one of several */
	bool blind; /* no feedback */
	bool linked; /* in a guest of a campaign: corpus and findings come and go by its disks */
	bool until_finding, quiet;
	enum campaign_work work;
	unsigned int guests; /* 0: this kernel */
	const char *vm, *modules, *nodes, *cpus, *memory, *append, *accel; /* of `sunder vm` */
	uint64_t timeout_ns; /* 0: until told to stop */
	double status_interval_s;
	unsigned int exec_ms; /* most that a test case takes */
	enum report_format format;
};

struct link;
struct mirror;
struct klog;

struct instance {
	char name[80];
	bool main;
	bool given_up;
	bool ended; /* by itself, its time being over */
	pid_t pid; /* of afl-fuzz or of the guest's script; 0: none */
	pid_t background; /* of the run beside it; 0: none */
	unsigned int starts, barren; /* barren: starts in a row that came to nothing */
	double started_s, again_s; /* again_s: when it is started next */
	double heard_s; /* when a guest was last heard of */
	bool told; /* a guest was told to end */
	struct figures f;
	uint64_t rate_execs; /* when the rate was last taken */
	double rate_s, rate;
	/* of guests */
	unsigned int lost; /* kernels */
	struct link *in, *out; /* as the guest sees them */
	struct mirror *sent;
	struct klog *klog; /* of its console */
	long console_at; /* read so far */
	unsigned int reports; /* in it */
	double console_s; /* when it said something that is not yet judged; 0: all is */
	char dir[CAMPAIGN_PATH_MAX]; /* of this boot */
};

/* A title that this campaign has found. */
struct campaign_found {
	char *title, *alt, *oracle, *dir; /* alt: newline separated; dir: of the group */
	uint64_t count, programs;
	bool known; /* somebody said so: it counts for nothing */
	bool before; /* it was there when this command began */
	double first_s; /* into this command; 0 if before */
};

struct campaign {
	const struct campaign_options *o;
	char dir[CAMPAIGN_DIR_MAX], store[CAMPAIGN_PATH_MAX], machine_store[CAMPAIGN_PATH_MAX];
	char started[32], kernel[160], host[66], self[512], harness[512], mutator[512], seeds[512];
	/* The script that boots guests, found at the start: whoever installs anew takes the program away under us. */
	char *script;
	time_t started_at;
	double start_s, deadline_s; /* deadline_s 0: none */
	int lock;
	pid_t syncer; /* a child that brings the directory to the disk; <= 0: none */
	struct instance in[CAMPAIGN_MAX_INSTANCES];
	unsigned int n;
	struct kills kills;
	struct reached reached;
	struct campaign_found found[CAMPAIGN_MAX_FOUND];
	unsigned int nfound;
	uint64_t merged; /* sum of counts that the machine's store has */
	uint64_t lost; /* kernels that died of something that was not known */
	uint64_t reboots;
	bool finished, interrupted, stopping;
	enum run_exit exit;
	char trouble[640]; /* why it could not go on */
	/* in a guest */
	struct link *link_in, *link_out;
	struct mirror *sent;
};

/* How an instance lives: in this kernel, or in a guest. */
struct campaign_way {
	/* 0 or -errno; what cannot work later either is told in c->trouble. */
	int (*start)(struct campaign *c, struct instance *i);
	void (*tick)(struct campaign *c, struct instance *i, double now_s);
	/* Its process ended. False: it is not to be started again. */
	bool (*ended)(struct campaign *c, struct instance *i, int status);
	/* Asks it to end; hard: now. */
	void (*stop)(struct campaign *c, struct instance *i, bool hard);
	double stop_s; /* that it may take */
};
extern const struct campaign_way campaign_local, campaign_guests;

/* Runs to the end; the summary on stdout. */
enum run_exit campaign_run(const struct campaign_options *o);

/* ---- between campaign.c and its parts ---- */

double campaign_now_s(void);

/* In a child: dies with the campaign, in a group of its own, words to the log. */
void campaign_become(const char *log, int signal_at_death);

/* Waits until the guest's host has sent what there is. 0 or -errno. */
int campaign_link_open(struct campaign *c);
void campaign_link_tick(struct campaign *c);

/* Files into the campaign's store; what a kernel said by itself has no program. */
void campaign_file(struct campaign *c, const struct store_sight *x);

/* Looks again what was found, and which of it is known; brings the machine's store up to date. True: something new and not known. */
bool campaign_look(struct campaign *c);
bool campaign_has(const struct campaign *c, const char *title);
bool campaign_knows(const struct campaign *c, const char *title);
void campaign_forget(struct campaign *c);

/* --minimise: gathers DIR/minimise/in; and, when afl-showmap has made DIR/minimise/maps of it, chooses DIR/result/. 0 or -errno. */
int campaign_minimise_begin(struct campaign *c);
int campaign_minimise_end(struct campaign *c);

/* --coverage: which functions of the kernel's mm were reached, from DIR/functions/. Exit code. */
int campaign_coverage(const char *dir, enum report_format format);

/* Sums over all instances. */
struct campaign_totals {
	double execs_per_s; /* of late */
	double run_s; /* that AFL has worked, in all instances */
	double stability; /* the worst one's; < 0: not known */
	uint64_t execs, corpus, crashes, hangs, cycles;
	unsigned int alive, found, known;
};
struct campaign_totals campaign_totals(const struct campaign *c);

void campaign_status(const struct campaign *c, bool terminal, FILE *out);
int campaign_summary_file(const struct campaign *c); /* 0 or -errno */
void campaign_summary(const struct campaign *c, FILE *out);

#endif
