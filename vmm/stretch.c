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

/* What cannot be read, as far as one entry or one rule says. */
static uint64_t gap_bytes(const struct pw_space *space, const struct pw_result *result)
{
	const struct pw_level *level;

	if (result->level < 0)
		return to_canonical(space, result->va);
	level = &space->format->level[result->level];
	return to_block_end(result->va, UINT64_C(1) << level->shift);
}

/* A page: its data may begin or end inside it, if the source does. */
static uint64_t page_bytes(
	const struct source *source, const struct pw_result *result, bool *is_there)
{
	uint64_t bytes = to_block_end(result->va, result->page_size);
	uint64_t rest;

	*is_there = source_bytes(source, result->pa, 1) != NULL;
	if (*is_there)
		rest = source->last - result->pa + 1;
	else
		rest = source->base - result->pa; /* wraps to a large number behind the source */
	return rest != 0 && rest < bytes ? rest : bytes;
}

/* The stretch at `va`, not yet cut to what is asked for. */
static void look(const struct target *target, pw_va va, struct stretch *stretch)
{
	const struct pw_result *result = &stretch->translation.result;
	bool is_there;

	translation_make(&stretch->translation, &target->space, va, PW_ACCESS_ANY);
	stretch->first = va;
	stretch->data = NULL;
	if (result->status != PW_OK) {
		stretch->bytes = gap_bytes(&target->space, result);
		return;
	}
	stretch->bytes = page_bytes(&target->source, result, &is_there);
	if (is_there)
		stretch->data = source_bytes(&target->source, result->pa, 1);
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
	return b->data == NULL && a->translation.result.status == b->translation.result.status;
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

const char *stretch_text(const struct stretch *stretch, char *text, size_t size)
{
	const struct pw_result *result = &stretch->translation.result;
	pw_va last = stretch->first + (stretch->bytes - 1);
	char reason[TRANSLATION_TEXT_BYTES * 3 / 4];

	if (result->status == PW_OK)
		(void)snprintf(text, size,
			"0x%" PRIx64 " to 0x%" PRIx64 ": %s: the page's data at 0x%" PRIx64
			" are not in the source",
			stretch->first, last, pw_status_name(PW_NO_MEMORY), result->pa);
	else
		(void)snprintf(text, size, "0x%" PRIx64 " to 0x%" PRIx64 ": %s: %s", stretch->first,
			last, pw_status_name(result->status),
			translation_reason(&stretch->translation, reason, sizeof reason));
	return text;
}

json_t *stretch_record(const struct stretch *stretch)
{
	const struct pw_result *result = &stretch->translation.result;
	json_t *record;

	if (result->status == PW_OK) {
		record = json_object();
		field_address(record, "va", stretch->first);
		field_string(record, "status", pw_status_name(PW_NO_MEMORY));
		field_number(record, "level", (uint64_t)result->level);
		field_address(record, "pa", result->pa);
	} else {
		record = translation_record(&stretch->translation);
	}
	field_address(record, "last", stretch->first + (stretch->bytes - 1));
	return record;
}
