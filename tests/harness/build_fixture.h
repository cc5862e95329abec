/* SPDX-License-Identifier: MIT */
/* A space with an empty root in a memory of its own, a flush list, and the slow twin beside it. */
#ifndef HARNESS_BUILD_FIXTURE_H
#define HARNESS_BUILD_FIXTURE_H

#include "ram.h"
#include "slow_walk.h"
#include "test_memory.h"
#include <criterion/criterion.h>
#include <string.h>

#define FIXTURE_BASE   UINT64_C(0x200000)
#define FIXTURE_BYTES  (UINT64_C(1) << 20)
#define FIXTURE_RANGES 8
#define FIXTURE_FREED  64
#define KIB            UINT64_C(1024)
#define MIB            (KIB << 10)
#define GIB            (MIB << 10)

struct fixture {
	struct test_memory tm;
	const struct pw_format *format;
	struct pw_rules rules;
	struct pw_space space;
	struct pw_flush flush;
	struct pw_flush_range ranges[FIXTURE_RANGES];
	struct pw_freed_table freed[FIXTURE_FREED];
};

/* The twin knows of these rules: riscv_napot. */
static inline void fixture_begin_rules(struct fixture *f, const struct pw_format *format,
	bool windows, const struct pw_rules *rules)
{
	pw_pa root;

	memset(f, 0, sizeof *f);
	test_memory_begin(&f->tm, FIXTURE_BASE, FIXTURE_BYTES, windows);
	f->tm.big_endian = format->big_endian;
	f->format = format;
	cr_assert(pw_root_create(format, &f->tm.memory, &root) == PW_OK);
	f->rules = *rules;
	cr_assert(pw_space_init_rules(&f->space, format, root, &f->tm.memory, rules) == PW_OK);
	f->flush.ranges = f->ranges;
	f->flush.range_max = FIXTURE_RANGES;
	f->flush.freed = f->freed;
	f->flush.freed_max = FIXTURE_FREED;
}

static inline void fixture_begin(struct fixture *f, const struct pw_format *format, bool windows)
{
	const struct pw_rules rules = {.pa_bits = 0};

	fixture_begin_rules(f, format, windows, &rules);
}

/* Before anything is mapped: another root, whose holes have this value. */
static inline void fixture_set_empty(struct fixture *f, uint64_t empty)
{
	struct pw_memory *memory = &f->tm.memory;
	unsigned top = f->format->levels - 1u;
	pw_pa root;

	cr_assert(pw_root_create_with(f->format, memory, empty, &root) == PW_OK);
	memory->free_table(memory->ctx, f->space.root, pw_table_bytes(f->format, top));
	cr_assert(pw_space_init_rules(&f->space, f->format, root, memory, &f->rules) == PW_OK);
	cr_assert(pw_space_set_empty(&f->space, empty) == PW_OK);
}

/* Everything that was given out is given back, nothing else was touched. */
static inline void fixture_end(struct fixture *f)
{
	pw_va first = f->space.extension == PW_ONE_EXTENDED ? pw_format_extend(f->format, 0) : 0;
	uint64_t half = UINT64_C(1) << (f->format->va_bits - 1);

	cr_assert(pw_unmap(&f->space, first, half, &f->flush) == PW_OK);
	first = pw_format_extend(f->format, half);
	cr_assert(pw_unmap(&f->space, first, half, &f->flush) == PW_OK);
	pw_flush_done(&f->space, &f->flush);
	cr_assert(f->tm.tables_out == 1, "%s: %llu tables are left", f->format->name,
		(unsigned long long)f->tm.tables_out);
	cr_assert(test_memory_is_sound(&f->tm), "%s: written outside the tables", f->format->name);
	test_memory_end(&f->tm);
}

/* What the twin has to know of the space as it is now. */
static inline struct slow_config fixture_config(const struct fixture *f)
{
	struct slow_config config;

	cr_assert(slow_config_tables(&config, f->format->name, f->space.root));
	config.ept_ad = true;
	config.riscv_svnapot = f->rules.riscv_napot;
	return config;
}

/* What the twin finds at va. Many looks share a config: that is most of the work of one. */
static inline struct slow_result fixture_look_by(
	const struct fixture *f, const struct slow_config *config, pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_memory memory = {
		f->tm.bytes, f->tm.base, f->tm.size, f->format->big_endian, NULL};
	struct slow_result result;

	slow_walk(config, &memory, va, &any, &result);
	return result;
}

static inline struct slow_result fixture_look(const struct fixture *f, pw_va va)
{
	struct slow_config config = fixture_config(f);

	return fixture_look_by(f, &config, va);
}

static inline unsigned fixture_letters(struct slow_rights rights)
{
	return (rights.read ? PW_R : 0) | (rights.write ? PW_W : 0) | (rights.execute ? PW_X : 0);
}

/* The rights as a builder is asked for them: R W X, and U if it is the user who has them. */
static inline pw_rights fixture_rights(const struct slow_result *r)
{
	if (r->has_user_notion && fixture_letters(r->user))
		return fixture_letters(r->user) | PW_U;
	return fixture_letters(r->supervisor);
}

/* Rights that every page size of the format can say. */
static inline pw_rights fixture_most(const struct pw_format *format)
{
	for (pw_rights rights = PW_R | PW_W | PW_X; rights; rights--) {
		if (format->encode[rights] != PW_CANNOT)
			return rights;
	}
	return PW_R;
}

/* A page of this size and with these rights at va, mapped to pa. */
static inline void fixture_expect(
	const struct fixture *f, pw_va va, pw_pa pa, uint64_t size, pw_rights rights)
{
	struct slow_result r = fixture_look(f, va);

	cr_assert(r.status == SLOW_MAPPED && r.pa == pa && r.page_size == size &&
			  fixture_rights(&r) == (rights & PW_RIGHTS_MASK),
		"%s at %#llx: %s pa %#llx size %#llx rights %#x instead of pa %#llx size %#llx "
		"rights "
		"%#x; entry %#llx",
		f->format->name, (unsigned long long)va, slow_status_name(r.status),
		(unsigned long long)r.pa, (unsigned long long)r.page_size, fixture_rights(&r),
		(unsigned long long)pa, (unsigned long long)size, rights,
		(unsigned long long)r.entry);
}

static inline void fixture_expect_hole(const struct fixture *f, pw_va va)
{
	struct slow_result r = fixture_look(f, va);

	cr_assert(r.status == SLOW_NOT_PRESENT, "%s at %#llx: %s", f->format->name,
		(unsigned long long)va, slow_status_name(r.status));
}

/* The entry that decides about va, and the place to change it behind the library's back. */
static inline uint64_t fixture_entry(const struct fixture *f, pw_va va)
{
	return fixture_look(f, va).entry;
}

static inline void fixture_set_entry(struct fixture *f, pw_va va, uint64_t entry)
{
	test_memory_store(&f->tm, fixture_look(f, va).entry_pa, f->format->entry_bytes, entry);
}

/* The entry of `level` on the way to va, through the library's own iterator. */
static inline pw_pa fixture_place(const struct fixture *f, pw_va va, unsigned level)
{
	struct pw_iter it;

	cr_assert(pw_iter_begin(&it, &f->space, va, va) == PW_OK);
	while (pw_iter_next(&it) != PW_STEP_END) {
		if (it.level == level && it.step != PW_STEP_LEAVE)
			return it.entry_pa;
	}
	cr_assert(false, "no entry of level %u at %#llx", level, (unsigned long long)va);
	return 0;
}

#endif
