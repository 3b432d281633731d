/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short commands of sunder, one after the other: what could hang or crash does so in a process of its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

enum { PATIENCE_S = 120, TRIES = 8, TRY_AGAIN_S = 5 };

static const char *const kind_names[] = {[HELPER_RESTORE] = "restore",
	[HELPER_RECOVER] = "recover",
	[HELPER_LIST] = "list of findings",
	[HELPER_REMOVE] = "removal"};

void helper_add(struct service *s, enum helper_kind kind, const char *path)
{
	struct helper *h = &s->helper[s->nhelpers];

	for (unsigned int i = s->helper_pid ? 1 : 0; i < s->nhelpers; i++)
		if (s->helper[i].kind == kind && kind != HELPER_REMOVE)
			return; /* it is going to be done */
	if (s->nhelpers == HELPERS_MAX)
		return; /* removals: the next check asks again */
	h->kind = kind;
	snprintf(h->path, sizeof(h->path), "%s", path ? path : "");
	s->nhelpers++;
}

static void compose(const struct service *s, const struct helper *h, struct child_how *how)
{
	how->log = s->log_file;
	how->cgroup = -1;
	if (h->kind == HELPER_REMOVE) {
		child_say(how, "rm");
		child_say(how, "-rf");
		child_say(how, "--");
		child_say(how, h->path);
		return;
	}
	child_say(how, s->sunder);
	child_say(how, h->kind == HELPER_RESTORE ? "restore" : "findings");
	if (h->kind == HELPER_RECOVER)
		child_say(how, "recover");
	if (h->kind == HELPER_LIST) {
		child_say(how, "list");
		child_say(how, "--json");
		how->out = s->findings_file;
	}
	child_say_option(how, "--state", s->config.state);
}

/* ---- the list of findings ---- */

static void tell_fresh(struct service *s, const json_t *one)
{
	const char *title = json_string_value(json_object_get(one, "title"));

	events_add(&s->events, EVENT_FINDING,
		s->charge.due ? s->charge.campaign : s->state.slice.campaign,
		s->charge.due ? s->charge.seed : s->state.slice.seed, "new finding: %s",
		title ? title : "?");
}

/* Takes over the list; returns how many findings in it are new since the last one. */
static unsigned int take_list(struct service *s)
{
	json_t *list = json_load_file(s->findings_file, JSON_REJECT_DUPLICATES, NULL), *one;
	int64_t max = s->findings_max;
	unsigned int fresh = 0;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		return 0;
	}
	json_array_foreach(list, i, one)
	{
		int64_t id = json_integer_value(json_object_get(one, "id"));

		if (s->findings_max >= 0 && id > s->findings_max) {
			tell_fresh(s, one);
			fresh++;
		}
		max = id > max ? id : max;
	}
	s->findings_max = max < 0 ? 0 : max;
	json_decref(s->findings);
	s->findings = list;
	return fresh;
}

/* New findings belong to the slice that runs, or to the one that has just ended. */
static void charge(struct service *s, unsigned int fresh)
{
	const char *name = s->charge.due ? s->charge.campaign : s->state.slice.campaign;
	struct state_campaign *c = *name ? state_campaign(&s->state, name) : NULL;
	int i = config_find(&s->config, name);

	if (c)
		c->fresh += fresh;
	if (!s->charge.due)
		return;
	s->charge.due = false;
	if (c && i >= 0) {
		struct share *share = &s->share[i];

		schedule_charge(share, s->charge.seconds, fresh, s->config.adapt);
		c->pass = share->pass;
		c->boost = share->boost;
		c->used_s += s->charge.seconds;
	}
	service_save(s);
}

/* ---- one after the other ---- */

static void done(struct service *s, int code)
{
	struct helper h = s->helper[0];
	bool again = code != 0 && h.kind == HELPER_RESTORE && ++s->helper_tries < TRIES;

	s->helper_source = sd_event_source_disable_unref(s->helper_source);
	s->helper_pid = 0;
	if (again) { /* a run that ends, or its guard, may still have the ledger */
		s->helper_not_before_s = service_now_s() + TRY_AGAIN_S;
		return;
	}
	s->helper_tries = 0;
	memmove(&s->helper[0], &s->helper[1], (--s->nhelpers) * sizeof(h));
	if (h.kind == HELPER_LIST) /* 1: there are new ones */
		charge(s, code == 0 || code == 1 ? take_list(s) : 0);
	if (code != 0 && h.kind == HELPER_RESTORE)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"not everything that a run had changed could be put back: see %s",
			s->log_file);
	else if (code != 0 && !(h.kind == HELPER_LIST && code == 1))
		events_add(&s->events, EVENT_TROUBLE, NULL, 0, "%s ended with exit code %d: see %s",
			kind_names[h.kind], code, s->log_file);
	if (code == 0 && h.kind == HELPER_REMOVE)
		disk_check(s);
}

static int on_exit_of_helper(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct service *s = arg;

	done(s, si->si_code == CLD_EXITED ? si->si_status : 128 + si->si_status);
	helper_next(s);
	return 0;
}

static void start(struct service *s)
{
	struct child_how how = {.cgroup = -1};
	int r;

	compose(s, &s->helper[0], &how);
	s->helper_pid = child_start(&how);
	s->helper_began_s = service_now_s();
	if (s->helper_pid < 0) {
		events_add(&s->events, EVENT_TROUBLE, NULL, 0, "%s: %s",
			kind_names[s->helper[0].kind], strerror(-s->helper_pid));
		done(s, 2);
		return;
	}
	r = sd_event_add_child(
		s->event, &s->helper_source, s->helper_pid, WEXITED, on_exit_of_helper, s);
	if (r < 0)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0, "a child cannot be watched: %s",
			strerror(-r));
}

void helper_next(struct service *s)
{
	while (!s->helper_pid && s->nhelpers && service_now_s() >= s->helper_not_before_s)
		start(s);
	if (!s->nhelpers && s->phase == PHASE_HELPING)
		s->phase = PHASE_IDLE;
}

void helper_kill(struct service *s)
{
	if (s->helper_pid > 0)
		kill(-s->helper_pid, SIGKILL);
}

void helper_watch(struct service *s)
{
	if (s->helper_pid > 0 && service_now_s() > s->helper_began_s + PATIENCE_S)
		helper_kill(s);
	helper_next(s);
}
