/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/schedule.h"

int schedule_pick(const struct share *s, unsigned int n)
{
	int best = -1;

	for (unsigned int i = 0; i < n; i++)
		if (s[i].ready && (best < 0 || s[i].pass < s[best].pass))
			best = (int)i;
	return best;
}

void schedule_charge(struct share *s, double seconds, unsigned int fresh, bool adapt)
{
	if (seconds > 0)
		s->pass += seconds / (s->weight * s->boost);
	if (!adapt)
		s->boost = 1;
	else if (fresh)
		s->boost = s->boost * 2 > SCHEDULE_BOOST_MAX ? SCHEDULE_BOOST_MAX : s->boost * 2;
	else
		s->boost = 1 + (s->boost - 1) / 2;
}

void schedule_set_ready(struct share *s, unsigned int n, unsigned int i, bool ready)
{
	bool others = false;
	double least = 0;

	for (unsigned int k = 0; k < n; k++) {
		if (k == i || !s[k].ready || (others && s[k].pass >= least))
			continue;
		others = true;
		least = s[k].pass;
	}
	if (ready && !s[i].ready && others && s[i].pass < least)
		s[i].pass = least;
	s[i].ready = ready;
}
