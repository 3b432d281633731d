/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding_page.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan/number.h"
#include "service.h"

enum { SHOWN_MAX = 128 << 10, FILES_MAX = 32 };

void html_escape(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\'')
			fputs("&#39;", out);
		else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			fputc('?', out);
		else
			fputc(c, out);
	}
}

static void put(const char *text, FILE *out)
{
	html_escape(text ? text : "", text ? strlen(text) : 0, out);
}

static const json_t *find(const struct service *s, const char *id)
{
	const json_t *one;
	uint64_t n;
	size_t i;

	if (number_parse(id, &n) < 0)
		return NULL;
	json_array_foreach(s->findings, i,
		one) if ((uint64_t)json_integer_value(json_object_get(one, "id")) == n) return one;
	return NULL;
}

static const char *text_of(const json_t *one, const char *key)
{
	return json_string_value(json_object_get(one, key));
}

/* A regular file of that directory; what is a link is not followed. */
static void put_file(int dir, const char *name, FILE *out)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(text = malloc(SHOWN_MAX)))
		return;
	n = read(fd, text, SHOWN_MAX);
	fputs("<details open><summary>", out);
	put(name, out);
	fputs("</summary><pre tabindex=\"0\">", out);
	html_escape(text, n > 0 ? (size_t)n : 0, out);
	if (st.st_size > SHOWN_MAX)
		fputs("\n... (longer: see the file)", out);
	fputs("</pre></details>\n", out);
}

static int is_shown(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* dir: "groups/NAME", of our own list, but not trusted. */
static void put_files(const struct service *s, const char *dir, FILE *out)
{
	_cleanup_close_ int fd = -1;
	struct dirent **list;
	char path[2 * CONFIG_PATH_MAX];
	int n;

	if (!dir || strncmp(dir, "groups/", 7) != 0 || strchr(dir + 7, '/') || dir[7] == '.')
		return;
	snprintf(path, sizeof(path), "%s/findings/%s", s->config.state, dir);
	fputs("<p>Files: <code>", out);
	put(path, out);
	fputs("</code></p>\n", out);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = scandir(path, &list, is_shown, alphasort);
	for (int i = 0; i < n; i++) {
		if (fd >= 0 && i < FILES_MAX)
			put_file(fd, list[i]->d_name, out);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

static void put_facts(const json_t *one, FILE *out)
{
	static const char *const keys[] = {"status", "note", "oracle", "first", "last"};
	static const char *const counts[] = {"count", "runs", "machines", "kernels"};

	fputs("<dl class=\"facts\">", out);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		fprintf(out, "<dt>%s</dt><dd>", keys[i]);
		put(text_of(one, keys[i]), out);
		fputs("</dd>", out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		fprintf(out, "<dt>%s</dt><dd>%lld</dd>", counts[i],
			(long long)json_integer_value(json_object_get(one, counts[i])));
	fputs("</dl>\n", out);
}

char *finding_page(const struct service *s, const char *id)
{
	const json_t *one = find(s, id);
	char *text = NULL;
	size_t len = 0;
	FILE *f = one ? open_memstream(&text, &len) : NULL;

	if (!f)
		return NULL;
	fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
	      "<meta name=\"color-scheme\" content=\"light dark\">"
	      "<link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" "
	      "href=\"/page.css\"><title>",
		f);
	put(text_of(one, "title"), f);
	fputs("</title></head><body><main class=\"finding\"><p><a href=\"/\">All of this "
	      "machine</a></p><h1>",
		f);
	put(text_of(one, "title"), f);
	fputs("</h1>\n", f);
	put_facts(one, f);
	put_files(s, text_of(one, "dir"), f);
	fputs("</main></body></html>\n", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
