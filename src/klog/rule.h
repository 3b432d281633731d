/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables' shape: a header says that a line starts a report; a rule says what the report is
 * called and where its guilty function stands. Wording follows what syzbot calls the same
 * reports.
 */
#ifndef SUNDER_KLOG_RULE_H
#define SUNDER_KLOG_RULE_H

#include <stdbool.h>
#include <stddef.h>

/* Where to look for frames, step by step. Each step starts on the line after the previous one's. */
enum step_kind {
	STEP_END,
	STEP_LINE, /* the next line that matches the pattern; its captures are frames */
	STEP_IP, /* the next line that shows the instruction pointer */
	STEP_CALL, /* the next "Call Trace:" line */
	STEP_TRACE, /* all frames up to the next stack, or to what the following step looks for */
};

struct step {
	enum step_kind kind;
	const char *pattern;
};

/* Which of a trace's frames is guilty. */
enum pick {
	PICK_FIRST, /* the first that is not on a skip list */
	PICK_STALL, /* the one above a dispatcher: where a loop was entered, not caught */
	PICK_STALL_FAULT, /* the same, or above a page fault's way in */
	PICK_HANG, /* the first that is no waiting function */
};

#define RULE_STEPS 5
#define RULE_THEN 3

struct rule {
	/* Pattern of a line: the first one in the text, then in the table, wins. */
	const char *title;
	/*
	 * Patterns of which the first must be in the text and each other one on a later line; their
	 * captures replace those of title. If they are not found the report is corrupted.
	 */
	const char *then[RULE_THEN];
	const char *name; /* $1..$6: captures; $F: guilty function; $G: that of a second trace */
	const char *alt[2]; /* further names, for other reports of the same bug */
	struct step steps[RULE_STEPS];
	struct step otherwise[RULE_STEPS]; /* tried where steps find nothing */
	/* Stalls: tried where both find nothing, which the title keeps to; for alternatives. */
	struct step unheard[RULE_STEPS];
	const char *const *skip; /* functions not to blame, on top of the general list */
	enum pick pick;
	const char *kind;
	bool traceless; /* needs no stack to be whole */
	bool corrupted; /* only ever seen when text is missing */
	bool title_spans; /* without its `then` lines it is no match, rather than corrupted */
	bool keep_wording; /* the line itself is the title; name becomes an alternative */
};

/*
 * A STEP_LINE that every WARNING has in place of STEP_IP (powerpc shows "--- interrupt: 700 at
 * f").
 */
#define PAT_IP                                                                                    \
	"{IP|NIP|pc |PC is at}{:|} {{%d:|}{" PAT_PC "%_|}{" PAT_PC "%_|}" PAT_FUNC "|{%d:|}0x%x|" \
	"{%d:|}" PAT_PC "%_[<%-\\(null\\)>]%_\\(null\\)|%d:%_\\(null\\)}"
#define PAT_WARN_IP "{" PAT_IP "|--- interrupt: %d at " PAT_FUNC "}"

#define STEPS_IP_TRACE                                                  \
	{                                                               \
		{STEP_IP, NULL}, {STEP_CALL, NULL}, {STEP_TRACE, NULL}, \
	}
#define STEPS_TRACE                                    \
	{                                              \
		{STEP_CALL, NULL}, {STEP_TRACE, NULL}, \
	}
#define STEPS_WARN .steps = {{STEP_LINE, PAT_WARN_IP}, {STEP_TRACE, NULL}}, .otherwise = STEPS_TRACE

#define SKIP(...)                 \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

enum header_role {
	HEADER_MAIN, /* starts a report */
	HEADER_WITHIN, /* the same, but may be part of one that has started: "Kernel panic" */
	HEADER_OURS, /* starts one that syzbot has no word for; a main header near it takes over */
	HEADER_KNOWN, /* no finding, but callers may want to know: one line */
};

struct header {
	const char *text; /* somewhere in the line */
	const char *when; /* pattern that the line's text must match as well, or NULL */
	const char *const *benign; /* patterns: not in these lines */
	const struct rule *rules; /* ends with one without title; NULL for none */
	enum header_role role;
	const char *kind; /* of a report that no rule names */
	/* HEADER_OURS: within so many lines it belongs to the report before; 0: 60. */
	unsigned int near;
	/*
	 * Programs use the word as well: a line that no rule knows and that lacks the prefix which
	 * the kernel's lines have is theirs.
	 */
	bool common_word;
	bool panics; /* HEADER_OURS: a panic that follows ends it, and names it as syzbot does */
};

extern const struct rule rules_bug[];
extern const struct rule rules_warning[];
extern const struct rule rules_info[];

#endif
