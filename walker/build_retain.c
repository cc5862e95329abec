/* SPDX-License-Identifier: MIT */
/* Tables kept for the pages that they can split. */
#include "build.h"
#include <pagewalk/resize.h>

static pw_va block_of(const struct pw_build *b, unsigned level, pw_va at)
{
	return at & ~PW_LOW(pw_row(b, level + 1)->shift);
}

/* The list's table for the page around `at`, or NULL. */
static struct pw_retained *find(const struct pw_build *b, unsigned level, pw_va at)
{
	struct pw_retention *list = b->flush ? b->flush->retention : NULL;

	for (size_t i = 0; list && i < list->count; i++) {
		if (list->tables[i].level == level && list->tables[i].va == block_of(b, level, at))
			return &list->tables[i];
	}
	return NULL;
}

bool pw_is_retained(const struct pw_build *b, pw_pa pa)
{
	const struct pw_retention *list = b->flush ? b->flush->retention : NULL;

	for (size_t i = 0; list && i < list->count; i++) {
		if (list->tables[i].pa == pa)
			return true;
	}
	return false;
}

bool pw_has_retained(const struct pw_build *b, unsigned level, pw_va at)
{
	return find(b, level, at) != NULL;
}

bool pw_use_retained(struct pw_build *b, unsigned level, pw_va at, pw_pa *pa)
{
	struct pw_retained *kept = find(b, level, at);

	if (!kept)
		return false;
	*pa = kept->pa;
	*kept = b->flush->retention->tables[--b->flush->retention->count];
	return true;
}

bool pw_keep_table(struct pw_build *b, unsigned level, pw_va at, pw_pa pa)
{
	struct pw_retention *list = b->flush ? b->flush->retention : NULL;

	if (!list || list->count == list->max || find(b, level, at))
		return false;
	list->tables[list->count++] =
		(struct pw_retained){block_of(b, level, at), pa, (uint8_t)level};
	return true;
}

/* Pages of this level or a higher one can lie across an end. */
static bool can_be_split(const struct pw_build *b, unsigned level)
{
	for (; level <= b->top; level++) {
		if (pw_row(b, level)->page.size_log2)
			return true;
	}
	return false;
}

static enum pw_status retain_end(struct pw_build *b, pw_va at)
{
	for (unsigned level = 0; level < b->top; level++) {
		pw_pa pa;

		if (!(at & PW_LOW(pw_row(b, level + 1)->shift)) || find(b, level, at) ||
			!can_be_split(b, level + 1))
			continue;
		if (b->flush->retention->count == b->flush->retention->max)
			return PW_E_BUDGET;
		if (!pw_new_table(b, level, &pa))
			return PW_E_NO_TABLES;
		(void)pw_keep_table(b, level, at, pa);
	}
	return PW_OK;
}

enum pw_status pw_retain(
	const struct pw_space *space, pw_va va, uint64_t size, struct pw_flush *flush)
{
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);
	size_t before;

	if (status != PW_OK)
		return status;
	if (!flush || !flush->retention)
		return PW_E_ARGUMENT;
	before = flush->retention->count;
	status = retain_end(&b, b.first);
	if (status == PW_OK && b.last != PW_LOW(b.format->va_bits))
		status = retain_end(&b, b.last + 1);
	while (status != PW_OK && flush->retention->count > before) {
		struct pw_retained *kept = &flush->retention->tables[--flush->retention->count];

		pw_return_table(&b, kept->level, kept->pa);
	}
	return status;
}

void pw_retention_end(const struct pw_space *space, struct pw_retention *retention)
{
	struct pw_build b;

	if (!space || !retention || !space->format->levels)
		return;
	b = (struct pw_build){.space = space,
		.format = space->format,
		.memory = space->memory,
		.top = space->format->levels - 1u};
	while (retention->count) {
		struct pw_retained *kept = &retention->tables[--retention->count];

		pw_return_table(&b, kept->level, kept->pa);
	}
}
