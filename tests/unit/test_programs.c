/* SPDX-License-Identifier: MIT */
/* The README's programs do what it says. */
#include "../programs/programs.h"
#include "ram.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x400000)

struct stage {
	struct ram ram;
	struct pw_space space;
	pw_pa root;
	FILE *out;
	char text[1024];
};

static void begin(struct stage *s)
{
	const struct pw_format *f = &pw_format_x86_64;

	*s = (struct stage){.out = tmpfile()};
	cr_assert_not_null(s->out);
	ram_begin(&s->ram, BASE, UINT64_C(1) << 16);
	s->root = ram_new_table(&s->ram, 4096);
	ram_enter(&s->ram, f, s->root, 0x1000, 0, BASE | 0x9000 | PTE_PWU);
	ram_enter(&s->ram, f, s->root, 0x2000, 0, BASE | 0xa000 | PTE_PWU);
	ram_enter(&s->ram, f, s->root, 0x3000, 0, BASE | 0xb000 | PTE_P | PTE_U | PTE_XD);
	ram_enter(&s->ram, f, s->root, 0x200000, 1, 0x40001000 | PTE_PW | PTE_PS);
	ram_enter(&s->ram, f, s->root, 0x400000, 1, 0x40002000 | PTE_PW | PTE_PS);
	cr_assert(pw_space_init(&s->space, f, s->root, &s->ram.windows) == PW_OK);
	memcpy(s->ram.bytes + 0x9ff8, "hello, guest", 12);
}

static void expect_text(struct stage *s, const char *text)
{
	rewind(s->out);
	s->text[fread(s->text, 1, sizeof s->text - 1, s->out)] = '\0';
	cr_expect_str_eq(s->text, text);
	fclose(s->out);
	ram_end(&s->ram);
}

Test(programs, exit_handler_translates)
{
	struct stage s;

	begin(&s);
	exit_handler(&s.space, 0x1ff8, s.out);
	expect_text(&s, "0x1ff8 -> 0x409ff8 (4 KiB page)\nhello, guest\n");
}

Test(programs, exit_handler_explains)
{
	struct stage s;

	begin(&s);
	memcpy(s.ram.bytes + 0xb000, "read-only", 9);
	exit_handler(&s.space, 0x3000, s.out);
	exit_handler(&s.space, 0x5000, s.out);
	expect_text(&s, "page fault, error code 0x7: not writable at level 0\nread-only\n"
			"page fault, error code 0x6: not present at level 0\n");
}

Test(programs, enumerate_lists_the_space)
{
	struct stage s;

	begin(&s);
	cr_assert(enumerate(&s.space, s.out));
	expect_text(&s, "0x1000-0x2fff 0x409000 4 KiB rwxu\n"
			"0x3000-0x3fff 0x40b000 4 KiB r--u\n"
			"0x200000-0x3fffff 0x40000000 2 MiB rwxs\n"
			"0x400000-0x5fffff bad, entry 0x40002083\n");
}

Test(programs, callbacks_count)
{
	static uint64_t entries[4 * 512];
	struct tables tables = {entries, 4 * 512};
	struct stage s;

	begin(&s);
	for (size_t i = 0; i < 4 * 512; i++)
		entries[i] = ram_load(&s.ram, BASE + 8 * i, 8);
	for (size_t i = 0; i < 3; i++)
		entries[i * 512] -= BASE; /* the tables stand at physical 0 here */
	cr_assert(count_entries(&tables, 0, 0, 0x3fffff, s.out) == PW_OK);
	cr_assert(count_entries(&tables, 0x100000, 0, 0, s.out) == PW_NO_MEMORY);
	expect_text(&s, "4 pages, 509 holes: ok\n0 pages, 0 holes: no-memory\n");
}
