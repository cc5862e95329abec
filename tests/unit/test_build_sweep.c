/* SPDX-License-Identifier: MIT */
/*
 * Protecting in one pass: what stands against it is met after much has been changed, and nothing
 * remains of that. With and without vector code, which must do the same.
 */
#include "build_fixture.h"
#include "random.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE   (4 * KIB)
#define TABLES 6
#define SIZE   (TABLES * 2 * MIB)
#define RW     (PW_R | PW_W)

static void begin(struct fixture *f, const struct pw_format *format, const struct pw_kernels *k)
{
	fixture_begin(f, format, true);
	f->tm.memory.kernels = k;
	/* Not to be mapped with larger pages. */
	cr_assert(pw_map(&f->space, 0, GIB + PAGE, SIZE, RW | PW_X, &f->flush) == PW_OK);
	pw_flush_done(&f->space, &f->flush);
}

/* The protection fails with this status, and no byte and no counter differs afterwards. */
static void expect_nothing(struct fixture *f, enum pw_status expected, pw_rights rights)
{
	struct pw_flush before = f->flush;
	uint8_t *copy = test_memory_copy(&f->tm);

	cr_assert(pw_protect(&f->space, 0, SIZE, rights, &f->flush) == expected);
	cr_assert(test_memory_equals(&f->tm, copy), "%s: changed", f->format->name);
	cr_assert(memcmp(&before, &f->flush, sizeof before) == 0, "%s: listed", f->format->name);
	free(copy);
}

static void refused_late(const struct pw_format *format, uint64_t bad, const struct pw_kernels *k)
{
	static struct fixture f;
	pw_va last = SIZE - PAGE, middle = SIZE / 2 + 7 * PAGE;
	uint64_t entry;

	begin(&f, format, k);
	entry = fixture_entry(&f, last);
	test_memory_store(&f.tm, fixture_place(&f, last, 0), 8, entry | bad);
	expect_nothing(&f, PW_RESERVED, PW_R);
	/* Some pages have other rights, some are not there, some tables are not there. */
	cr_assert(pw_protect(&f.space, middle, 3 * PAGE, PW_R | PW_X, NULL) == PW_OK);
	expect_nothing(&f, PW_RESERVED, PW_R);
	cr_assert(pw_unmap(&f.space, PAGE, 5 * PAGE, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 2 * MIB, 2 * MIB, NULL) == PW_OK);
	expect_nothing(&f, PW_RESERVED, PW_R);
	test_memory_store(&f.tm, fixture_place(&f, last, 0), 8, entry);
	cr_assert(pw_protect(&f.space, 0, SIZE, PW_R, &f.flush) == PW_OK);
	for (pw_va va = 0; va < SIZE; va += PAGE) {
		if ((va >= PAGE && va < 6 * PAGE) || (va >= 2 * MIB && va < 4 * MIB))
			fixture_expect_hole(&f, va);
		else
			fixture_expect(&f, va, GIB + PAGE + va, PAGE, PW_R);
	}
	/* What was not there is not listed. */
	cr_assert(f.flush.range_count == 2 && !f.flush.everything);
	fixture_end(&f);
}

Test(build_sweep, refused_at_the_last_page)
{
	const struct pw_kernels *k[] = {NULL, pw_kernels_best()};

	for (unsigned i = 0; i < 2; i++) {
		refused_late(&pw_format_x86_pae, UINT64_C(1) << 62, k[i]);
		refused_late(&pw_format_ept_4, UINT64_C(7) << 3, k[i]);
		refused_late(&pw_format_riscv_sv39, UINT64_C(1) << 60, k[i]);
	}
}

/* A table entry denies what is asked for and may not be changed, behind tables that would do. */
Test(build_sweep, denied_by_a_table_behind)
{
	static struct fixture f;
	pw_va last = SIZE - PAGE;
	pw_pa place;

	begin(&f, &pw_format_x86_64, pw_kernels_best());
	cr_assert(pw_map(&f.space, SIZE, 2 * GIB, PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, last, PAGE, NULL) == PW_OK);
	place = fixture_place(&f, SIZE, 1);
	test_memory_store(&f.tm, place, 8, test_memory_load(&f.tm, place, 8) & ~UINT64_C(2));
	cr_assert(pw_protect(&f.space, 0, SIZE, PW_R, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, SIZE + PAGE, RW, NULL) == PW_E_RIGHTS);
	for (pw_va va = 0; va < last; va += PAGE)
		fixture_expect(&f, va, GIB + PAGE + va, PAGE, PW_R);
	fixture_end(&f);
}

/* The same at random on two spaces, one without vector code. */
static void alike(const struct pw_format *format, struct random *random)
{
	static struct fixture f[2];
	static const pw_rights rights[] = {PW_R, RW, PW_R | PW_X, RW | PW_X};

	begin(&f[0], format, NULL);
	begin(&f[1], format, pw_kernels_best());
	for (unsigned n = 0; n < 200; n++) {
		uint64_t pages = SIZE / PAGE, from = random_below(random, pages);
		uint64_t count = 1 + random_below(random, n % 3 ? 40 : pages);
		pw_rights r = rights[random_below(random, 4)];
		unsigned op = (unsigned)random_below(random, 4);
		enum pw_status status[2];

		if (count > pages - from)
			count = pages - from;
		for (unsigned i = 0; i < 2; i++) {
			const struct pw_space *space = &f[i].space;
			pw_va va = from * PAGE;

			if (op == 0)
				status[i] = pw_unmap(space, va, count * PAGE, NULL);
			else if (op == 1)
				status[i] = pw_map(space, va, va, count * PAGE, r, NULL);
			else
				status[i] = pw_protect(space, va, count * PAGE, r, &f[i].flush);
		}
		cr_assert(status[0] == status[1]);
		cr_assert(memcmp(f[0].tm.bytes, f[1].tm.bytes, FIXTURE_BYTES) == 0);
		cr_assert(f[0].flush.range_count == f[1].flush.range_count);
		pw_flush_done(&f[0].space, &f[0].flush);
		pw_flush_done(&f[1].space, &f[1].flush);
	}
	fixture_end(&f[0]);
	fixture_end(&f[1]);
}

Test(build_sweep, vector_code_does_the_same)
{
	uint64_t seed = random_seed(20270110);
	struct random random = random_from(seed);

	if (!pw_kernels_best())
		cr_skip_test("this CPU has no vector code here");
	printf("seed %llu\n", (unsigned long long)seed);
	alike(&pw_format_x86_64, &random);
	alike(&pw_format_ept_4, &random);
	alike(&pw_format_riscv_sv39, &random);
	alike(&pw_format_arm64_s2_4k, &random);
}
