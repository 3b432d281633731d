/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mm.h"

int mm_detail(struct string_set *alt, const char *title, const struct report_text *t)
{
	(void)alt;
	(void)title;
	(void)t;
	return 0;
}
