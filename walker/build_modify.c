/* SPDX-License-Identifier: MIT */
/*
 * Modifying: rights are set and cleared, the rest of a page is left alone. What that makes of a
 * page depends on the page; the operation itself is that of protecting.
 */
#include "build_protect.h"

static unsigned letters(const struct pw_format *format, unsigned attributes)
{
	return format->grant[attributes] >> 12;
}

/*
 * Of several ways to say the rights, the one that takes what is to be cleared from the supervisor
 * too, and of those the one that changes least.
 */
static unsigned next_of(const struct pw_format *format, const struct pw_amend *amend, unsigned now)
{
	unsigned before = letters(format, now), best = PW_CANNOT, least = PW_CANNOT;
	unsigned wanted = (before & ~amend->clear & PW_RIGHTS_MASK) | (amend->set & PW_RIGHTS_MASK);

	if (wanted == before)
		return now;
	if (format->encode[wanted] == PW_CANNOT)
		return PW_CANNOT;
	for (unsigned i = 0; i < 1u << format->attribute_count; i++) {
		unsigned supervisor = format->grant[i] >> 4 & 7;
		unsigned cost =
			pw_count_bits(supervisor & amend->clear) << 4 | pw_count_bits(now ^ i);

		if (letters(format, i) == wanted && cost < least) {
			least = cost;
			best = i;
		}
	}
	return best;
}

/* What the tables must let through, and whether all pages change alike. */
static void sum_up(struct pw_build *b, struct pw_amend *amend)
{
	unsigned count = 1u << b->format->attribute_count;

	for (unsigned i = 0; i < count; i++) {
		amend->next[i] = (uint8_t)next_of(b->format, amend, i);
		if (amend->next[i] == PW_CANNOT)
			continue;
		b->wish.ones |= amend->next[i] & ~i;
		b->wish.zeros |= ~amend->next[i] & i;
	}
	amend->alike = true;
	for (unsigned i = 0; i < count; i++)
		amend->alike &= amend->next[i] == PW_CANNOT ||
				amend->next[i] == ((i & ~b->wish.zeros) | b->wish.ones);
	b->wish.local = (amend->clear & PW_GLOBAL) != 0;
	b->has_wish = true;
}

struct pw_change pw_amend_change(
	const struct pw_build *b, const struct pw_page *shape, unsigned attributes)
{
	const struct pw_amend *amend = b->amend;
	struct pw_change change = {~amend->software_mask, amend->software};
	unsigned changed, next = amend->next[attributes];

	/* Alike: a bit that is as it is to be already is no matter. */
	changed = amend->alike ? b->wish.ones | b->wish.zeros : next ^ attributes;
	if (amend->alike)
		next = b->wish.ones;
	else if (next == PW_CANNOT)
		changed = 0;
	for (unsigned i = 0; i < b->format->attribute_count; i++) {
		uint64_t bit = changed >> i & 1 ? pw_right_bit(shape, i) : 0;

		change.keep &= ~bit;
		change.set |= next >> i & 1 ? bit : 0;
	}
	change.keep &= ~pw_type_bits(shape, amend->type_mask);
	change.set |= pw_type_bits(shape, amend->type);
	if ((amend->set | amend->clear) & PW_GLOBAL) {
		change.keep &= ~(shape->global | shape->global_clear);
		change.set |= amend->set & PW_GLOBAL ? shape->global : shape->global_clear;
	}
	/* A mark that lets the hardware give the right to write goes with that right (Arm DBM). */
	if (amend->clear & PW_W && !pw_dirty_flag(b->format, shape)) {
		change.keep &= ~shape->dirty;
		change.set |= shape->dirty ? shape->dirty_clear : 0;
	}
	return change;
}

/* The folds of the tables as they stand, not as they will be. */
static unsigned rights_before(const struct pw_trail *t, const struct pw_page *shape, uint64_t entry)
{
	const struct pw_build *b = t->b;
	uint64_t and_fold = ~(uint64_t)0, or_fold = 0;

	for (unsigned level = t->level; level < b->top; level++)
		pw_fold(pw_row(b, level + 1), t->entry[level], &and_fold, &or_fold);
	return letters(b->format, pw_attributes(b->format, shape, entry, and_fold, or_fold));
}

bool pw_amend_holds(
	const struct pw_trail *t, const struct pw_page *shape, uint64_t before, uint64_t after)
{
	const struct pw_build *b = t->b;
	const struct pw_amend *amend = b->amend;
	uint64_t or_fold = t->or_fold[t->level];
	unsigned own = pw_attributes(b->format, shape, before, ~(uint64_t)0, 0);
	unsigned wanted = (rights_before(t, shape, before) & ~amend->clear) | amend->set;
	unsigned attributes =
		pw_attributes(b->format, shape, after, t->and_fold[t->level], or_fold);

	if (amend->next[own] == PW_CANNOT ||
		(letters(b->format, attributes) ^ wanted) & PW_RIGHTS_MASK)
		return false;
	if ((pw_type_index(shape, after) & amend->type_mask) != amend->type)
		return false;
	if (amend->set & PW_GLOBAL)
		return shape->global || shape->global_clear;
	return !(amend->clear & PW_GLOBAL) || !(or_fold & b->format->global_table);
}

/* Some rights have what is set and lack what is cleared. */
static bool can_be(const struct pw_format *format, const struct pw_amend *amend)
{
	unsigned set = amend->set & PW_RIGHTS_MASK, clear = amend->clear & PW_RIGHTS_MASK;

	for (unsigned rights = 0; rights < 16; rights++) {
		if ((rights & set) == set && !(rights & clear) &&
			format->encode[rights] != PW_CANNOT)
			return true;
	}
	return !set && !clear;
}

static bool read_type(const struct pw_format *format, struct pw_amend *amend)
{
	unsigned type = pw_type_of(format, amend->set & ~PW_IPAT), ignore_pat = format->ignore_pat;
	unsigned mask = 0;

	if (type == PW_CANNOT || (amend->set & PW_IPAT && !ignore_pat))
		return false;
	if (amend->set & PW_MEM_MASK)
		mask = (amend->set & PW_MEM_MASK) == PW_MEM_INDEX(0)
			       ? PW_LOW(PW_TYPE_BITS)
			       : PW_LOW(PW_TYPE_BITS) & ~ignore_pat;
	mask |= (amend->set | amend->clear) & PW_IPAT ? ignore_pat : 0;
	type |= amend->set & PW_IPAT ? ignore_pat : 0;
	amend->type_mask = (uint8_t)mask;
	amend->type = (uint8_t)(type & mask);
	return true;
}

/* PW_E_ARGUMENT, PW_E_RIGHTS. */
static enum pw_status read(
	const struct pw_format *format, pw_rights set, pw_rights clear, struct pw_amend *amend)
{
	const pw_rights all = PW_SOFTWARE_MASK;
	uint64_t cleared;

	if (!pw_are_rights(set) || !pw_are_rights(clear) || clear & PW_MEM_MASK)
		return PW_E_ARGUMENT;
	/* What is cleared and set is set. */
	*amend = (struct pw_amend){.set = set, .clear = clear & ~(set & ~all)};
	if (!pw_software_of(format, set & all, &amend->software))
		return PW_E_RIGHTS;
	/* Bits that are not there are clear already. */
	(void)pw_software_of(format, clear & all, &cleared);
	amend->software_mask = amend->software | cleared;
	return can_be(format, amend) && read_type(format, amend) ? PW_OK : PW_E_RIGHTS;
}

enum pw_status pw_modify(const struct pw_space *space, pw_va va, uint64_t size, pw_rights set,
	pw_rights clear, struct pw_flush *flush)
{
	struct pw_amend amend;
	struct pw_build b;
	enum pw_status status = pw_build_begin(&b, space, va, size, flush);

	if (status == PW_OK)
		status = read(b.format, set, clear, &amend);
	if (status != PW_OK)
		return status;
	sum_up(&b, &amend);
	b.amend = &amend;
	b.unseen = !((set | clear) & ~PW_SOFTWARE_MASK);
	status = pw_plan_cuts(&b);
	return status == PW_OK ? pw_protect_run(&b) : status;
}
