/* SPDX-License-Identifier: MIT */
#include "stretch.h"

#include <inttypes.h>
#include <stdio.h>

#include "fields.h"

/* Steps over addresses without a page that one stretch may join; more go into the next one. */
#define JOINED_MAX 65536

struct stretch_walk stretch_begin(const struct target *target, pw_va first, uint64_t bytes)
{
	return (struct stretch_walk){.target = target, .next = first, .left = bytes};
}

/* Bytes from `va` to the end of the naturally aligned block of `size` bytes around it. */
static uint64_t to_block_end(pw_va va, uint64_t size)
{
	return size - (va & (size - 1));
}

/* Bytes from va on to the next address that the format takes. */
static uint64_t to_canonical(const struct pw_space *space, pw_va va)
{
	unsigned bits = space->format->va_bits;
	pw_va high = bits < 64 ? ~UINT64_C(0) << bits : 0; /* or, sign-extended, one bit more */
	struct pw_result result;

	for (unsigned i = 0; i < 2 && bits < 64; i++, high = high >> 1 | UINT64_C(1) << 63)
		if (high > va &&
			pw_translate(space, high, PW_ACCESS_ANY, &result) != PW_NON_CANONICAL)
			return high - va;
	return UINT64_MAX - va + 1; /* 0 only for va = 0, which every low half has */
}

/* What cannot be read, as far as one entry or one rule of one stage says. */
static uint64_t gap_bytes(const struct pw_space *space, const struct pw_result *result)
{
	const struct pw_level *level;

	if (result->level < 0)
		return to_canonical(space, result->va);
	level = &space->format->level[result->level];
	return to_block_end(result->va, UINT64_C(1) << level->shift);
}

/* The same of both stages: at most one page of stage 1, or what one of its entries would map. */
static uint64_t nested_gap_bytes(const struct target *target, const struct pw_nested_result *result)
{
	const struct pw_level *level = target->space.format->level;
	struct pw_result stage2 = result->stage2;
	uint64_t page, hole;

	if (result->stage == 1)
		return gap_bytes(&target->space, &result->stage1);
	if (result->level >= 0)
		return to_block_end(result->va, UINT64_C(1) << level[result->level].shift);
	stage2.va = result->gpa;
	page = to_block_end(result->va, result->stage1.page_size);
	hole = gap_bytes(target->stage2, &stage2);
	return hole != 0 && hole < page ? hole : page;
}

/* A page, from its data at `pa` on: they may begin or end inside it, if the source does. */
static void look_at_page(struct stretch *stretch, pw_pa pa, uint64_t page_size)
{
	const struct source *source = &stretch->target->source;
	uint64_t rest;

	stretch->bytes = to_block_end(stretch->first, page_size);
	stretch->data = source_bytes(source, pa, 1);
	if (stretch->data != NULL)
		rest = source->last - pa + 1;
	else
		rest = source->base - pa; /* wraps to a large number behind the source */
	if (rest != 0 && rest < stretch->bytes)
		stretch->bytes = rest;
}

static void look_through_two(struct stretch *stretch)
{
	const struct target *target = stretch->target;
	struct pw_nested_result *result = &stretch->nested;

	(void)!pw_nested_translate(
		&target->space, target->stage2, stretch->first, PW_ACCESS_ANY, result);
	if (result->status == PW_OK)
		look_at_page(stretch, result->pa, result->page_size);
	else
		stretch->bytes = nested_gap_bytes(target, result);
}

/* The stretch at `va`, not yet cut to what is asked for. */
static void look(const struct target *target, pw_va va, struct stretch *stretch)
{
	const struct pw_result *result = &stretch->translation.result;

	stretch->target = target;
	stretch->first = va;
	stretch->data = NULL;
	if (target->stage2 != NULL) {
		look_through_two(stretch);
		return;
	}
	translation_make(&stretch->translation, &target->space, va, PW_ACCESS_ANY);
	if (result->status == PW_OK)
		look_at_page(stretch, result->pa, result->page_size);
	else
		stretch->bytes = gap_bytes(&target->space, result);
}

static bool take(struct stretch_walk *walk, struct stretch *stretch)
{
	if (walk->left == 0)
		return false;
	look(walk->target, walk->next, stretch);
	if (stretch->bytes == 0 || stretch->bytes > walk->left)
		stretch->bytes = walk->left;
	walk->next += stretch->bytes;
	walk->left -= stretch->bytes;
	return true;
}

static bool is_same_reason(const struct stretch *a, const struct stretch *b)
{
	if (b->data != NULL)
		return false;
	if (a->target->stage2 != NULL)
		return a->nested.status == b->nested.status && a->nested.stage == b->nested.stage &&
		       a->nested.during == b->nested.during;
	return a->translation.result.status == b->translation.result.status;
}

bool stretch_next(struct stretch_walk *walk, struct stretch *stretch)
{
	struct stretch more;

	if (!take(walk, stretch))
		return false;
	for (unsigned i = 0; stretch->data == NULL && i < JOINED_MAX; i++) {
		struct stretch_walk before = *walk;

		if (!take(walk, &more))
			break;
		if (!is_same_reason(stretch, &more)) {
			*walk = before;
			break;
		}
		stretch->bytes += more.bytes;
	}
	return true;
}

/* The page's data are not in the source; where they would be. */
static bool is_without_data(const struct stretch *stretch, pw_pa *pa)
{
	const struct pw_result *result = &stretch->translation.result;
	bool nested = stretch->target->stage2 != NULL;

	*pa = nested ? stretch->nested.pa : result->pa;
	return (nested ? stretch->nested.status : result->status) == PW_OK;
}

static const char *reason_text(const struct stretch *stretch, char *text, size_t size)
{
	const struct translation *t = &stretch->translation;
	bool nested = stretch->target->stage2 != NULL;
	char reason[STRETCH_TEXT_BYTES - 80];

	if (nested)
		(void)pw_nested_explain(&stretch->nested, reason, sizeof reason);
	else
		(void)translation_reason(t, reason, sizeof reason);
	(void)snprintf(text, size, "%s: %s",
		pw_status_name(nested ? stretch->nested.status : t->result.status), reason);
	return text;
}

const char *stretch_text(const struct stretch *stretch, char *text, size_t size)
{
	pw_va last = stretch->first + (stretch->bytes - 1);
	char reason[STRETCH_TEXT_BYTES - 60];
	pw_pa pa;

	if (is_without_data(stretch, &pa))
		(void)snprintf(text, size,
			"0x%" PRIx64 " to 0x%" PRIx64 ": %s: the page's data at 0x%" PRIx64
			" are not in the source",
			stretch->first, last, pw_status_name(PW_NO_MEMORY), pa);
	else
		(void)snprintf(text, size, "0x%" PRIx64 " to 0x%" PRIx64 ": %s", stretch->first,
			last, reason_text(stretch, reason, sizeof reason));
	return text;
}

/* A page whose data are not in the source. */
static json_t *page_record(const struct stretch *stretch, pw_pa pa)
{
	bool nested = stretch->target->stage2 != NULL;
	int level = nested ? stretch->nested.stage1.level : stretch->translation.result.level;
	json_t *record = json_object();

	field_address(record, "va", stretch->first);
	field_string(record, "status", pw_status_name(PW_NO_MEMORY));
	field_number(record, "level", (uint64_t)level);
	field_address(record, "pa", pa);
	if (nested)
		field_address(record, "gpa", stretch->nested.gpa);
	return record;
}

json_t *stretch_record(const struct stretch *stretch)
{
	const struct target *target = stretch->target;
	json_t *record;
	pw_pa pa;

	if (is_without_data(stretch, &pa))
		record = page_record(stretch, pa);
	else if (target->stage2 != NULL)
		record = nested_record(&target->space, target->stage2, &stretch->nested);
	else
		record = translation_record(&stretch->translation);
	field_address(record, "last", stretch->first + (stretch->bytes - 1));
	return record;
}
