/* SPDX-License-Identifier: MIT */
/* What the walker and its slow twin must say alike about one address. */
#ifndef HARNESS_AGREE_H
#define HARNESS_AGREE_H

#include "slow_walk.h"
#include <pagewalk/nested.h>

/* The twin's word for a status of pw_translate(). */
enum slow_status agree_slow_status(unsigned status);

/* The walk ended at a page, whether or not the access was allowed. */
bool agree_has_page(const struct pw_result *result);

/* The first field in which the two differ, or NULL. */
const char *agree_difference(const struct pw_format *format, const struct pw_result *result,
	const struct slow_result *twin);

/* Two answers of the walker are the same in every field. What lies between fields is no matter. */
static inline bool agree_same_result(const struct pw_result *a, const struct pw_result *b)
{
	return a->va == b->va && a->pa == b->pa && a->page_size == b->page_size &&
	       a->entry == b->entry && a->entry_pa == b->entry_pa &&
	       a->error_code == b->error_code && a->status == b->status && a->level == b->level &&
	       a->rule == b->rule && a->key == b->key && a->rights == b->rights &&
	       a->user == b->user && a->supervisor == b->supervisor && a->implicit == b->implicit &&
	       a->flags == b->flags && a->memory_type == b->memory_type;
}

static inline bool agree_same_nested(
	const struct pw_nested_result *a, const struct pw_nested_result *b)
{
	return a->va == b->va && a->gpa == b->gpa && a->pa == b->pa &&
	       a->page_size == b->page_size && a->status == b->status && a->stage == b->stage &&
	       a->during == b->during && a->level == b->level && a->rights == b->rights &&
	       a->user == b->user && a->supervisor == b->supervisor && a->implicit == b->implicit &&
	       a->exit == b->exit && a->address_known == b->address_known && a->code == b->code &&
	       a->code_known == b->code_known && a->address == b->address &&
	       a->htinst == b->htinst && agree_same_result(&a->stage1, &b->stage1) &&
	       agree_same_result(&a->stage2, &b->stage2);
}

/* A hit of a batch says of its address what the walker says of it alone. */
static inline bool agree_same_hit(
	const struct pw_nested_hit *hit, const struct pw_nested_result *result)
{
	return hit->gpa == result->gpa && hit->pa == result->pa &&
	       hit->page_size == result->page_size && hit->status == result->status &&
	       hit->stage == result->stage && hit->during == result->during &&
	       hit->level == result->level && hit->rights == result->rights &&
	       hit->user == result->user && hit->supervisor == result->supervisor &&
	       hit->implicit == result->implicit;
}

#endif
