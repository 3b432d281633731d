/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_image.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)

/* rbx: struct guest_task. Runs at guest-physical 0 and wherever else it is put. */
__asm__(".pushsection .rodata\n"
	".hidden guest_code, guest_code_end\n"
	".globl guest_code, guest_code_end\n"
	"guest_code:\n"
	"	mov 8(%rbx), %rcx\n"
	"	lea 48(%rbx), %rsi\n"
	"	cmpq $1, (%rbx)\n"
	"	je 2f\n"
	"	ja 3f\n"
	/* read */
	"1:	mov (%rsi), %rdi\n"
	"	mov (%rdi), %rax\n"
	"	mov %rax, 8(%rsi)\n"
	"	incq 24(%rbx)\n"
	"	add $16, %rsi\n"
	"	dec %rcx\n"
	"	jnz 1b\n"
	"	jmp 7f\n"
	/* write */
	"2:	mov (%rsi), %rdi\n"
	"	mov 8(%rsi), %rax\n"
	"	mov %rax, (%rdi)\n"
	"	incq 24(%rbx)\n"
	"	add $16, %rsi\n"
	"	dec %rcx\n"
	"	jnz 2b\n"
	"	jmp 7f\n"
	/* count */
	"3:	mov 16(%rbx), %rdx\n"
	"4:	mov 8(%rbx), %rcx\n"
	"	lea 48(%rbx), %rsi\n"
	"5:	mov (%rsi), %rdi\n"
	"	mov (%rdi), %rax\n"
	"	cmp 8(%rsi), %rax\n"
	"	jne 6f\n"
	"	inc %rax\n"
	"	mov %rax, (%rdi)\n"
	"	mov %rax, 8(%rsi)\n"
	"	add $16, %rsi\n"
	"	dec %rcx\n"
	"	jnz 5b\n"
	"	incq 24(%rbx)\n"
	"	dec %rdx\n"
	"	jnz 4b\n"
	"	jmp 7f\n"
	"6:	mov %rax, 32(%rbx)\n"
	"	mov %rsi, 40(%rbx)\n"
	"7:	out %al, $0x10\n"
	"	jmp guest_code\n"
	"guest_code_end:\n"
	".popsection\n");
extern const char guest_code[], guest_code_end[];

/* Identity, in pages of 2 MiB, all present, accessed and dirty: the guest's own tables are never written. */
static void fill_tables(char *own)
{
	const uint64_t table = 0x23, page = 0xe3;
	uint64_t *pml4 = (uint64_t *)(own + OWN_PML4), *pdpt = (uint64_t *)(own + OWN_PDPT);

	pml4[0] = OWN_PDPT | table;
	for (uint64_t i = 0; i < OWN_GIBS; i++) {
		uint64_t *pd = (uint64_t *)(own + OWN_PD + i * GUEST_PAGE);

		pdpt[i] = (OWN_PD + i * GUEST_PAGE) | table;
		for (uint64_t k = 0; k < GUEST_PAGE / sizeof(*pd); k++)
			pd[k] = i << 30 | k << 21 | page;
	}
}

void guest_image_fill(char *own)
{
	fill_tables(own);
	memcpy(own + OWN_CODE, guest_code, (size_t)(guest_code_end - guest_code));
}

void guest_task_begin(
	struct guest_task *t, enum guest_how how, uint32_t turns, const struct guest_words *w)
{
	t->how = how;
	t->n = w->n;
	t->turns = turns ? turns : 1;
	t->done = t->odd_at = 0;
	memcpy(t->word, w->word, w->n * sizeof(w->word[0]));
}

/* odd_at is an address as the guest has it, and so is rbx: the offset in the page is the task's own. */
void guest_task_end(const struct guest_task *t, bool done, struct guest_words *w)
{
	memcpy(w->word, t->word, w->n * sizeof(w->word[0]));
	w->odd = t->odd_at != 0;
	if (w->odd) {
		w->odd_word = (unsigned int)((t->odd_at % GUEST_PAGE -
						     offsetof(struct guest_task, word)) /
					     sizeof(t->word[0])) %
			      GUEST_WORDS;
		w->odd_value = t->odd_value;
	}
	if (!done && t->how != GUEST_COUNT)
		w->n = (unsigned int)(t->done < w->n ? t->done : w->n);
}

#endif
