/* SPDX-License-Identifier: MIT */
/*
 * Tables that two paths lead to inside the range to be filled: what was made for a hole that the
 * first path has filled goes back, and every other hole gets what was made for it.
 */
#include "build_fixture.h"
#include "tiny_format.h"

#define PAGE      (4 * KIB)
#define BLOCK     (PAGE << 3) /* of an entry of level 1, and of level 2: */
#define ABOVE     (BLOCK << 3)
#define RW        (PW_R | PW_W)
#define TABLE_BIT UINT64_C(7)
/* From the last hole of the shared table by its first path up to a page behind its second. */
#define FIRST     (ABOVE - BLOCK)
#define LAST      (2 * ABOVE + PAGE - 1)

static const uint64_t size = LAST - FIRST + 1;

/* Entries 0 and 1 of the root lead to the same empty table. */
static void begin(struct fixture *f, const struct pw_format *format, bool windows)
{
	static const struct pw_memory none;
	struct pw_space space;
	pw_pa root, shared;

	memset(f, 0, sizeof *f);
	test_memory_begin(&f->tm, FIXTURE_BASE, FIXTURE_BYTES, windows);
	f->format = format;
	cr_assert(pw_root_create(format, &f->tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init(&f->space, format, root, &f->tm.memory) == PW_OK);
	cr_assert(pw_space_init(&space, format, root, &none) == PW_OK);
	cr_assert(f->tm.memory.allocate_table(&f->tm, PAGE, &shared));
	for (unsigned i = 0; i < 8; i++)
		test_memory_store(&f->tm, shared + 8 * i, 8, 0);
	test_memory_store(&f->tm, root, 8, shared | TABLE_BIT);
	test_memory_store(&f->tm, root + 8, 8, shared | TABLE_BIT);
}

static pw_pa at(const struct fixture *f, pw_va va)
{
	struct pw_result r;

	cr_assert(pw_translate(&f->space, va, PW_ACCESS_READ, &r) == PW_OK, "nothing at %#llx",
		(unsigned long long)va);
	return r.pa;
}

/* Root, the shared table, one a block of it, and one below the root's next entry's table. */
static void end(struct fixture *f)
{
	cr_assert(f->tm.tables_out == 2 + 8 + 2, "%llu tables are out",
		(unsigned long long)f->tm.tables_out);
	cr_assert(pw_unmap(&f->space, 0, 4 * ABOVE, NULL) == PW_OK);
	cr_assert(f->tm.tables_out == 1 && test_memory_is_sound(&f->tm));
	test_memory_end(&f->tm);
}

static void map(bool windows)
{
	const struct pw_format format = tiny_format(3, 3);
	static struct fixture f;
	pw_pa pa = 64 * MIB + PAGE;

	begin(&f, &format, windows);
	cr_assert(pw_map(&f.space, FIRST, pa, size, RW, NULL) == PW_OK);
	for (pw_va va = FIRST; va < 2 * ABOVE - BLOCK; va += PAGE)
		cr_assert(at(&f, va) == pa + (va - FIRST), "at %#llx", (unsigned long long)va);
	cr_assert(at(&f, 2 * ABOVE - BLOCK) == pa);
	cr_assert(at(&f, 2 * ABOVE) == pa + (2 * ABOVE - FIRST));
	end(&f);
}

Test(build_alias, map)
{
	map(true);
	map(false);
}

Test(build_alias, allocate_and_free)
{
	const struct pw_format format = tiny_format(3, 3);
	static struct fixture f;

	begin(&f, &format, true);
	f.tm.largest_page = PAGE;
	cr_assert(pw_allocate(&f.space, FIRST, size, RW, NULL) == PW_OK);
	/* The pages made for the hole's second visit have gone back. */
	cr_assert(f.tm.page_bytes_out == size - BLOCK);
	for (pw_va va = ABOVE + PAGE; va < 2 * ABOVE; va += PAGE)
		cr_assert(at(&f, va) != at(&f, va - PAGE));
	cr_assert(at(&f, 2 * ABOVE) != at(&f, ABOVE));
	cr_assert(pw_free(&f.space, 0, 4 * ABOVE, NULL) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 0);
	cr_assert(f.tm.tables_out == 1 && test_memory_is_sound(&f.tm));
	test_memory_end(&f.tm);
}
