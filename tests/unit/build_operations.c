/* SPDX-License-Identifier: MIT */
#include "build_operations.h"
#include "build_choices.h"
#include <pagewalk/lint.h>

#define EVERYTHING_ONCE_IN 1024

/* ---- Operations ---- */

/* As many tables are taken as was said before, and not one is missing. */
static void limit_tables(struct world *w, enum pw_status status, const struct pw_needs *needs)
{
	if (status == PW_OK && w->tm.fail_at < 0)
		w->tm.fail_at = w->tm.allocations + (int64_t)needs->total;
}

static void check_needs(const struct world *w, enum pw_status asked, enum pw_status status,
	const struct pw_needs *needs, uint64_t before)
{
	cr_assert(asked == status || status == PW_E_NO_TABLES, "%s: asked %s, then %s",
		w->format->name, pw_status_name(asked), pw_status_name(status));
	cr_assert(status != PW_OK ||
			  w->flush.tables_allocated - before == needs->total - needs->spare,
		"%s: %llu tables instead of %llu", w->format->name,
		(unsigned long long)(w->flush.tables_allocated - before),
		(unsigned long long)(needs->total - needs->spare));
}

static enum pw_status do_map(struct world *w)
{
	pw_pa pa = random_pa(w);
	pw_va va = flat_map_va(&w->model, w->from);
	pw_rights rights = random_rights(w) | random_software(w) | random_groups(w);
	pw_rights how = random_once_in(&w->random, 3) ? PW_REPLACE : 0;
	uint64_t size = w->count * w->model.page, before = w->flush.tables_allocated;
	struct pw_needs needs;
	enum pw_status asked = pw_map_needs(&w->space, va, pa, size, rights | how, &needs), status;
	bool empty = flat_map_is_empty(&w->model, w->from, w->count);

	limit_tables(w, asked, &needs);
	status = pw_map(&w->space, va, pa, size, rights | how, &w->flush);
	check_needs(w, asked, status, &needs, before);
	cr_assert((status == PW_E_EXISTS) == (!empty && !how), "%s: map of %s cells: %s",
		w->format->name, empty ? "empty" : "mapped", pw_status_name(status));
	w->exists += status == PW_E_EXISTS;
	if (status == PW_OK && how)
		flat_map_unmap(&w->model, w->from, w->count);
	if (status == PW_OK)
		flat_map_map(&w->model, w->from, w->count, pa, rights);
	return status;
}

static enum pw_status do_protect(struct world *w)
{
	pw_rights rights = random_rights(w);
	enum pw_status status = pw_protect(&w->space, flat_map_va(&w->model, w->from),
		w->count * w->model.page, rights, &w->flush);

	if (status == PW_OK)
		flat_map_protect(&w->model, w->from, w->count, rights);
	return status;
}

static bool can_be(const struct pw_format *format, pw_rights set, pw_rights clear)
{
	bool can = false;

	for (pw_rights rights = 1; rights < 16; rights++)
		can |= format->encode[rights] != PW_CANNOT &&
		       ((rights & ~clear) | (set & PW_RIGHTS_MASK)) == rights;
	return can;
}

/* Refused if and only if there is a page that cannot become what it is to become. */
static enum pw_status do_modify(struct world *w)
{
	pw_rights set = (random_next(&w->random) & random_next(&w->random) & PW_RIGHTS_MASK) |
			random_type(w) | random_software(w);
	pw_rights clear = (random_next(&w->random) & random_next(&w->random) & PW_RIGHTS_MASK) |
			  PW_GLOBAL | random_software(w);
	enum pw_status status;
	bool can = true;

	clear &= ~(set & PW_RIGHTS_MASK);
	for (uint64_t i = w->from; i < w->from + w->count; i++) {
		pw_rights old = w->model.cells[i].rights & PW_RIGHTS_MASK, now;

		now = (old & ~clear) | (set & PW_RIGHTS_MASK);
		can &= !w->model.cells[i].mapped || old == now ||
		       w->format->encode[now] != PW_CANNOT;
	}
	status = pw_modify(&w->space, flat_map_va(&w->model, w->from), w->count * w->model.page,
		set, clear, &w->flush);
	/* What no page can become is refused where there is no page too. */
	cr_assert(status == PW_E_NO_TABLES || can == (status == PW_OK) ||
			  (can && status == PW_E_RIGHTS && !can_be(w->format, set, clear)),
		"%s: set %#x, clear %#x: %s", w->format->name, set, clear, pw_status_name(status));
	if (status == PW_OK)
		flat_map_modify(&w->model, w->from, w->count, set, clear);
	return status;
}

static enum pw_status do_unmap(struct world *w)
{
	pw_va va = flat_map_va(&w->model, w->from);
	uint64_t size = w->count * w->model.page, before = w->flush.tables_allocated;
	struct pw_needs needs;
	enum pw_status asked = pw_cut_needs(&w->space, va, size, &needs), status;

	limit_tables(w, asked, &needs);
	status = pw_unmap(&w->space, va, size, &w->flush);
	check_needs(w, asked, status, &needs, before);
	if (status == PW_OK)
		flat_map_unmap(&w->model, w->from, w->count);
	return status;
}

/* Pages that are given back must have been given out: only what was allocated may be freed. */
static enum pw_status do_allocate(struct world *w)
{
	pw_va va;
	uint64_t size;
	pw_rights rights = random_rights(w);
	enum pw_status status;

	if (w->count > w->kind.allocated)
		w->count = w->kind.allocated;
	va = flat_map_va(&w->model, w->from);
	size = w->count * w->model.page;
	w->tm.largest_page = w->model.page << random_below(&w->random, 12);
	status = pw_allocate(&w->space, va, size, rights, &w->flush);
	cr_assert(status == PW_OK || status == PW_E_EXISTS || status == PW_E_NO_TABLES);
	w->tm.fail_at = -1;
	if (status != PW_OK) {
		cr_assert(w->tm.page_bytes_out == 0);
		return status;
	}
	cr_assert(w->tm.page_bytes_out == size);
	for (uint64_t i = 0; i < w->count; i++) {
		struct slow_result r = world_look(w, va + i * w->model.page);

		cr_assert(r.status == SLOW_MAPPED && world_rights_are(&r, rights));
	}
	/* In two pieces, so that a page may be cut. */
	size = random_below(&w->random, w->count) * w->model.page;
	if (size)
		cr_assert(pw_free(&w->space, va, size, &w->flush) == PW_OK);
	size = w->count * w->model.page - size;
	cr_assert(
		pw_free(&w->space, va + w->count * w->model.page - size, size, &w->flush) == PW_OK);
	cr_assert(w->tm.page_bytes_out == 0 && w->tm.page_count == 0);
	return PW_OK;
}

/* Neither changes what the model knows. Where "dirty" is a right, or a mark is added, it may. */
static enum pw_status do_split(struct world *w)
{
	unsigned base = w->kind.base;
	unsigned level = base + (unsigned)random_below(&w->random, w->top_page + 1 - base);

	if (w->count > w->kind.allocated)
		w->count = w->kind.allocated;
	return pw_split(&w->space, flat_map_va(&w->model, w->from), w->count * w->model.page, level,
		&w->flush);
}

/* The cells of the operation, and of every page that reaches into it: [*first, *end). */
static void neighbourhood(const struct world *w, uint64_t *first, uint64_t *end)
{
	uint64_t page = world_block_cells(w, w->top_page);

	*first = w->from > page ? w->from - page : 0;
	*end = w->from + w->count + page;
	if (*end > w->model.count)
		*end = w->model.count;
}

/* The page around the range's beginning in the smallest ones, if it is the next larger one: they
 * are the range then, and can merge. */
static enum pw_status split_first(struct world *w)
{
	unsigned base = w->kind.base;
	uint64_t cells = w->top_page > base ? world_block_cells(w, base + 1) : 1;
	uint64_t skew = flat_map_va(&w->model, w->from) / w->model.page % cells;
	enum pw_status status;

	if (cells == 1 || skew > w->from || cells > w->model.count - (w->from - skew))
		return PW_OK;
	w->from -= skew;
	w->count = cells;
	memcpy(w->before.cells + w->from, w->model.cells + w->from,
		cells * sizeof *w->before.cells);
	status = pw_split(
		&w->space, flat_map_va(&w->model, w->from), w->model.page, base, &w->flush);
	return status == PW_E_UNSUPPORTED ? PW_OK : status;
}

static enum pw_status collapse(struct world *w, unsigned level, pw_rights groups)
{
	uint64_t made = 0;
	enum pw_status status = pw_collapse(&w->space, flat_map_va(&w->model, w->from),
		w->count * w->model.page, level | groups, &made, &w->flush);

	if (groups)
		w->joined += made;
	else
		w->merged += made;
	return status;
}

/* At once, or pages before groups, or groups of the smallest pages before pages. */
static enum pw_status do_collapse(struct world *w)
{
	uint64_t before = w->merged + w->joined, first, end;
	pw_rights groups = random_groups(w);
	enum pw_status status = random_once_in(&w->random, 2) ? split_first(w) : PW_OK;

	if (status == PW_OK && groups && random_once_in(&w->random, 3))
		status = collapse(w, w->top_page, 0);
	else if (status == PW_OK && groups && random_once_in(&w->random, 2))
		status = collapse(w, w->kind.base, groups);
	if (status == PW_OK)
		status = collapse(w, w->top_page, groups);
	neighbourhood(w, &first, &end);
	for (uint64_t i = first; w->merged + w->joined > before && i < end; i++) {
		struct slow_result r;

		if (!w->model.cells[i].mapped)
			continue;
		/* Accessed if all were, dirty if any was: no mark is lost. */
		r = world_look(w, flat_map_va(&w->model, i));
		cr_assert(r.dirty || !w->model.cells[i].dirty || !w->marks);
		w->model.cells[i].accessed &= r.accessed;
		w->model.cells[i].dirty |= r.dirty && w->marks;
	}
	return status;
}

static enum pw_status do_harvest(struct world *w)
{
	struct pw_marks marks = {.clear = PW_MARK_DIRTY};
	uint64_t dirty = 0, first, end;
	enum pw_status status;

	if (!w->marks)
		return PW_OK;
	status = pw_harvest(&w->space, flat_map_va(&w->model, w->from), w->count * w->model.page,
		&marks, &w->flush);
	for (uint64_t i = w->from; i < w->from + w->count; i++)
		dirty += w->model.cells[i].dirty;
	dirty *= w->model.page >> w->format->level[0].shift;
	cr_assert(marks.dirty_pages == dirty, "%s: %llu dirty instead of %llu", w->format->name,
		(unsigned long long)marks.dirty_pages, (unsigned long long)dirty);
	neighbourhood(w, &first, &end);
	for (uint64_t i = first; i < end; i++) {
		if (w->model.cells[i].dirty)
			w->model.cells[i].dirty = world_look(w, flat_map_va(&w->model, i)).dirty;
	}
	return status;
}

/* The hardware or the software sets bits in an entry: all cells that it serves have them. */
static void touch(struct world *w)
{
	uint64_t cell = random_below(&w->random, w->model.count), bits = 0, pages, first, bytes;
	pw_va base;
	struct slow_result r = world_look(w, flat_map_va(&w->model, cell));
	const struct pw_page *shape;

	if (r.status != SLOW_MAPPED)
		return;
	shape = &w->format->level[r.level].page;
	if (w->format->family == PW_FAMILY_X86 || w->format->family == PW_FAMILY_EPT ||
		w->format->family == PW_FAMILY_NPT)
		bits = shape->accessed | (random_once_in(&w->random, 2) ? shape->dirty : 0);
	bits |= random_next(&w->random) & page_software_mask(w->format);
	test_memory_store(&w->tm, r.entry_pa, w->format->entry_bytes, r.entry | bits);
	bytes = pw_level_page_size(&w->format->level[r.level]);
	pages = bytes / w->model.page;
	first = cell < pages ? 0 : cell - pages;
	base = flat_map_va(&w->model, cell) & ~(bytes - 1);
	for (uint64_t i = first; i < w->model.count && i < cell + pages; i++) {
		struct flat_cell *c = &w->model.cells[i];

		if (!c->mapped || (flat_map_va(&w->model, i) & ~(bytes - 1)) != base)
			continue;
		c->accessed |= (bits & shape->accessed) != 0;
		c->dirty |= shape->dirty && (bits & shape->dirty) == shape->dirty;
		c->software |= (uint16_t)page_software(w->format, bits);
	}
}

/* From here on the operation needs no memory. A full list is emptied first. */
static bool retain(struct world *w)
{
	pw_va va = flat_map_va(&w->model, w->from);
	uint64_t size = w->count * w->model.page;
	enum pw_status status;

	if (!w->flush.retention || random_once_in(&w->random, 3))
		return false;
	status = pw_retain(&w->space, va, size, &w->flush);
	if (status == PW_E_BUDGET) {
		pw_flush_done(&w->space, &w->flush);
		pw_retention_end(&w->space, w->flush.retention);
		status = pw_retain(&w->space, va, size, &w->flush);
	}
	cr_assert(status == PW_OK);
	w->retained++;
	return true;
}

static bool takes_part(enum pw_status (*operation)(struct world *))
{
	return operation == do_protect || operation == do_modify || operation == do_unmap;
}

static void one_operation(struct world *w)
{
	static enum pw_status (*const operations[])(struct world *) = {do_map, do_map, do_map,
		do_protect, do_protect, do_unmap, do_allocate, do_split, do_collapse, do_harvest,
		do_modify, do_modify};
	static const char *const names[] = {"map", "map", "map", "protect", "protect", "unmap",
		"allocate and free", "split", "collapse", "harvest", "modify", "modify"};
	unsigned which = (unsigned)random_below(&w->random, 12);
	bool failing = random_once_in(&w->random, 4 + w->kind.small), retained;
	enum pw_status status;

	random_range(w);
	if (random_once_in(&w->random, 2))
		aim(w, takes_part(operations[which]));
	retained = takes_part(operations[which]) && retain(w);
	failing |= retained;
	w->flushed_count = 0;
	w->flushed_everything = false;
	if (failing) {
		w->tm.fail_at =
			w->tm.allocations + (retained ? 0 : (int64_t)random_below(&w->random, 6));
		test_memory_copy_tables(&w->tm, w->copy);
	}
	memcpy(w->before.cells + w->from, w->model.cells + w->from,
		w->count * sizeof *w->before.cells);
	status = operations[which](w);
	w->done += status == PW_OK;
	cr_assert(status == PW_OK || status == PW_E_EXISTS || status == PW_E_NO_TABLES ||
			  (status == PW_E_UNSUPPORTED && which == 7) ||
			  (status == PW_E_RIGHTS && which >= 10),
		"%s: %s: %s", w->format->name, names[which], pw_status_name(status));
	/* The memory holds enough for the model in the smallest pages. */
	cr_assert(status != PW_E_NO_TABLES || (failing && !retained), "%s: %s: out of tables",
		w->format->name, names[which]);
	if (failing && (status == PW_E_NO_TABLES || status == PW_E_RIGHTS)) {
		cr_assert(test_memory_tables_equal(&w->tm, w->copy), "%s: %s failed but wrote",
			w->format->name, names[which]);
		w->failed += status == PW_E_NO_TABLES;
	}
	w->tm.fail_at = -1;
	world_check_some(w, names[which]);
	world_check_listed(w);
	if (random_once_in(&w->random, 3))
		pw_flush_done(&w->space, &w->flush);
	if (random_once_in(&w->random, w->kind.tables_once_in))
		world_check_tables(w);
}

/* Every cell, and the lint: nothing that the hardware would refuse, and no table is linked twice.
 */
static void check_everything(struct world *w)
{
	static char scratch[PW_REGIONS_SCRATCH(1024)];
	struct pw_finding finding;
	struct pw_lint lint;

	for (uint64_t i = 0; i < w->model.count; i += 1 + w->model.count / 30000)
		world_check_cell(w, i, "all");
	world_check_tables(w);
	pw_lint_begin(&lint, &w->space, 0, UINT64_MAX, scratch, sizeof scratch);
	while (pw_lint_next(&lint, &finding))
		cr_assert(!pw_lint_is_error((enum pw_lint_kind)finding.kind) &&
				  finding.kind != PW_LINT_SHARED,
			"%s: %s: entry %#llx at level %u", w->format->name,
			pw_lint_kind_name((enum pw_lint_kind)finding.kind),
			(unsigned long long)finding.entry, finding.level);
	cr_assert(lint.status == PW_OK);
}

static void end(struct world *w)
{
	check_everything(w);
	w->from = 0;
	w->count = w->model.count;
	cr_assert(do_unmap(w) == PW_OK);
	pw_flush_done(&w->space, &w->flush);
	pw_retention_end(&w->space, &w->retention);
	cr_assert(w->tm.tables_out == 1, "%s: %llu tables left", w->format->name,
		(unsigned long long)w->tm.tables_out);
	cr_assert(test_memory_is_sound(&w->tm), "%s: memory was written outside the tables",
		w->format->name);
	flat_map_end(&w->model);
	flat_map_end(&w->before);
	free(w->copy);
	test_memory_end(&w->tm);
}

void build_world_run(const struct pw_format *format, const struct world_kind *kind, bool live,
	const struct pw_kernels *kernels, uint64_t seed, unsigned operations, struct build_sum *sum)
{
	static struct world w;

	world_begin(&w, format, kind, seed);
	w.flush.live = live;
	w.tm.memory.kernels = kernels;
	w.flush.retention = kind->retains ? &w.retention : NULL;
	for (unsigned n = 0; n < operations; n++) {
		one_operation(&w);
		if (random_once_in(&w.random, 2))
			touch(&w);
		if (n % EVERYTHING_ONCE_IN == EVERYTHING_ONCE_IN - 1)
			check_everything(&w);
	}
	end(&w);
	sum->operations += operations;
	sum->done += w.done;
	sum->failed += w.failed;
	sum->exists += w.exists;
	sum->merged += w.merged;
	sum->joined += w.joined;
	sum->splits += w.flush.splits;
	sum->grouped += w.grouped;
	sum->retained += w.retained;
}
