/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file that needs nothing else: the page, its style and script, uPlot, and the document. Nothing of the document becomes markup: it is
 * JSON in which '<' cannot occur, and the page's script makes text of it. Each run's series is a block of its own, read when it is drawn.
 */
#include "night.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sink.h"

/* Made of the files at build time. */
extern const char night_page_css[], night_page_js[], uplot_js[], uplot_css[], uplot_licence[];

/* JSON in a script element: without '<' there is no end tag and no comment in it. */
static void put_json(const json_t *j, size_t flags, FILE *out)
{
	_cleanup_free_ char *text = json_dumps(j, flags | JSON_COMPACT);

	for (const char *p = text ? text : "null"; *p; p++) {
		if (*p == '<')
			fputs("\\u003c", out);
		else
			fputc(*p, out);
	}
}

/* id: and a number, if it is not negative. */
static void put_block(const char *id, int number, const json_t *j, size_t flags, FILE *out)
{
	fprintf(out, "<script type=\"application/json\" id=\"%s", id);
	if (number >= 0)
		fprintf(out, "%d", number);
	fputs("\">", out);
	put_json(j, flags, out);
	fputs("</script>\n", out);
}

static void put_noscript(const json_t *doc, FILE *out)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	night_text(doc, f);
	if (fclose(f) != 0)
		return;
	fputs("<noscript><pre>", out);
	print_xml(text, out);
	fputs("</pre></noscript>\n", out);
}

static void put_head(const json_t *doc, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; "
	      "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>",
		out);
	print_xml(value_text(json_object_get(doc, "verdict"), "word"), out);
	fputs(" · sunder</title>\n<style>\n", out);
	fputs(uplot_css, out);
	fputs("\n", out);
	fputs(night_page_css, out);
	fputs("</style></head>\n<body>\n", out);
}

void night_html(const json_t *doc, FILE *out)
{
	json_t *copy = json_copy((json_t *)doc), *runs = json_array(), *run;
	size_t i;

	json_array_foreach(json_object_get(doc, "runs"), i, run)
	{
		json_t *r = json_copy(run);

		json_object_set_new(
			r, "series", json_boolean(json_object_get(run, "series") != NULL));
		json_array_append_new(runs, r);
	}
	json_object_set_new(copy, "runs", runs);
	put_head(doc, out);
	put_noscript(doc, out);
	fputs("<main id=\"page\"></main>\n", out);
	put_block("document", -1, copy, JSON_REAL_PRECISION(9), out);
	json_decref(copy);
	json_array_foreach(json_object_get(doc, "runs"), i, run) if (json_object_get(run, "series"))
		put_block("series", (int)i, json_object_get(run, "series"), JSON_REAL_PRECISION(4),
			out);
	fputs("<script>\n/*!\n", out);
	fputs(uplot_licence, out);
	fputs("*/\n", out);
	fputs(uplot_js, out);
	fputs("\n</script>\n<script>\n", out);
	fputs(night_page_js, out);
	fputs("</script>\n</body></html>\n", out);
}
