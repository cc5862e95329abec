/* SPDX-License-Identifier: MIT */
#include "build_protect.h"

/* The change as it stands in all pages of the last tables changed so far. */
static bool is_undone_alike(const struct pw_sweep *s, const struct pw_change *change,
	const struct pw_common *common, struct pw_change *undo)
{
	uint64_t bits = ~change->keep | change->set;

	if ((common->all ^ common->some) & bits)
		return false;
	*undo = (struct pw_change){~bits, common->all & bits};
	return !s->changed || undo->set == s->undo.set;
}

/* The changed ranges are one range. */
static bool follows(const struct pw_sweep *s, const struct pw_trail *t)
{
	return !s->changed || s->hold.last + 1 == t->at;
}

/* False: not here, or not without a plan. */
static bool sweep_table(struct pw_build *b, struct pw_trail *t, struct pw_sweep *s)
{
	const struct pw_table *table = &t->table[0];
	struct pw_run *run = &s->run;
	struct pw_common common;
	struct pw_change undo;
	const char *ahead;

	run->index = pw_index(pw_row(b, 0), t->at);
	run->count = pw_trail_whole(t);
	run->at = t->at;
	run->table = table;
	if (!table->host)
		return false;
	ahead = pw_trail_table_ahead(t);
	common = pw_survey_run(
		b, 0, table->host + run->index * b->format->entry_bytes, ahead, run->count);
	/* The memory has both passes' time, and that between them, to deliver the next table. */
	run->ahead = ahead ? ahead + run->count / 2 * b->format->entry_bytes : NULL;
	if (!pw_protect_is_uniform(b, &common))
		return false;
	if (common.some) {
		run->all_present = common.full;
		b->alike = 0;
		if (!is_undone_alike(s, &run->change, &common, &undo) ||
			pw_kind_in(b, 0, common.all) != PW_PAGE ||
			pw_protect_plan_page(b, t, common.all) != PW_OK)
			return false;
		if (undo.set != run->change.set) {
			if (!follows(s, t))
				return false;
			s->undo = undo;
			s->changed = true;
			(void)pw_commit(b, run);
		}
	}
	pw_trail_skip(t, run->count);
	return true;
}

static bool step(struct pw_build *b, struct pw_trail *t, struct pw_sweep *s)
{
	pw_va at = t->at;
	uint64_t entry;

	if (!pw_peek_at(b, &t->table[t->level], pw_index(pw_row(b, t->level), at), &entry))
		return false;
	switch (pw_kind_in(b, t->level, entry)) {
	case PW_HOLE:
		pw_trail_skip(t, 1);
		return true;
	case PW_TABLE:
		if (pw_trail_whole(t)) {
			struct pw_change change = pw_widening(b, t->level);

			if (((entry & change.keep) | change.set) != entry)
				return false;
		}
		if (pw_trail_down(t, entry) != PW_OK)
			return false;
		return t->level > 0 || sweep_table(b, t, s);
	default:
		return false;
	}
}

void pw_sweep(struct pw_build *b, struct pw_sweep *s)
{
	struct pw_trail t;

	*s = (struct pw_sweep){.next = b->first, .run = {.op = PW_OP_CHANGE, .linked = true}};
	s->run.change = pw_protect_change(b, 0, &pw_row(b, 0)->page, 0);
	b->hold = &s->hold;
	pw_trail_begin(&t, b);
	for (;;) {
		if (!t.finished) {
			if (!step(b, &t, s))
				break;
			continue;
		}
		if (t.level == b->top) {
			s->complete = true;
			break;
		}
		pw_trail_up(&t);
		pw_trail_skip(&t, 1);
	}
	s->next = t.at;
	b->hold = NULL;
}

/* No CPU has seen anything: every page gets its bits back. */
static void undo(struct pw_build *b, const struct pw_sweep *s)
{
	struct pw_hold nowhere = {.any = false};
	struct pw_trail t;
	uint64_t entry;

	b->hold = &nowhere;
	b->last = s->hold.last;
	pw_trail_begin(&t, b);
	for (;;) {
		if (t.finished) {
			if (t.level == b->top)
				return;
			pw_trail_up(&t);
		} else if (t.level == 0) {
			struct pw_run run = {.table = &t.table[0],
				.op = PW_OP_CHANGE,
				.linked = true,
				.index = pw_index(pw_row(b, 0), t.at),
				.count = pw_trail_whole(&t),
				.at = t.at,
				.change = s->undo};

			(void)pw_commit(b, &run);
			pw_trail_skip(&t, run.count);
			continue;
		} else if (pw_peek_at(b, &t.table[t.level], pw_index(pw_row(b, t.level), t.at),
				   &entry) &&
			   pw_kind_in(b, t.level, entry) == PW_TABLE &&
			   pw_trail_down(&t, entry) == PW_OK) {
			continue;
		}
		pw_trail_skip(&t, 1);
	}
}

void pw_sweep_end(struct pw_build *b, const struct pw_sweep *s, bool keep)
{
	if (!s->changed)
		return;
	b->first = s->hold.first;
	if (!keep)
		undo(b, s);
	else if (!b->unseen)
		pw_record(b, s->hold.first, s->hold.last, 0, 0, false);
}
