/* SPDX-License-Identifier: MIT */
/* What is wrong with tables, entry by entry: a loop over the iterator. */
#include "entry.h"
#include "iter.h"
#include "memo.h"
#include "text.h"
#include <pagewalk/lint.h>

#define DEFAULT_BUDGET PW_BIT(26)

void pw_lint_begin(struct pw_lint *lint, const struct pw_space *space, pw_va first, pw_va last,
	void *scratch, size_t scratch_bytes)
{
	*lint = (struct pw_lint){.budget = DEFAULT_BUDGET, .position = first};
	pw_regions_begin(&lint->tables, space, first, last, scratch, scratch_bytes);
	lint->status = lint->tables.status;
	lint->done = lint->status != PW_OK;
}

/* ---- One entry ---- */

static struct pw_finding found(const struct pw_iter *it, enum pw_lint_kind kind)
{
	return (struct pw_finding){
		.first = it->first,
		.last = it->last,
		.kind = (uint8_t)kind,
		.level = it->level,
		.entry = it->entry,
		.entry_pa = it->entry_pa,
	};
}

/* EPT's memory types 2, 3 and 7: bits 5:3 of a page. */
static bool has_no_type(const struct pw_space *space, uint64_t entry)
{
	unsigned type = entry >> 3 & 7;

	return space->format->family == PW_FAMILY_EPT && (type == 2 || type == 3 || type == 7);
}

static struct pw_finding bad_entry(const struct pw_iter *it)
{
	const struct pw_space *s = it->space;
	const struct pw_level *row = &s->format->level[it->level];
	bool table = pw_is_table(row, it->entry);
	const struct pw_page *shape = pw_shape(row, it->entry);
	uint64_t illegal = table ? row->table_illegal_low6 : shape->illegal_low6;
	uint64_t reserved = table                 ? s->reserved_table[it->level]
			    : shape == &row->span ? s->reserved_span[it->level]
						  : s->reserved_page[it->level];
	struct pw_finding finding = found(it, PW_LINT_RESERVED);

	finding.bits = it->entry & reserved;
	if (!table && !shape->size_log2)
		finding.kind = PW_LINT_NO_PAGE;
	else if (illegal && ((illegal | s->illegal_low6) >> (it->entry & 63) & 1))
		finding.kind =
			!table && has_no_type(s, it->entry) ? PW_LINT_MEMORY_TYPE : PW_LINT_RIGHTS;
	return finding;
}

/* One of the tables that lead to the present entry is the one it leads to. */
static bool is_above(const struct pw_iter *it, pw_pa table)
{
	for (unsigned level = it->level; level < it->space->format->levels; level++) {
		if (it->table[level] == table)
			return true;
	}
	return false;
}

/* True: there is something to say of the table. */
static bool judge_table(struct pw_lint *lint, struct pw_finding *finding)
{
	struct pw_iter *it = &lint->tables.it;
	uint64_t and_fold = it->and_fold[it->level], or_fold = it->or_fold[it->level];
	struct pw_memo seen = {.table = it->pa,
		.role = pw_role_below(&lint->tables, it->level, it->entry, &and_fold, &or_fold),
		.first = it->first};
	struct pw_memo *memo = NULL;

	if (is_above(it, it->pa)) {
		*finding = found(it, PW_LINT_LOOP);
	} else {
		if (lint->tables.memo_slots)
			memo = pw_memo_find(&lint->tables, seen.table, seen.role);
		if (!memo || !memo->role) {
			pw_memo_keep(&lint->tables, &seen);
			return false;
		}
		*finding = found(it, PW_LINT_SHARED);
	}
	finding->table = it->pa;
	pw_iter_skip(it);
	return true;
}

static bool judge_page(const struct pw_iter *it, struct pw_finding *finding)
{
	const unsigned both = PW_W | PW_X;
	pw_pa root = it->space->root, first = it->pa & ~(it->page_size - 1);
	unsigned user = it->grant & 7, supervisor = it->grant >> 4 & 7;

	/* Without tables there is no entry to say it of. */
	if (!it->space->format->levels)
		return false;
	if (root - first < it->page_size && (user | supervisor) & PW_W) {
		*finding = found(it, PW_LINT_WRITABLE_TABLE);
		finding->table = root;
	} else if ((user & both) == both || (supervisor & both) == both) {
		*finding = found(it, PW_LINT_WRITE_EXECUTE);
	} else {
		return false;
	}
	finding->rights = (uint8_t)(it->grant >> 12);
	return true;
}

static bool judge(struct pw_lint *lint, struct pw_finding *finding)
{
	switch (pw_iter_next(&lint->tables.it)) {
	case PW_STEP_BAD:
		*finding = bad_entry(&lint->tables.it);
		return true;
	case PW_STEP_LOST:
		*finding = found(&lint->tables.it, PW_LINT_LOST);
		return true;
	case PW_STEP_TABLE:
		return judge_table(lint, finding);
	case PW_STEP_PAGE:
		return judge_page(&lint->tables.it, finding);
	case PW_STEP_END:
		lint->done = true;
		return false;
	default:
		return false;
	}
}

/* ---- Findings that go on ---- */

static bool continues(const struct pw_finding *a, const struct pw_finding *b)
{
	if (a->kind != b->kind || a->level != b->level || a->last + 1 != b->first)
		return false;
	if (a->kind == PW_LINT_LOST)
		return a->entry == b->entry;
	return a->kind == PW_LINT_WRITE_EXECUTE && a->rights == b->rights;
}

bool pw_lint_next(struct pw_lint *lint, struct pw_finding *finding)
{
	struct pw_finding next;

	while (!lint->done) {
		if (lint->tables.it.reads >= lint->budget &&
			pw_iter_reads_next(&lint->tables.it, &lint->position)) {
			lint->done = true;
			lint->status = PW_E_BUDGET;
			break;
		}
		if (!judge(lint, &next))
			continue;
		if (lint->has_pending && continues(&lint->pending, &next)) {
			lint->pending.last = next.last;
			continue;
		}
		bool out = lint->has_pending;

		if (out)
			*finding = lint->pending;
		lint->pending = next;
		lint->has_pending = true;
		if (out)
			return true;
	}
	if (!lint->has_pending)
		return false;
	*finding = lint->pending;
	lint->has_pending = false;
	return true;
}

/* ---- In words ---- */

static const char *const kind_name[] = {
	[PW_LINT_RESERVED] = "reserved-bits",
	[PW_LINT_RIGHTS] = "rights",
	[PW_LINT_MEMORY_TYPE] = "memory-type",
	[PW_LINT_NO_PAGE] = "no-such-page",
	[PW_LINT_LOST] = "no-memory",
	[PW_LINT_LOOP] = "loop",
	[PW_LINT_SHARED] = "shared-table",
	[PW_LINT_WRITE_EXECUTE] = "write-execute",
	[PW_LINT_WRITABLE_TABLE] = "writable-table",
};
_Static_assert(sizeof kind_name / sizeof kind_name[0] == PW_LINT_KIND_COUNT, "a name each");

const char *pw_lint_kind_name(enum pw_lint_kind kind)
{
	return (unsigned)kind < PW_LINT_KIND_COUNT ? kind_name[kind] : "?";
}

bool pw_lint_is_error(enum pw_lint_kind kind)
{
	return kind <= PW_LINT_LOOP;
}

/* Which rights cannot stand together depends on the family. */
static const char *rights_text(const struct pw_space *space, uint64_t entry)
{
	unsigned rwx = entry & 7;

	if (space->format->family == PW_FAMILY_RISCV)
		return (entry & 6) == 4 ? "write without read"
					: "a table in the last level, or no rights at all";
	if ((rwx & 3) == 2)
		return "write without read";
	return "execute only, which this CPU does not have";
}

const char *pw_finding_text(
	const struct pw_space *space, const struct pw_finding *f, char *text, size_t size)
{
	struct text out = {text, size ? size - 1 : 0};

	if (!size)
		return "";
	switch (f->kind) {
	case PW_LINT_RESERVED:
		put(&out, "reserved bits are set: ");
		put_hex(&out, f->bits);
		break;
	case PW_LINT_RIGHTS:
		put(&out, rights_text(space, f->entry));
		break;
	case PW_LINT_MEMORY_TYPE:
		put(&out, "memory type ");
		put_hex(&out, f->entry >> 3 & 7);
		put(&out, " is none");
		break;
	case PW_LINT_NO_PAGE:
		put(&out, "a page at a level that has no pages");
		break;
	case PW_LINT_LOST:
		put(&out, "the table is not in memory");
		break;
	case PW_LINT_LOOP:
		put(&out, "leads back to a table above it, at ");
		put_hex(&out, f->table);
		break;
	case PW_LINT_SHARED:
		put(&out, "leads to a table that was met before, at ");
		put_hex(&out, f->table);
		break;
	case PW_LINT_WRITE_EXECUTE:
		put(&out, "can be written and executed: ");
		put_rights(&out, f->rights);
		break;
	default:
		put(&out, "can be written, and holds the root table at ");
		put_hex(&out, f->table);
		break;
	}
	*out.at = '\0';
	return text;
}
