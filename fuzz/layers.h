/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layers of feedback: what a run showed, by what can be told of it. Each is a file of its own. */
#ifndef SUNDER_FUZZ_LAYERS_H
#define SUNDER_FUZZ_LAYERS_H

#include <stdbool.h>

#include "exec/crew.h"
#include "marks.h"

struct layers;
struct functions;

/* want: bit mask of enum layer. NULL: no memory. */
struct layers *layers_open(uint32_t want, const struct machine *m);
void layers_close(struct layers *s);

/* Which functions of the kernel were reached (functions.h); NULL: not known here. */
const struct functions *layers_functions(const struct layers *s);

/* NULL: it is on; else why it is off. */
const char *layer_off(const struct layers *s, enum layer l);
void layer_turn_off(struct layers *s, enum layer l, const char *why);

/* Right before a program runs. anew: the figures at the end of the last one do not do as those at the beginning of this one. */
void layers_begin(struct layers *s, bool anew);

/* After it. p: what ran, as it was fed. */
void layers_take(struct layers *s, const struct crew *c, const struct program *p, struct marks *m);

/* ---- between the layers ---- */

/* ns that each layer has taken, in all */
uint64_t layer_ns(const struct layers *s, enum layer l);

/* What became of a call: 0: done; 1: done, and it migrated or collapsed something; else its errno and the state in which. */
static inline uint64_t outcome_of(const struct record *r)
{
	return r->err ? (uint64_t)(uint16_t)r->err << 32 | r->when : r->did;
}

/* The op environment in which ranges of a crew's calls can be asked for. */
struct op_env layer_env(const struct crew *c);

void layer_errno(const struct crew *c, const struct program *p, struct marks *m);
void layer_overlap(const struct crew *c, const struct program *p, struct marks *m);
void layer_state(const struct crew *c, const struct program *p, struct marks *m);

struct kcov_text; /* where the kernel's mm is */
const char *kcov_text_open(struct kcov_text **ret); /* NULL or why not */
const char *kcov_text_read(const char *kallsyms, struct kcov_text **ret); /* the same from a file */
void kcov_text_close(struct kcov_text *t);
/* Offset from the kernel's text; 0: not of mm. */
uint32_t kcov_offset(const struct kcov_text *t, uint64_t pc);
uint64_t kcov_base(const struct kcov_text *t);
/* f may be NULL */
void layer_kcov(
	const struct kcov_text *t, const struct crew *c, struct functions *f, struct marks *m);

struct vmstat_watch;
const char *vmstat_open(struct vmstat_watch **ret);
void vmstat_close(struct vmstat_watch *w);
void vmstat_begin(struct vmstat_watch *w);
/* False: no counter moved. */
bool layer_vmstat(struct vmstat_watch *w, struct marks *m);

struct trace_watch;
const char *trace_open(struct trace_watch **ret);
void trace_close(struct trace_watch *w);
void trace_begin(struct trace_watch *w);
void layer_trace(struct trace_watch *w, struct marks *m);

#endif
