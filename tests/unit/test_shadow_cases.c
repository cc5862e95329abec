/* SPDX-License-Identifier: MIT */
/* Shadow tables, one situation after another. */
#include "build_fixture.h"
#include <criterion/criterion.h>

#define RAM_BASE  UINT64_C(0x100000) /* of the guest's tables, in its physical memory */
#define RAM_BYTES UINT64_C(0x400000)
#define HPA       UINT64_C(0x4000000000)
#define ROOTS     3
#define USES      64
#define READ      PW_ACCESS_READ
#define WRITE     PW_ACCESS_WRITE
#define FETCH     PW_ACCESS_FETCH

struct stage {
	struct ram ram;        /* the guest's */
	struct test_memory tm; /* the shadow's */
	struct pw_space guest;
	pw_pa guest_root, root;
	struct pw_shadow shadow;
	struct pw_shadow_root roots[ROOTS];
	struct pw_shadow_use uses[USES];
	struct pw_flush flush;
	struct pw_flush_range ranges[8];
	unsigned protected;
	pw_pa last_protected;
	uint64_t limit; /* find() knows gpa below this */
};

static struct stage s;

/* Guest-physical memory is one piece that begins at HPA. */
static bool find(void *ctx, pw_pa gpa, struct pw_shadow_block *block)
{
	(void)ctx;
	*block = (struct pw_shadow_block){0, HPA, s.limit, PW_R | PW_W | PW_X};
	return gpa < s.limit;
}

static void protect(void *ctx, pw_pa gpa, bool on)
{
	(void)ctx;
	s.protected += on ? 1 : -1u;
	s.last_protected = gpa;
}

static struct pw_shadow_config config_of(uint64_t largest)
{
	return (struct pw_shadow_config){
		.format = &pw_format_x86_64,
		.memory = &s.tm.memory,
		.largest_page = largest,
		.roots = s.roots,
		.root_max = ROOTS,
		.uses = s.uses,
		.use_max = USES,
		.find = find,
		.protect = protect,
	};
}

static void begin(uint64_t largest)
{
	struct pw_shadow_config config = config_of(largest);

	ram_begin(&s.ram, RAM_BASE, RAM_BYTES);
	s.guest_root = ram_new_table(&s.ram, 4096);
	s.limit = UINT64_C(1) << 40;
	test_memory_begin(&s.tm, FIXTURE_BASE, FIXTURE_BYTES, true);
	s.flush.ranges = s.ranges;
	s.flush.range_max = 8;
	cr_assert(
		pw_space_init(&s.guest, &pw_format_x86_64, s.guest_root, &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, true, &s.flush, &s.root) == PW_OK);
}

static void end(void)
{
	pw_shadow_end(&s.shadow, &s.flush);
	cr_assert(s.tm.tables_out == 0 && test_memory_is_sound(&s.tm));
	cr_assert(s.protected == 0, "%u pages stay protected", s.protected);
	test_memory_end(&s.tm);
	ram_end(&s.ram);
}

static pw_pa enter(pw_va va, unsigned level, uint64_t entry)
{
	return ram_enter(&s.ram, &pw_format_x86_64, s.guest_root, va, level, entry);
}

static struct pw_shadow_answer fault(pw_va va, pw_access access)
{
	struct pw_shadow_answer answer;

	cr_assert(pw_shadow_fault(&s.shadow, va, access, &s.flush, &answer) == PW_OK);
	return answer;
}

static void expect(
	pw_va va, pw_access access, enum pw_shadow_verdict verdict, enum pw_shadow_reason reason)
{
	struct pw_shadow_answer answer = fault(va, access);

	cr_assert(answer.verdict == verdict && answer.reason == reason, "%#llx: %s, reason %u",
		(unsigned long long)va, pw_shadow_verdict_name(answer.verdict), answer.reason);
}

static struct slow_result look(pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	const struct slow_memory memory = {
		.bytes = s.tm.bytes, .base = s.tm.base, .size = s.tm.size};
	struct slow_config config;
	struct slow_result result;

	cr_assert(slow_config_tables(&config, "x86-64", s.root));
	slow_walk(&config, &memory, va, &any, &result);
	return result;
}

static void expect_page(pw_va va, uint64_t size, pw_pa hpa, const char *rights)
{
	struct slow_result r = look(va);

	cr_assert(r.status == SLOW_MAPPED && r.page_size == size && r.pa == hpa,
		"%#llx: %s, size %#llx, %#llx", (unsigned long long)va, slow_status_name(r.status),
		(unsigned long long)r.page_size, (unsigned long long)r.pa);
	cr_assert(r.user.read == (rights[0] == 'r') && r.user.write == (rights[1] == 'w') &&
			  r.user.execute == (rights[2] == 'x'),
		"%#llx is not %s", (unsigned long long)va, rights);
}

Test(shadow_cases, a_clean_page_is_read_only_until_it_is_written)
{
	pw_pa at;

	begin(0);
	at = enter(0x5000, 0, 0x9000 | PTE_PWU);
	expect(0x5123, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(0x5123, 4096, HPA + 0x9123, "r-x");
	cr_assert(ram_load(&s.ram, at, 8) == (0x9000 | PTE_PWU | PTE_A));
	cr_assert(s.flush.range_count == 0 && !s.flush.everything, "from a hole: no flush");
	expect(0x5123, WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(0x5123, 4096, HPA + 0x9123, "rwx");
	cr_assert(ram_load(&s.ram, at, 8) == (0x9000 | PTE_PWU | PTE_A | PTE_D));
	cr_assert(s.flush.range_count == 1 || s.flush.everything);
	end();
}

Test(shadow_cases, pages_are_as_large_as_guest_and_map_and_cpu_allow)
{
	static const struct {
		uint64_t largest, limit, size;
	} rows[] = {
		{GIB, UINT64_C(1) << 40, GIB},
		{2 * MIB, UINT64_C(1) << 40, 2 * MIB},
		{4 * KIB, UINT64_C(1) << 40, 4 * KIB},
		/* The block ends inside the guest's 1 GiB, then inside the 2 MiB. */
		{GIB, GIB + 6 * MIB, 2 * MIB},
		{GIB, GIB + 4 * MIB + 8 * KIB, 4 * KIB},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(rows[i].largest);
		s.limit = rows[i].limit;
		enter(UINT64_C(0x4000000000), 2, GIB | PTE_PWU | PTE_PS | PTE_D);
		expect(UINT64_C(0x4000401234), READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
		expect_page(UINT64_C(0x4000401234), rows[i].size, HPA + GIB + 0x401234, "rwx");
		end();
	}
}

/* Writing to one 4 KiB of a clean 2 MiB page makes all of it dirty, as the CPU would have it. */
Test(shadow_cases, dirty_belongs_to_the_guests_page)
{
	pw_pa at;

	begin(4 * KIB);
	at = enter(0x400000, 1, 0x800000 | PTE_PWU | PTE_PS);
	expect(0x401000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(0x401000, 4096, HPA + 0x801000, "r-x");
	expect(0x402000, WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(ram_load(&s.ram, at, 8) == (0x800000 | PTE_PWU | PTE_PS | PTE_A | PTE_D));
	expect(0x403000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(0x403000, 4096, HPA + 0x803000, "rwx");
	/* The guest cleans it: all of it must fault again. */
	ram_store(&s.ram, at, 8, 0x800000 | PTE_PWU | PTE_PS | PTE_A);
	cr_assert(pw_shadow_written(&s.shadow, at, 8, &s.flush) == PW_OK);
	cr_assert(look(0x401000).status == SLOW_NOT_PRESENT);
	cr_assert(look(0x402000).status == SLOW_NOT_PRESENT);
	cr_assert(look(0x403000).status == SLOW_NOT_PRESENT);
	end();
}

/* A large writable page is taken back when a page in it becomes a table. */
Test(shadow_cases, a_page_that_becomes_a_table_is_writable_no_more)
{
	pw_pa at;

	begin(2 * MIB);
	enter(UINT64_C(0x8000000000), 1, PTE_PWU | PTE_PS); /* the guest's RAM, tables and all */
	expect(UINT64_C(0x8000000000) + RAM_BASE, WRITE, PW_SHADOW_EMULATE, PW_SHADOW_TABLE);
	expect(UINT64_C(0x8000000000), WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(UINT64_C(0x8000000000), 4096, HPA, "rwx");
	at = ram_new_table(&s.ram, 4096);
	expect(UINT64_C(0x8000000000) + at, WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(UINT64_C(0x8000000000) + at, 4096, HPA + at, "rwx");
	/* Link it and walk it. */
	ram_store(&s.ram, at, 8, 0x9000 | PTE_PWU);
	enter(0x400000, 1, at | PTE_PWU);
	s.flush.everything = false;
	s.flush.range_count = 0;
	expect(0x400000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(look(UINT64_C(0x8000000000) + at).status == SLOW_NOT_PRESENT);
	cr_assert(s.flush.everything || s.flush.range_count == 1);
	expect(UINT64_C(0x8000000000) + at, WRITE, PW_SHADOW_EMULATE, PW_SHADOW_TABLE);
	end();
}

/* The same where the page lies in the middle of a large one. */
Test(shadow_cases, a_large_page_that_holds_a_new_table_is_writable_no_more)
{
	const pw_va large = UINT64_C(0x8000200000);
	const pw_pa table = 0x300000;

	begin(2 * MIB);
	enter(large, 1, 0x200000 | PTE_PWU | PTE_PS);
	expect(large, WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(large, 2 * MIB, HPA + 0x200000, "rwx");
	ram_store(&s.ram, table, 8, 0x9000 | PTE_PWU);
	enter(0x400000, 1, table | PTE_PWU);
	expect(0x400000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(look(large + 0x100000).status == SLOW_NOT_PRESENT);
	expect(large + 0x100000, WRITE, PW_SHADOW_EMULATE, PW_SHADOW_TABLE);
	/* All around it can be written, and to read it is no harm. */
	expect(large + 0x101000, WRITE, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(large + 0x101000, 4096, HPA + 0x301000, "rwx");
	expect(large + 0x100000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(large + 0x100000, 4096, HPA + 0x300000, "r-x");
	end();
}

/* A table that the guest unlinks is a page like any other, with all the tables below it. */
Test(shadow_cases, unlinked_tables_are_let_go)
{
	pw_pa link;

	begin(0);
	enter(0x5000, 0, 0x9000 | PTE_PWU);
	link = enter(UINT64_C(0x40000000), 2, 0);
	enter(UINT64_C(0x40000000), 0, 0xa000 | PTE_PWU);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect(UINT64_C(0x40000000), READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(s.protected == 6);
	ram_store(&s.ram, link, 8, 0);
	cr_assert(pw_shadow_written(&s.shadow, link, 8, &s.flush) == PW_OK);
	cr_assert(s.protected == 4, "%u", s.protected);
	cr_assert(look(UINT64_C(0x40000000)).status == SLOW_NOT_PRESENT);
	cr_assert(look(0x5000).status == SLOW_MAPPED);
	end();
}

/* The root maps itself, writable: every table shows up as a page, none can be written. */
Test(shadow_cases, tables_that_map_themselves_stay_read_only)
{
	const pw_va top = UINT64_C(0xffffff7fbfdfe000); /* entry 510, at all levels */

	begin(GIB);
	ram_store(&s.ram, s.guest_root + 510 * 8, 8, s.guest_root | PTE_PWU);
	expect(top, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(top, 4096, HPA + s.guest_root, "r-x");
	expect(top + 510 * 8, WRITE, PW_SHADOW_EMULATE, PW_SHADOW_TABLE);
	/* It takes itself out. */
	ram_store(&s.ram, s.guest_root + 510 * 8, 8, 0);
	cr_assert(pw_shadow_written(&s.shadow, s.guest_root + 510 * 8, 8, &s.flush) == PW_OK);
	expect(top, READ, PW_SHADOW_INJECT, PW_SHADOW_NO_REASON);
	cr_assert(look(top).status == SLOW_NOT_PRESENT);
	end();
}

Test(shadow_cases, tables_outside_memory_are_lost)
{
	begin(0);
	enter(0x400000, 1,
		UINT64_C(0x7000000) | PTE_PWU); /* find() knows it, the memory does not */
	expect(0x400000, READ, PW_SHADOW_LOST, PW_SHADOW_NO_REASON);
	enter(0x5000, 0, 0x9000 | PTE_PWU);
	s.limit = RAM_BASE; /* now the tables are where nothing is */
	expect(0x5000, READ, PW_SHADOW_LOST, PW_SHADOW_NO_REASON);
	end();
}

Test(shadow_cases, devices_and_faults_are_told_apart)
{
	struct pw_shadow_answer answer;

	begin(0);
	enter(0x5000, 0, UINT64_C(0x10000000000) | PTE_PWU);
	answer = fault(0x5678, WRITE);
	cr_assert(answer.verdict == PW_SHADOW_EMULATE && answer.reason == PW_SHADOW_DEVICE);
	cr_assert(answer.gpa == UINT64_C(0x10000000678));
	answer = fault(0x6000, WRITE);
	cr_assert(answer.verdict == PW_SHADOW_INJECT && answer.guest.va == 0x6000 &&
		  answer.guest.error_code == (PW_PF_W | PW_PF_U));
	answer = fault(UINT64_C(1) << 60, READ);
	cr_assert(answer.verdict == PW_SHADOW_INJECT && (answer.guest.flags & PW_RESULT_GP));
	cr_assert(s.shadow.counts.injected == 2 && s.shadow.counts.emulated == 1);
	end();
}

/* What was filled under a CR3 is still there when that comes back, and nobody else's. */
Test(shadow_cases, roots_are_kept)
{
	pw_pa first, other, again;
	struct pw_space second;

	begin(0);
	first = s.root;
	enter(0x5000, 0, 0x9000 | PTE_PWU);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(pw_space_init(&second, &pw_format_x86_64, ram_new_table(&s.ram, 4096),
			  &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &second, true, &s.flush, &other) == PW_OK);
	cr_assert(other != first);
	expect(0x5000, READ, PW_SHADOW_INJECT, PW_SHADOW_NO_REASON);
	/* The same tables for the supervisor are another root. */
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, false, &s.flush, &again) == PW_OK);
	cr_assert(again != first && again != other);
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, true, &s.flush, &again) == PW_OK);
	cr_assert(again == first);
	expect_page(0x5000, 4096, HPA + 0x9000, "r-x");
	/* A fourth takes the place of `second`, which was loaded least recently. */
	cr_assert(pw_space_init(&second, &pw_format_x86_64, ram_new_table(&s.ram, 4096),
			  &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &second, true, &s.flush, &again) == PW_OK);
	cr_assert(s.shadow.counts.evicted == 1 && s.flush.everything);
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, true, &s.flush, &again) == PW_OK);
	cr_assert(again == first && look(0x5000).status == SLOW_MAPPED);
	end();
}

/* A page full of tables that the guest now uses for something else is let go. */
Test(shadow_cases, a_table_that_is_only_written_is_no_table_any_more)
{
	pw_pa at;
	unsigned protected;

	begin(0);
	at = enter(0x5000, 0, 0x9000 | PTE_PWU) & ~UINT64_C(4095);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	protected = s.protected;
	cr_assert(protected == 4);
	for (unsigned i = 0; i < 64 && s.protected == protected; i++)
		cr_assert(pw_shadow_written(&s.shadow, at + 8 * i, 8, &s.flush) == PW_OK);
	cr_assert(s.protected == protected - 1 && s.last_protected == at);
	cr_assert(look(0x5000).status == SLOW_NOT_PRESENT);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(s.protected == protected);
	end();
}

Test(shadow_cases, invalidate_forgets_what_was_not_reported)
{
	pw_pa at, user;

	begin(0);
	at = enter(0x5000, 0, 0x9000 | PTE_PWU);
	enter(0x6000, 0, 0xa000 | PTE_PWU);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect(0x6000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	ram_store(&s.ram, at, 8, 0xb000 | PTE_PWU);
	/* The supervisor invalidates: that holds for the user too. */
	user = s.root;
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, false, &s.flush, &s.root) == PW_OK);
	cr_assert(pw_shadow_invalidate(&s.shadow, 0x5fff, &s.flush) == PW_OK);
	cr_assert(s.flush.range_count == 1 && s.ranges[0].first == 0x5000 &&
		  s.ranges[0].last == 0x5fff);
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, true, &s.flush, &s.root) == PW_OK);
	cr_assert(s.root == user);
	cr_assert(look(0x5000).status == SLOW_NOT_PRESENT);
	cr_assert(look(0x6000).status == SLOW_MAPPED);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect_page(0x5000, 4096, HPA + 0xb000, "r-x");
	cr_assert(pw_shadow_invalidate(&s.shadow, UINT64_C(1) << 60, &s.flush) == PW_OK);
	end();
}

/* The caller's entry is in every root, for ever, and the guest stays out. */
Test(shadow_cases, an_entry_of_the_callers_own_is_left_alone)
{
	const pw_va own = UINT64_C(0xffffff0000000000); /* 510 */
	const pw_va after = own + (UINT64_C(1) << 39);
	struct pw_shadow_config config = config_of(0);
	pw_pa link;

	begin(0);
	pw_shadow_end(&s.shadow, &s.flush);
	config.own_entry = 0x12345000 | PTE_PW;
	config.own_index = 510;
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &s.guest, true, &s.flush, &s.root) == PW_OK);
	link = s.root + 510 * 8;
	cr_assert(test_memory_load(&s.tm, link, 8) == config.own_entry);
	enter(0x5000, 0, 0x9000 | PTE_PWU);
	enter(own, 0, 0x9000 | PTE_PWU);
	enter(own - 4096, 0, 0xa000 | PTE_PWU);
	enter(after, 0, 0xb000 | PTE_PWU);
	expect(own, READ, PW_SHADOW_EMULATE, PW_SHADOW_OWN);
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect(own - 4096, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	expect(after, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(pw_shadow_written(&s.shadow, s.guest_root, 4096, &s.flush) == PW_OK);
	cr_assert(look(0x5000).status == SLOW_NOT_PRESENT);
	cr_assert(look(own - 4096).status == SLOW_NOT_PRESENT);
	cr_assert(look(after).status == SLOW_NOT_PRESENT);
	cr_assert(pw_shadow_drop(&s.shadow, &s.flush) == PW_OK);
	cr_assert(test_memory_load(&s.tm, link, 8) == config.own_entry);
	end();
}

Test(shadow_cases, too_little_memory_is_said)
{
	struct pw_shadow_answer answer = {.verdict = 77};

	begin(0);
	enter(0x5000, 0, 0x9000 | PTE_PWU);
	s.tm.fail_at = s.tm.allocations;
	/* The first of three tables: the root is emptied, and on the second attempt all is well. */
	expect(0x5000, READ, PW_SHADOW_RETRY, PW_SHADOW_NO_REASON);
	cr_assert(s.shadow.counts.evicted == 1);
	cr_assert(pw_shadow_drop(&s.shadow, &s.flush) == PW_OK);
	s.tm.memory.allocate_table = NULL;
	cr_assert(pw_shadow_fault(&s.shadow, 0x5000, READ, &s.flush, &answer) == PW_E_NO_TABLES);
	cr_assert(answer.verdict == 77, "untouched on failure");
	end();
}

Test(shadow_cases, bad_arguments_are_refused)
{
	struct pw_shadow_answer answer;
	struct pw_shadow_config config;
	struct pw_space ept;
	pw_pa root = 77;

	begin(0);
	cr_assert(pw_shadow_fault(&s.shadow, 0, READ | WRITE, NULL, &answer) == PW_E_ARGUMENT);
	cr_assert(pw_shadow_fault(&s.shadow, 0, READ | PW_ACCESS_USER, NULL, &answer) ==
		  PW_E_ARGUMENT);
	cr_assert(pw_shadow_written(&s.shadow, ~UINT64_C(0), 2, NULL) == PW_E_RANGE);
	cr_assert(pw_shadow_written(&s.shadow, 0, 0, NULL) == PW_OK);
	cr_assert(pw_space_init(&ept, &pw_format_ept_4, 0, &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &ept, true, NULL, &root) == PW_E_UNSUPPORTED);
	cr_assert(pw_space_init(&ept, &pw_format_x86_pae, 0, &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &ept, true, NULL, &root) == PW_E_UNSUPPORTED);
	cr_assert(pw_space_init(&ept, &pw_format_x86_64_la57, 0, &s.ram.windows) == PW_OK);
	cr_assert(pw_shadow_load(&s.shadow, &ept, true, NULL, &root) == PW_E_UNSUPPORTED);
	cr_assert(root == 77);
	cr_assert(pw_shadow_fault(&s.shadow, 0, READ, NULL, &answer) == PW_E_STATE);
	cr_assert(pw_shadow_invalidate(&s.shadow, 0, NULL) == PW_E_STATE);
	end();
	config = config_of(8192);
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_E_ARGUMENT);
	config = config_of(0);
	config.use_max = PW_MAX_LEVELS - 1;
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_E_ARGUMENT);
	config = config_of(0);
	config.format = &pw_format_ept_4;
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_E_ARGUMENT);
	config = config_of(0);
	config.find = NULL;
	cr_assert(pw_shadow_begin(&s.shadow, &config) == PW_E_ARGUMENT);
}
