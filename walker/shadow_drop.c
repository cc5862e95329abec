/* SPDX-License-Identifier: MIT */
/* Taking out of the shadow tables what no longer holds. */
#include "shadow.h"
#include <pagewalk/walk.h>

/* The whole shadow page that va lies in; false if there is none. */
static bool page_around(const struct pw_space *space, pw_va va, pw_va *first, pw_va *last)
{
	unsigned level;
	uint64_t entry;

	if (pw_read_pte(space, va, &entry, &level) != PW_OK ||
		!pw_entry_is_page(space->format, level, entry))
		return false;
	*first = va & ~PW_LOW(space->format->level[level].shift);
	*last = va | PW_LOW(space->format->level[level].shift);
	return true;
}

/*
 * Pages at the ends of [first, last] go as a whole, so that none has to be split, which could want
 * for tables.
 */
static enum pw_status drop_piece(
	const struct pw_space *space, pw_va first, pw_va last, struct pw_flush *flush)
{
	pw_va low, high;

	if (page_around(space, first, &low, &high))
		first = low;
	if (page_around(space, last, &low, &high))
		last = high;
	return pw_unmap(space, first, last - first + 1, flush);
}

/* [first, last] on one side of the canonical hole, around the caller's own entry. */
static enum pw_status drop_half(const struct pw_shadow *shadow, const struct pw_space *space,
	pw_va first, pw_va last, struct pw_flush *flush)
{
	enum pw_status status = PW_OK;
	pw_va own, own_last;

	if (!pw_shadow_own_range(shadow, &own, &own_last) || own > last || own_last < first)
		return drop_piece(space, first, last, flush);
	if (first < own)
		status = drop_piece(space, first, own - 1, flush);
	if (status == PW_OK && last > own_last)
		status = drop_piece(space, own_last + 1, last, flush);
	return status;
}

enum pw_status pw_shadow_drop_range(const struct pw_shadow *shadow,
	const struct pw_shadow_root *root, pw_va first, pw_va last, struct pw_flush *flush)
{
	const struct pw_space *guest = &root->guest;
	unsigned extension = guest->extension, bits = guest->format->va_bits;
	pw_va half = PW_BIT(bits - 1);
	enum pw_status status = PW_OK;

	if (!root->filled)
		return PW_OK;
	if (first < half && last >= half) {
		status = drop_half(shadow, &root->shadow, pw_extend(extension, bits, first),
			pw_extend(extension, bits, half - 1), flush);
		first = half;
	}
	if (status != PW_OK)
		return status;
	return drop_half(shadow, &root->shadow, pw_extend(extension, bits, first),
		pw_extend(extension, bits, last), flush);
}

enum pw_status pw_shadow_empty(
	struct pw_shadow *shadow, struct pw_shadow_root *root, struct pw_flush *flush)
{
	const struct pw_format *format = root->guest.format;
	uint32_t number = (uint32_t)(root - shadow->config.roots);
	enum pw_status status;

	status = pw_shadow_drop_range(shadow, root, 0, PW_LOW(format->va_bits), flush);
	if (!root->filled || status != PW_OK)
		return status;
	for (size_t i = 0; i < shadow->config.use_max; i++) {
		if (shadow->config.uses[i].root == number)
			shadow->config.uses[i].stale = true;
	}
	pw_uses_sweep(shadow);
	root->filled = false;
	return PW_OK;
}

static enum pw_status retract_in(const struct pw_shadow *shadow, const struct pw_space *space,
	pw_pa hpa, struct pw_flush *flush)
{
	enum pw_status status = PW_OK;
	pw_va own = 0, own_last = 0;
	bool owns = pw_shadow_own_range(shadow, &own, &own_last);
	struct pw_iter it;
	enum pw_step step;

	status = pw_iter_begin(&it, space, 0, ~(pw_va)0);
	if (status != PW_OK)
		return status;
	while ((step = pw_iter_next(&it)) != PW_STEP_END) {
		pw_va last = it.last;

		if (step == PW_STEP_TABLE && owns && it.first == own && last == own_last)
			pw_iter_skip(&it);
		if (step != PW_STEP_PAGE || hpa - it.pa >= it.page_size || !(it.grant & PW_W))
			continue;
		status = pw_unmap(space, it.first, it.page_size, flush);
		if (status != PW_OK || last == ~(pw_va)0)
			return status;
		/* The table that the iterator stands in may be gone. */
		status = pw_iter_begin(&it, space, last + 1, ~(pw_va)0);
		if (status != PW_OK)
			return status;
	}
	return PW_OK;
}

enum pw_status pw_shadow_retract(struct pw_shadow *shadow, pw_pa hpa, struct pw_flush *flush)
{
	enum pw_status status = PW_OK;

	for (size_t i = 0; status == PW_OK && i < shadow->config.root_max; i++) {
		const struct pw_shadow_root *root = &shadow->config.roots[i];

		if (root->in_use && root->filled) {
			shadow->counts.dropped++;
			status = retract_in(shadow, &root->shadow, hpa, flush);
		}
	}
	return status;
}

/* What was reached through this range of entries is reached so no more. */
static bool forget_below(
	struct pw_shadow *shadow, const struct pw_shadow_use *use, pw_va first, pw_va last)
{
	struct pw_shadow_use *uses = shadow->config.uses;
	bool any = false;

	for (size_t i = 0; use->level > 0 && i < shadow->config.use_max; i++) {
		if (uses[i].root == use->root && uses[i].level < use->level &&
			uses[i].first >= first && uses[i].first <= last) {
			uses[i].stale = true;
			any = true;
		}
	}
	return any;
}

/* The table's bytes [from, to] of its page were written. */
static enum pw_status table_written(struct pw_shadow *shadow, struct pw_shadow_use *use,
	unsigned from, unsigned to, struct pw_flush *flush, bool *stale)
{
	const struct pw_shadow_root *root = &shadow->config.roots[use->root];
	const struct pw_format *format = root->guest.format;
	const struct pw_level *row = &format->level[use->level];
	uint64_t low = from / format->entry_bytes, high = to / format->entry_bytes;
	pw_va first, last;

	if (++use->writes > PW_SHADOW_FLOOD) {
		low = 0;
		high = PW_LOW(row->index_bits);
		use->stale = *stale = true;
	}
	first = use->first + (low << row->shift);
	last = use->first + (high << row->shift) + PW_LOW(row->shift);
	*stale |= forget_below(shadow, use, first, last);
	shadow->counts.dropped++;
	return pw_shadow_drop_range(shadow, root, first, last, flush);
}

enum pw_status pw_shadow_written(
	struct pw_shadow *shadow, pw_pa gpa, uint64_t bytes, struct pw_flush *flush)
{
	const struct pw_shadow_config *config = &shadow->config;
	pw_pa last = gpa + (bytes - 1);
	enum pw_status status = PW_OK;
	bool stale = false;

	if (!bytes)
		return PW_OK;
	if (last < gpa)
		return PW_E_RANGE;
	for (pw_pa page = pw_page_of(gpa);; page += PW_SHADOW_PAGE) {
		pw_pa end = page + (PW_SHADOW_PAGE - 1);
		struct pw_shadow_use *use = NULL;
		struct pw_shadow_block block;

		if (config->find(config->ctx, page, &block))
			use = pw_use_first(shadow, pw_page_of(block.hpa + (page - block.gpa)));
		for (; use && status == PW_OK; use = pw_use_next(shadow, use))
			status = table_written(shadow, use, (unsigned)(gpa > page ? gpa - page : 0),
				(unsigned)((last < end ? last : end) - page), flush, &stale);
		if (status != PW_OK || last <= end)
			break;
	}
	if (stale)
		pw_uses_sweep(shadow);
	return status;
}

/* What the guest's tables hold at va now: the range of the entry that decides. */
static void guest_range(const struct pw_space *guest, pw_va *first, pw_va *last)
{
	struct pw_result r;
	uint64_t low = PW_SHADOW_PAGE - 1;

	if (pw_translate(guest, *first, PW_ACCESS_ANY, &r) == PW_OK)
		low = r.page_size - 1;
	else if (r.level >= 0)
		low = PW_LOW(guest->format->level[r.level].shift);
	*first &= ~low;
	*last = *first | low;
}

enum pw_status pw_shadow_invalidate(struct pw_shadow *shadow, pw_va va, struct pw_flush *flush)
{
	const struct pw_space *guest;
	enum pw_status status = PW_OK;
	pw_va first, last;

	if (shadow->current == PW_SHADOW_NONE)
		return PW_E_STATE;
	guest = &shadow->config.roots[shadow->current].guest;
	if (!pw_takes(guest->extension, guest->format->va_bits, va))
		return PW_OK;
	first = va;
	guest_range(guest, &first, &last);
	shadow->counts.dropped++;
	for (size_t i = 0; status == PW_OK && i < shadow->config.root_max; i++) {
		struct pw_shadow_root *root = &shadow->config.roots[i];

		if (root->in_use && root->guest.format == guest->format &&
			root->guest.root == guest->root)
			status = pw_shadow_drop_range(shadow, root,
				first & PW_LOW(guest->format->va_bits),
				last & PW_LOW(guest->format->va_bits), flush);
	}
	return status;
}

enum pw_status pw_shadow_drop(struct pw_shadow *shadow, struct pw_flush *flush)
{
	enum pw_status status = PW_OK;

	for (size_t i = 0; status == PW_OK && i < shadow->config.root_max; i++) {
		if (shadow->config.roots[i].in_use)
			status = pw_shadow_empty(shadow, &shadow->config.roots[i], flush);
	}
	return status;
}
