/* SPDX-License-Identifier: MIT */
/* Every kind of group that pages can form, and pages to form them of. */
#ifndef UNIT_JOIN_KINDS_H
#define UNIT_JOIN_KINDS_H

#include "build_fixture.h"

#define JOIN_HINT  (UINT64_C(1) << 52)
#define JOIN_KINDS (sizeof join_kinds / sizeof *join_kinds)

struct join_kind {
	const struct pw_format *format;
	unsigned level;
	uint64_t group; /* bytes */
	bool span;      /* a page of several entries, not a hint */
};

static const struct join_kind join_kinds[] = {
	{&pw_format_riscv_sv39, 0, 64 * KIB, true},
	{&pw_format_riscv_sv48, 0, 64 * KIB, true},
	{&pw_format_riscv_sv57, 0, 64 * KIB, true},
	{&pw_format_riscv_sv39x4, 0, 64 * KIB, true},
	{&pw_format_armv7_short, 0, 64 * KIB, true},
	{&pw_format_armv7_short, 1, 16 * MIB, true}, /* in the root */
	{&pw_format_armv7_lpae, 0, 64 * KIB, false},
	{&pw_format_armv7_lpae, 1, 32 * MIB, false},
	{&pw_format_arm64_4k, 0, 64 * KIB, false},
	{&pw_format_arm64_4k, 1, 32 * MIB, false},
	{&pw_format_arm64_4k, 2, 16 * GIB, false},
	{&pw_format_arm64_4k_39, 2, 16 * GIB, false}, /* in the root */
	{&pw_format_arm64_16k, 0, 2 * MIB, false},
	{&pw_format_arm64_16k, 1, GIB, false},
	{&pw_format_arm64_64k, 0, 2 * MIB, false},
	{&pw_format_arm64_64k, 1, 16 * GIB, false},
	{&pw_format_arm64_s2_4k, 0, 64 * KIB, false},
	{&pw_format_arm64_s2_4k, 1, 32 * MIB, false},
	{&pw_format_arm64_s2_4k, 2, 16 * GIB, false},
	{&pw_format_arm64_s2_16k, 1, GIB, false},
	{&pw_format_arm64_s2_64k, 0, 2 * MIB, false},
};

static inline uint64_t join_page(const struct join_kind *k)
{
	return pw_level_page_size(&k->format->level[k->level]);
}

static inline pw_rights join_rights(const struct join_kind *k)
{
	pw_rights rights = PW_R | PW_W;

	return k->format->encode[rights] == PW_CANNOT ? rights | PW_X : rights;
}

static inline void join_begin(struct fixture *f, const struct join_kind *k, bool windows)
{
	static const struct pw_rules napot = {.riscv_napot = true};

	fixture_begin_rules(f, k->format, windows, &napot);
}

/* Pages of that level from va on, mapped to pa, and no groups. */
static inline void join_map(
	struct fixture *f, const struct join_kind *k, pw_va va, pw_pa pa, uint64_t size)
{
	cr_assert(pw_map(&f->space, va, pa, size, join_rights(k), NULL) == PW_OK);
}

/* The page at va is one of a group, or is not. */
static inline void join_expect(
	const struct fixture *f, const struct join_kind *k, pw_va va, pw_pa pa, bool grouped)
{
	fixture_expect(f, va, pa, grouped && k->span ? k->group : join_page(k), join_rights(k));
	if (!k->span)
		cr_assert(!!(fixture_entry(f, va) & JOIN_HINT) == grouped, "%s: %#llx",
			k->format->name, (unsigned long long)va);
}

/* pw_collapse() with groups, up to the level of this kind: how many it has made. */
static inline uint64_t join_collapse(
	struct fixture *f, const struct join_kind *k, pw_va va, uint64_t size)
{
	uint64_t made = UINT64_MAX;
	enum pw_status status =
		pw_collapse(&f->space, va, size, k->level | PW_CONTIGUOUS, &made, &f->flush);

	cr_assert(status == PW_OK, "%s: %s", k->format->name, pw_status_name(status));
	return made;
}

#endif
