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
	uint64_t offset;            /* its size, less one */
	uint64_t and_fold, or_fold; /* with the page's entry */
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

/* The second word of a stage-2 result's tail, but for the rights. NPT ignores G. */
PW_INLINE uint64_t pw_nested_look(const struct pw_space *s, const struct nested_page *page)
{
	const uint64_t global = (uint64_t)PW_RESULT_GLOBAL << 32;

	if (s->engine == PW_ENGINE_NPT_4)
		return pw_look(page->level, page->entry) & ~global;
	/* A and D are bits 8 and 9, the flags 0 and 1. */
	return (uint64_t)(PW_RESULT_ENTRY | (page->entry >> 8 & 3)) << 32 | (page->entry >> 3 & 15)
										    << 40;
}
_Static_assert(PW_RESULT_ACCESSED == EPT_A >> 8 && PW_RESULT_DIRTY == EPT_D >> 8, "one shift");

PW_INLINE uint64_t pw_nested_quick_grant(const struct pw_space *s, const struct nested_page *page)
{
	return s->quick_grant[pw_quick_index(page->and_fold, page->or_fold)];
}

/* The rights of both. Stage 2 has no mode of its own here; U is stage 1's. */
PW_INLINE uint64_t pw_nested_grant(const struct pw_space *one, const struct pw_space *two,
	const struct nested_page *from, const struct nested_page *to)
{
	return pw_nested_quick_grant(one, from) & (pw_nested_quick_grant(two, to) | PW_U);
}

/* The answer: va leads to `one` by stage 1, and that to `two` by stage 2. */
PW_INLINE void pw_nested_put(const struct pw_space *stage1, const struct pw_space *stage2, pw_va va,
	const struct nested_page *one, const struct nested_page *two, struct pw_nested_result *r)
{
	uint64_t grant1 = pw_nested_quick_grant(stage1, one);
	uint64_t grant2 = pw_nested_quick_grant(stage2, two);
	uint64_t key = pw_quick_key(one->entry);

	r->va = va;
	r->gpa = one->pa;
	r->pa = two->pa;
	r->page_size = (one->offset < two->offset ? one->offset : two->offset) + 1;
	pw_nested_put_head(r, pw_nested_grant(stage1, stage2, one, two));
	r->exit = PW_EXIT_NONE;
	r->address_known = false;
	r->code = r->code_known = r->address = 0;
	r->htinst = 0;
	pw_nested_put_page(&r->stage1, va, one, key, grant1 | pw_look(one->level, one->entry));
	pw_nested_put_page(&r->stage2, one->pa, two, 0, grant2 | pw_nested_look(stage2, two));
}

#endif
