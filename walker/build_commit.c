/* SPDX-License-Identifier: MIT */
/* The one place where linked tables change; it feeds the flush list, the counters and the journal.
 */
#include "build_journal.h"

static pw_va run_last(const struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);

	return pw_block_last(row, run->at) + ((run->count - 1) << row->shift);
}

/*
 * Must a hole that became something be flushed? Not on x86 (SDM vol. 3A, "Caching Translation
 * Information": no entry for what is not present), EPT or Arm. RISC-V may cache invalid entries.
 */
static bool holes_are_cached(const struct pw_build *b, const struct pw_run *run)
{
	switch (b->format->family) {
	case PW_FAMILY_X86:
		return pw_is_in_registers(b, run->level);
	case PW_FAMILY_EPT:
	case PW_FAMILY_NPT:
	case PW_FAMILY_ARM:
		return false;
	default:
		return true;
	}
}

/* Into holes, which may hold what is no matter to the hardware. */
static bool store_recorded(struct pw_build *b, const struct pw_run *run)
{
	uint64_t entry = run->value, old;
	bool refused = false;

	for (uint64_t i = 0; i < run->count; i++, entry += run->stride)
		refused |= !pw_peek_at(b, run->table, run->index + i, &old) ||
			   !pw_poke_recorded(b, run, run->index + i, old, entry);
	return !refused;
}

static bool store_run(struct pw_build *b, const struct pw_run *run)
{
	uint64_t entry = run->value;
	bool refused = false;

	/* What the entries lead to is complete before they can be seen. */
	if (run->linked)
		__atomic_thread_fence(__ATOMIC_RELEASE);
	if (run->linked && b->journal) {
		refused = !store_recorded(b, run);
	} else if (run->table->host && !(run->linked && b->live)) {
		pw_fill_run(b, run);
	} else {
		for (uint64_t i = 0; i < run->count; i++, entry += run->stride)
			refused |= !pw_poke(b, run->table, run->index + i, entry);
	}
	if (b->journal && !run->linked)
		pw_journal_fill(b, run);
	if (run->value != b->empty)
		b->written += run->count;
	if (run->linked && holes_are_cached(b, run))
		pw_record(b, run->at, run_last(b, run), run->level, run->tables ? 0 : run->level,
			run->tables);
	b->refused |= refused;
	return !refused;
}

static uint64_t changed(const struct pw_build *b, const struct pw_run *run, uint64_t entry)
{
	const struct pw_page *span = &pw_row(b, run->level)->span;
	const struct pw_change *change =
		span->size_log2 && (entry & span->mask) == span->value ? &run->span : &run->change;

	return (entry & change->keep) | change->set;
}

/* One entry; on a live table the hardware may set Accessed and Dirty in between. */
static bool change_entry(struct pw_build *b, const struct pw_run *run, uint64_t index)
{
	uint64_t entry, seen;

	if (!pw_peek_at(b, run->table, index, &entry))
		return false;
	for (;;) {
		if (!pw_is_present(pw_row(b, run->level), entry) || changed(b, run, entry) == entry)
			return false;
		seen = entry;
		if (pw_swap(b, run, index, &entry, changed(b, run, entry)))
			return true;
		if (entry == seen) {
			b->refused = true;
			return false;
		}
	}
}

/* The change may be one that takes a hole first, for pages of this shape. */
static bool may_break(const struct pw_page *shape, const struct pw_change *change)
{
	return ~change->keep & (pw_type_bits(shape, ~0u) | (shape->global_clear & ~change->set));
}

/* What made entries of a run present: bits 0 and 1, all that Arm has for it. */
struct broken {
	uint64_t bit[2][PW_GROUP_MAX / 64];
};

/*
 * A page that the change may not reach directly becomes a hole. Until it is made again it keeps the
 * rest of what it says in its own place, where the hardware does not look at it.
 */
static void break_page(struct pw_build *b, const struct pw_run *run, uint64_t i, struct broken *out)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t present = row->present_all | row->present_any, entry, seen;

	if (!pw_peek_at(b, run->table, run->index + i, &entry))
		return;
	while (pw_is_present(row, entry)) {
		const struct pw_page *shape = pw_shape(row, entry);

		if (!pw_must_break(shape, pw_type_bits(shape, ~0u), entry, changed(b, run, entry)))
			return;
		seen = entry;
		if (pw_swap(b, run, run->index + i, &entry, entry & ~present)) {
			out->bit[0][i >> 6] |= (seen & present & 1) << (i & 63);
			out->bit[1][i >> 6] |= (seen & present) >> 1 << (i & 63);
			return;
		}
		if (entry == seen) {
			b->refused = true;
			return;
		}
	}
}

/* At most PW_GROUP_MAX entries, and all of a group: out, flushed, and back as they are to be. */
static void break_and_make(struct pw_build *b, const struct pw_run *run)
{
	struct broken out = {{{0}}};
	uint64_t any = 0, entry;

	for (uint64_t i = 0; i < run->count; i++)
		break_page(b, run, i, &out);
	for (unsigned i = 0; i < PW_GROUP_MAX / 64; i++)
		any |= out.bit[0][i] | out.bit[1][i];
	if (!any)
		return;
	pw_record(b, run->at, run_last(b, run), run->level, run->level, false);
	(void)pw_flush_now(b);
	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t was = (out.bit[0][i >> 6] >> (i & 63) & 1) |
			       (out.bit[1][i >> 6] >> (i & 63) & 1) << 1;

		if (!was || !pw_peek_at(b, run->table, run->index + i, &entry))
			continue;
		b->refused |=
			!pw_swap(b, run, run->index + i, &entry, changed(b, run, entry | was));
		b->written += 2;
	}
}

/* The pages of a run that have to be holes in between. */
static PW_SEPARATE void break_run(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);
	struct pw_run part = *run;
	uint64_t left = run->count;

	if (!may_break(&row->page, &run->change) &&
		!(row->span.size_log2 && may_break(&row->span, &run->span)))
		return;
	for (; left; left -= part.count) {
		part.count = PW_GROUP_MAX - part.index % PW_GROUP_MAX;
		if (part.count > left)
			part.count = left;
		break_and_make(b, &part);
		part.index += part.count;
		part.at += part.count << row->shift;
	}
}

static void change_run(struct pw_build *b, const struct pw_run *run)
{
	uint64_t done = 0;

	if (pw_breaks(b) && !run->tables)
		break_run(b, run);
	if (run->table->host && !b->live && !b->journal) {
		done = pw_change_run(b, run);
	} else if (run->table->host && pw_is_plain(b->format) && !b->journal) {
		done = pw_change_live_run(b->format, run);
	} else {
		for (uint64_t i = 0; i < run->count; i++)
			done += change_entry(b, run, run->index + i);
	}
	b->written += done;
	if (done && (b->hold || !b->unseen))
		pw_record(b, run->at, run_last(b, run), run->level, run->tables ? 0 : run->level,
			run->tables);
}

/*
 * One entry that has been read into *old, in its place another; what stood there in *old. False: it
 * does already, or the memory refused.
 */
static bool swap_entry(
	struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t entry, uint64_t *old)
{
	while (*old != entry) {
		uint64_t seen = *old;

		if (pw_swap(b, run, index, old, entry))
			return true;
		if (*old == seen) {
			b->refused = true;
			return false;
		}
	}
	return false;
}

/* Makes a hole; false if there is an empty one already. */
static bool take_out(struct pw_build *b, const struct pw_run *run, uint64_t index, uint64_t *entry)
{
	return pw_peek_at(b, run->table, index, entry) &&
	       swap_entry(b, run, index, b->empty, entry);
}

static void clear_run(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);

	for (uint64_t i = 0; i < run->count; i++) {
		pw_va at = run->at + (i << row->shift);
		uint64_t entry;

		if (!take_out(b, run, run->index + i, &entry))
			continue;
		b->written++;
		if (pw_is_present(row, entry)) {
			bool table = pw_is_table(row, entry);

			pw_record(b, at, pw_block_last(row, at), run->level, table ? 0 : run->level,
				table);
		}
		pw_discard(b, run->level, run->index + i, entry);
	}
}

static bool overwrite_run(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t written = b->written, value = run->value, old;
	bool refused = b->refused;

	if (pw_breaks(b)) {
		clear_run(b, run);
		if (b->written != written)
			(void)pw_flush_now(b);
		return store_run(b, run);
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
	b->refused = false;
	for (uint64_t i = 0; i < run->count; i++, value += run->stride) {
		pw_va at = run->at + (i << row->shift);
		bool table;

		if (!pw_peek_at(b, run->table, run->index + i, &old)) {
			b->refused = true;
			continue;
		}
		if (!swap_entry(b, run, run->index + i, value, &old))
			continue;
		b->written++;
		table = pw_is_present(row, old) ? pw_is_table(row, old) : run->tables;
		if (pw_is_present(row, old) || holes_are_cached(b, run))
			pw_record(b, at, pw_block_last(row, at), run->level, table ? 0 : run->level,
				table || run->tables);
		pw_discard(b, run->level, run->index + i, old);
	}
	refused |= b->refused;
	value = !b->refused;
	b->refused = refused;
	return value;
}

static bool exchange(struct pw_build *b, struct pw_run *run, uint64_t entry)
{
	uint64_t seen = run->expected;

	if (b->journal ? pw_swap_recorded(b, run, run->index, &run->expected, entry)
		       : pw_exchange(b, run->table, run->index, &run->expected, entry))
		return true;
	b->refused |= run->expected == seen;
	return false;
}

/* Break-before-make (Arm ARM, "Using break-before-make when updating translation table entries").
 */
static bool replace_by_hole_first(struct pw_build *b, struct pw_run *run)
{
	if (!exchange(b, run, b->empty))
		return false;
	pw_record(b, run->at, run_last(b, run), run->level, 0, run->tables);
	(void)pw_flush_now(b);
	b->refused |= b->journal ? !pw_poke_recorded(b, run, run->index, b->empty, run->value)
				 : !pw_poke(b, run->table, run->index, run->value);
	b->written += 2;
	return true;
}

static bool replace(struct pw_build *b, struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);
	bool was_page = !pw_is_table(row, run->expected);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (pw_breaks(b))
		return replace_by_hole_first(b, run);
	if (!exchange(b, run, run->value))
		return false;
	b->written++;
	/* What is cached is what was there: the page, or pages of the table. */
	pw_record(b, run->at, run_last(b, run), run->level, was_page ? run->level : 0, run->tables);
	return true;
}

static uint64_t cleared(const struct pw_take *take, uint64_t word)
{
	return (take->clear_accessed ? take->accessed[word] : 0) |
	       (take->clear_dirty ? take->dirty[word] : 0);
}

/* What was cleared is in the list, from the first entry to the last. */
static void take_marks(struct pw_build *b, const struct pw_run *run)
{
	const struct pw_level *row = pw_row(b, run->level);
	uint64_t first = 0, last = PW_TAKE_MAX - 1;

	pw_take_marks(b, run);
	if (!run->take->count.cleared)
		return;
	b->written += run->take->count.cleared;
	while (!(cleared(run->take, first >> 6) >> (first & 63) & 1))
		first++;
	while (!(cleared(run->take, last >> 6) >> (last & 63) & 1))
		last--;
	pw_record(b, run->at + (first << row->shift),
		pw_block_last(row, run->at + (last << row->shift)), run->level, run->level, false);
}

bool pw_commit(struct pw_build *b, struct pw_run *run)
{
	switch (run->op) {
	case PW_OP_STORE:
		return store_run(b, run);
	case PW_OP_OVERWRITE:
		return overwrite_run(b, run);
	case PW_OP_CHANGE:
		change_run(b, run);
		return true;
	case PW_OP_CLEAR:
		clear_run(b, run);
		return true;
	case PW_OP_REPLACE:
		return replace(b, run);
	case PW_OP_LOOSEN:
		pw_loosen(b, run);
		return true;
	case PW_OP_JOIN:
		return pw_join(b, run);
	case PW_OP_TAKE_MARKS:
		take_marks(b, run);
		return true;
	}
	return true;
}

/* Beside pw_commit(), whose other ways take more stack than is left when an operation is undone. */
bool pw_restore(struct pw_build *b, struct pw_run *run)
{
	bool present = pw_is_present(pw_row(b, run->level), run->expected);
	uint64_t seen = run->expected;

	if (!pw_exchange(b, run->table, run->index, &run->expected, run->value)) {
		b->refused |= run->expected == seen;
		return false;
	}
	b->written++;
	if (present || holes_are_cached(b, run))
		pw_record(b, run->at, run_last(b, run), run->level, run->tables ? 0 : run->level,
			run->tables);
	return true;
}
