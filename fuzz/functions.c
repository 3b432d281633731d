/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "functions.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "layers.h"
#include "symbols.h"

enum { PLACE = 1, REACHED = 2, CALL_BYTES = 5, CALL = 0xe8, TEXT_MAX = 1 << 20 };

struct functions {
	const struct kcov_text *text;
	struct symbol *s; /* [n] */
	size_t n;
	uint8_t *at; /* [size] by offset from the kernel's text */
	uint32_t size, reached;
};

/* The offset in /proc/kcore of an address; -1: it is not there. */
static off_t kcore_offset(int fd, uint64_t at)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
		memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return -1;
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), (off_t)(head.e_phoff + i * sizeof(part))) !=
			sizeof(part))
			return -1;
		if (part.p_type == PT_LOAD && at >= part.p_vaddr &&
			at < part.p_vaddr + part.p_memsz)
			return (off_t)(part.p_offset + (at - part.p_vaddr));
	}
	return -1;
}

/* A call of the function that kcov has the compiler put everywhere: its return address is what kcov tells. */
static void take_calls(
	struct functions *f, const uint8_t *code, size_t len, uint64_t at, uint64_t target)
{
	for (size_t i = 0; i + CALL_BYTES <= len; i++) {
		uint64_t back = at + i + CALL_BYTES;
		int32_t distance;

		if (code[i] != CALL)
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		if (back + (uint64_t)(int64_t)distance != target)
			continue;
		f->at[back - kcov_base(f->text)] |= PLACE;
	}
}

static bool is_mm(const struct functions *f, size_t i)
{
	return i + 1 < f->n && f->s[i + 1].at - f->s[i].at < TEXT_MAX &&
	       kcov_offset(f->text, f->s[i].at) && f->s[i + 1].at - kcov_base(f->text) < f->size;
}

static void find_places(struct functions *f)
{
	_cleanup_close_ int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *code = malloc(TEXT_MAX);
	uint64_t target = 0;

	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->s[i].name, "__sanitizer_cov_trace_pc") == 0)
			target = f->s[i].at;
	for (size_t i = 0; fd >= 0 && code && target && i < f->n; i++) {
		off_t from = is_mm(f, i) ? kcore_offset(fd, f->s[i].at) : -1;
		ssize_t n = from < 0 ? 0 : pread(fd, code, f->s[i + 1].at - f->s[i].at, from);

		if (n > 0)
			take_calls(f, code, (size_t)n, f->s[i].at, target);
	}
}

struct functions *functions_open(const struct kcov_text *t)
{
	struct functions *f = calloc(1, sizeof(*f));
	int n;

	if (!f)
		return NULL;
	f->text = t;
	n = symbols_read("/proc/kallsyms", &f->s);
	f->n = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < f->n; i++)
		if (kcov_offset(t, f->s[i].at) && i + 1 < f->n)
			f->size = (uint32_t)(f->s[i + 1].at - kcov_base(t)) + 1;
	f->at = f->size ? calloc(f->size, 1) : NULL;
	if (!f->at) {
		functions_close(f);
		return NULL;
	}
	find_places(f);
	return f;
}

void functions_close(struct functions *f)
{
	if (!f)
		return;
	free(f->s);
	free(f->at);
	free(f);
}

void functions_reached(struct functions *f, uint32_t offset)
{
	if (offset >= f->size || f->at[offset] & REACHED)
		return;
	f->at[offset] |= REACHED | PLACE;
	f->reached++;
}

uint32_t functions_count(const struct functions *f)
{
	return f->reached;
}

static void write_offsets(const struct functions *f, size_t i, uint8_t what, FILE *out)
{
	uint64_t from = f->s[i].at - kcov_base(f->text), to = f->s[i + 1].at - kcov_base(f->text);

	/* A return address may be the next function's first byte: then the call does not return. */
	for (uint64_t at = from + 1; at <= to; at++)
		if ((f->at[at] & (PLACE | REACHED)) == what)
			fprintf(out, " %x", (unsigned int)(at - from));
}

static bool has_places(const struct functions *f, uint32_t from, uint32_t to)
{
	for (uint32_t at = from; at <= to; at++)
		if (f->at[at])
			return true;
	return false;
}

int functions_write(const struct functions *f, const char *path)
{
	_cleanup_free_ char *tmp = NULL;
	FILE *out;

	if (asprintf(&tmp, "%s.new", path) < 0)
		return -ENOMEM;
	out = fopen(tmp, "we");
	if (!out)
		return -errno;
	for (size_t i = 0; i < f->n; i++) {
		uint64_t from = f->s[i].at - kcov_base(f->text);

		if (!is_mm(f, i) || !has_places(f, (uint32_t)from + 1,
					    (uint32_t)(f->s[i + 1].at - kcov_base(f->text))))
			continue;
		fprintf(out, "%s:", f->s[i].name);
		write_offsets(f, i, PLACE | REACHED, out);
		fputc(';', out);
		write_offsets(f, i, PLACE, out);
		fputc('\n', out);
	}
	if (fclose(out) != 0)
		return -EIO;
	return rename(tmp, path) < 0 ? -errno : 0;
}
