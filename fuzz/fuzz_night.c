/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader of directories of runs: any summary.json makes a document and all formats of it, and no markup of its own. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/night.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static char *print(const json_t *doc, enum night_format format, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	require(f && night_print(doc, format, f) == 0);
	fclose(f);
	return text;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void check(const json_t *doc)
{
	size_t len;
	char *html = print(doc, NIGHT_HTML, &len);
	json_t *again;

	require(strlen(html) == len && count(html, "<script") == count(html, "</script>"));
	require(count(html, "</script>") ==
		3); /* the document, uPlot and the page: there is no series */
	free(html);
	free(print(doc, NIGHT_TEXT, &len));
	free(print(doc, NIGHT_KTAP, &len));
	free(print(doc, NIGHT_JUNIT, &len));
	html = print(doc, NIGHT_JSON, &len);
	again = json_loadb(html, len, 0, NULL);
	require(again != NULL);
	json_decref(again);
	free(html);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/sunder-fuzz-night-XXXXXX", path[64];
	char *dirs[] = {dir, NULL}, *none[] = {NULL};
	json_t *doc;
	FILE *f;

	require(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/summary.json", dir);
	f = fopen(path, "we");
	require(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
	doc = night_load(dirs, none);
	unlink(path);
	rmdir(dir);
	require(doc != NULL);
	check(doc);
	json_decref(doc);
	return 0;
}
