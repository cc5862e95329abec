/* SPDX-License-Identifier: MIT */
/* Private: how the quick two-stage walk puts its result together: in words, as quick.h does. */
#ifndef PW_PRIVATE_NESTED_PUT_H
#define PW_PRIVATE_NESTED_PUT_H

#include "formats/ept.h"
#include "nested.h"
#include "quick.h"

/* A page that one of the stages has found. */
struct nested_page {
	pw_pa pa;       /* of the byte asked for */
	pw_pa entry_pa; /* of its entry */
	uint64_t entry;
	uint64_t offset; /* its size, less one */
	uint64_t index;  /* of the rights of all entries, into the space's quick tables */
	unsigned level;
};

_Static_assert(offsetof(struct pw_nested_result, status) % 8 == 0 &&
		       offsetof(struct pw_nested_result, implicit) ==
			       offsetof(struct pw_nested_result, status) + 7 &&
		       offsetof(struct pw_nested_hit, status) % 8 == 0 &&
		       offsetof(struct pw_nested_hit, implicit) ==
			       offsetof(struct pw_nested_hit, status) + 7 &&
		       PW_OK == 0 && PW_DURING_FINAL == 0,
	"status, stage, during, level and the rights are a word");

/* status to implicit, the same fields of results and hits. `grant` as the quick tables have it. */
#define PW_PUT_HEAD(r, grant)                                                                      \
	((r)->status = PW_OK, (r)->stage = 0, (r)->during = PW_DURING_FINAL, (r)->level = -1,      \
		(r)->rights = (uint8_t)(grant), (r)->user = (uint8_t)((grant) >> 8),               \
		(r)->supervisor = (uint8_t)((grant) >> 16),                                        \
		(r)->implicit = (uint8_t)((grant) >> 24))
#if defined(__GNUC__)
#define PW_PUT_HEAD_AT_ONCE(r, grant)                                                              \
	(*(pw_pair *)(void *)&(r)->status = (grant) << 32 | UINT64_C(0xff) << 24)
#else
#define PW_PUT_HEAD_AT_ONCE PW_PUT_HEAD
#endif

PW_INLINE void pw_nested_put_head(struct pw_nested_result *r, uint64_t grant)
{
	if (PW_HOST_BIG)
		PW_PUT_HEAD(r, grant);
	else
		PW_PUT_HEAD_AT_ONCE(r, grant);
}

PW_INLINE void pw_nested_put_hit_head(struct pw_nested_hit *r, uint64_t grant)
{
	if (PW_HOST_BIG)
		PW_PUT_HEAD(r, grant);
	else
		PW_PUT_HEAD_AT_ONCE(r, grant);
}

PW_INLINE void pw_nested_put_page(
	struct pw_result *r, pw_va va, const struct nested_page *page, uint64_t key, uint64_t tail)
{
	r->va = va;
	r->pa = page->pa;
	r->page_size = page->offset + 1;
	r->entry = page->entry;
	r->entry_pa = page->entry_pa;
	pw_put_tail(r, page->level, key, tail);
}

/*
 * The same word of an EPT page, but for the rights, by bits 3 to 9 of its entry: the memory type
 * and IPAT, PS, A, D.
 */
#define PW_EPT_LOOK(i)                                                                             \
	((uint64_t)(PW_RESULT_ENTRY | ((i)&32 ? PW_RESULT_ACCESSED : 0) |                          \
		    ((i)&64 ? PW_RESULT_DIRTY : 0) | ((i)&15) << 8)                                \
		<< 32)
#define PW_EPT_LOOKS_4(i)                                                                          \
	PW_EPT_LOOK(i), PW_EPT_LOOK((i) + 1), PW_EPT_LOOK((i) + 2), PW_EPT_LOOK((i) + 3)
#define PW_EPT_LOOKS_16(i)                                                                         \
	PW_EPT_LOOKS_4(i), PW_EPT_LOOKS_4((i) + 4), PW_EPT_LOOKS_4((i) + 8),                       \
		PW_EPT_LOOKS_4((i) + 12)

static const uint64_t pw_ept_looks[128] = {PW_EPT_LOOKS_16(0), PW_EPT_LOOKS_16(16),
	PW_EPT_LOOKS_16(32), PW_EPT_LOOKS_16(48), PW_EPT_LOOKS_16(64), PW_EPT_LOOKS_16(80),
	PW_EPT_LOOKS_16(96), PW_EPT_LOOKS_16(112)};
_Static_assert(EPT_A == 32 << 3 && EPT_D == 64 << 3, "what bits 5 and 6 of the index are");

/* The second word of a stage-2 result's tail, but for the rights. NPT ignores G. */
PW_INLINE uint64_t pw_nested_look(bool ept, const struct nested_page *page)
{
	const uint64_t global = (uint64_t)PW_RESULT_GLOBAL << 32;

	if (ept)
		return pw_ept_looks[page->entry >> 3 & 127];
	return pw_look(page->level, page->entry) & ~global;
}

/* What both stages grant, and each of them. */
struct nested_grant {
	uint64_t one, two, both;
};

/* Stage 2 has no mode of its own here; U is stage 1's. */
PW_INLINE struct nested_grant pw_nested_grant(const struct pw_space *one,
	const struct pw_space *two, const struct nested_page *from, const struct nested_page *to)
{
	struct nested_grant grant = {
		.one = one->quick_grant[from->index], .two = two->quick_grant[to->index]};

	grant.both = grant.one & (grant.two | PW_U);
	return grant;
}

/* The answer: va leads to `one` by stage 1, and that to `two` by stage 2. */
PW_INLINE void pw_nested_put(bool ept, pw_va va, const struct nested_page *one,
	const struct nested_page *two, const struct nested_grant *grant, struct pw_nested_result *r)
{
	r->va = va;
	r->gpa = one->pa;
	r->pa = two->pa;
	r->page_size = (one->offset < two->offset ? one->offset : two->offset) + 1;
	pw_nested_put_head(r, grant->both);
	r->exit = PW_EXIT_NONE;
	r->address_known = false;
	r->code = r->code_known = r->address = 0;
	r->htinst = 0;
	pw_nested_put_page(&r->stage1, va, one, pw_quick_key(one->entry),
		grant->one | pw_look(one->level, one->entry));
	pw_nested_put_page(&r->stage2, one->pa, two, 0, grant->two | pw_nested_look(ept, two));
}

#endif
