/* SPDX-License-Identifier: MIT */
/* What to do about a page fault on the shadow tables. */
#include "build.h"
#include "shadow.h"

/* Walks of the guest's tables, should they change meanwhile. */
#define TRIES 4

/* One fault on its way. */
struct miss {
	struct pw_shadow *shadow;
	struct pw_shadow_root *root;
	pw_access access, privilege;
	struct pw_flush *flush;
	struct pw_shadow_answer *answer;
};

static enum pw_status emulate(struct miss *m, enum pw_shadow_reason reason)
{
	m->answer->verdict = PW_SHADOW_EMULATE;
	m->answer->reason = (uint8_t)reason;
	m->shadow->counts.emulated++;
	return PW_OK;
}

static enum pw_status verdict(struct miss *m, enum pw_shadow_verdict verdict)
{
	m->answer->verdict = (uint8_t)verdict;
	if (verdict == PW_SHADOW_INJECT)
		m->shadow->counts.injected++;
	return PW_OK;
}

/* ---- The guest's side ---- */

/* Where the page of this table is; false: nowhere. */
static bool find_page(const struct pw_shadow *shadow, pw_pa gpa, pw_pa *hpa)
{
	const struct pw_shadow_config *config = &shadow->config;
	struct pw_shadow_block block;

	if (!config->find(config->ctx, gpa, &block))
		return false;
	*hpa = pw_page_of(block.hpa + (gpa - block.gpa));
	return true;
}

static enum pw_status note_table(
	struct miss *m, const struct pw_trace_step *step, pw_va va, bool *lost)
{
	const struct pw_format *format = m->root->guest.format;
	const struct pw_level *row = &format->level[step->level];
	unsigned bits = (unsigned)row->shift + row->index_bits;
	struct pw_shadow_use use = {
		.gpa = pw_page_of(step->table),
		.first = va & PW_LOW(format->va_bits) & ~PW_LOW(bits),
		.root = (uint32_t)(m->root - m->shadow->config.roots),
		.level = step->level,
	};
	enum pw_status status;
	bool fresh;

	if (!find_page(m->shadow, use.gpa, &use.hpa)) {
		*lost = true;
		return PW_OK;
	}
	status = pw_use_note(m->shadow, &use, &fresh);
	if (status == PW_OK && fresh && !m->shadow->config.protected_below)
		status = pw_shadow_retract(m->shadow, use.hpa, m->flush);
	return status;
}

/* Every table of the walk is watched from now on. A PDPTE register is no table. */
static enum pw_status note_tables(
	struct miss *m, const struct pw_trace_step *steps, size_t count, bool *lost)
{
	const struct pw_space *guest = &m->root->guest;
	enum pw_status status = PW_OK;

	for (size_t i = 0; i < count && status == PW_OK && !*lost; i++) {
		if ((guest->flags & PW_SPACE_PDPTE) && steps[i].level == 2)
			continue;
		status = note_table(m, &steps[i], m->answer->guest.va, lost);
	}
	return status;
}

/* The rights that the root's privilege has, keys and all, as R W X. */
static pw_rights granted(const struct miss *m)
{
	static const pw_access accesses[] = {PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	pw_rights rights = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (pw_translate(&m->root->guest, m->answer->guest.va, accesses[i] | m->privilege,
			    NULL) == PW_OK)
			rights |= accesses[i];
	}
	return rights;
}

/* A write must come to us as long as it would set Dirty. */
static bool is_dirty(const struct miss *m)
{
	return (m->access & PW_ACCESS_WRITE) || (m->answer->guest.flags & PW_RESULT_DIRTY) ||
	       m->root->guest.format->levels == 0;
}

/* ---- The shadow's side ---- */

/* The page to be made. */
struct page {
	pw_va va;
	pw_pa hpa;
	uint64_t bytes;
	pw_rights rights;
};

/* [gpa, gpa + bytes) in the block. */
static bool block_holds(const struct pw_shadow_block *block, pw_pa gpa, uint64_t bytes)
{
	return gpa >= block->gpa && gpa - block->gpa < block->bytes &&
	       block->bytes - (gpa - block->gpa) >= bytes;
}

/*
 * The largest page that guest page, block, alignment and CPU allow. A writable one must not hold a
 * table in use; the caller has made sure of the smallest.
 */
static bool choose_page(
	const struct miss *m, const struct pw_shadow_block *block, struct page *page)
{
	const struct pw_shadow_config *config = &m->shadow->config;
	const struct pw_result *guest = &m->answer->guest;

	for (unsigned level = 3; level-- > 0;) {
		uint64_t bytes = PW_BIT(config->format->level[level].shift);
		pw_pa gpa = guest->pa & ~(bytes - 1);

		page->va = guest->va & ~(bytes - 1);
		page->hpa = block->hpa + (gpa - block->gpa);
		page->bytes = bytes;
		if (!block_holds(block, gpa, bytes) || (page->hpa & (bytes - 1)))
			continue;
		if (level == 0)
			return true;
		if (bytes <= guest->page_size && bytes <= config->largest_page &&
			!((page->rights & PW_W) && !config->protected_below &&
				pw_uses_overlap(m->shadow, page->hpa, bytes)))
			return true;
	}
	return false;
}

/* The guest's PAT index, in pages of each size. */
static void set_type(struct pw_build *b, unsigned type)
{
	b->wish.type = type;
	for (unsigned i = 0; i <= b->top; i++) {
		if (b->leaf[i])
			b->leaf[i] = pw_leaf_of(b, &b->format->level[i].page);
	}
}

static enum pw_status map(const struct miss *m, const struct page *page)
{
	struct pw_build b;
	enum pw_status status =
		pw_build_begin(&b, &m->root->shadow, page->va, page->bytes, m->flush);

	if (status != PW_OK)
		return status;
	if (page->hpa + (page->bytes - 1) > PW_LOW(m->root->shadow.pa_bits))
		return PW_E_RANGE;
	b.pa = page->hpa;
	status = pw_build_wish(&b, page->rights | PW_U);
	if (status != PW_OK)
		return status;
	set_type(&b, m->answer->guest.memory_type);
	status = pw_plan_map(&b);
	return status == PW_OK ? pw_fill_holes(&b) : status;
}

static enum pw_status fill(struct miss *m, const struct page *page)
{
	pw_va first = page->va & PW_LOW(m->root->guest.format->va_bits);
	enum pw_status status = map(m, page);

	m->root->filled = true;
	if (status == PW_E_EXISTS) {
		status = pw_shadow_drop_range(
			m->shadow, m->root, first, first + (page->bytes - 1), m->flush);
		if (status == PW_OK)
			status = map(m, page);
	}
	if (status != PW_OK)
		return status;
	m->shadow->counts.filled++;
	m->answer->hpa = page->hpa + (m->answer->gpa - (m->answer->guest.pa & ~(page->bytes - 1)));
	m->answer->page_size = page->bytes;
	return verdict(m, PW_SHADOW_RETRY);
}

/* The guest may do what it tried: let it, or find out why that cannot be. */
static enum pw_status allowed(struct miss *m)
{
	const struct pw_shadow_config *config = &m->shadow->config;
	struct pw_shadow_answer *answer = m->answer;
	struct pw_shadow_block block;
	pw_va own_first, own_last;
	struct page page;
	bool table;

	answer->gpa = answer->guest.pa;
	if (pw_shadow_own_range(m->shadow, &own_first, &own_last) &&
		answer->guest.va >= own_first && answer->guest.va <= own_last)
		return emulate(m, PW_SHADOW_OWN);
	if (!config->find(config->ctx, answer->gpa, &block))
		return emulate(m, PW_SHADOW_DEVICE);
	page.rights = granted(m) & block.rights;
	if (!(page.rights & PW_R) || !(page.rights & m->access))
		return emulate(m, PW_SHADOW_RIGHTS);
	if (!is_dirty(m))
		page.rights &= ~PW_W;
	table = !config->protected_below &&
		pw_use_first(m->shadow, pw_page_of(block.hpa + (answer->gpa - block.gpa))) != NULL;
	if (table && (m->access & PW_ACCESS_WRITE))
		return emulate(m, PW_SHADOW_TABLE);
	/* As large as if it were writable, or it would drive out what is writable around it. */
	if (!choose_page(m, &block, &page))
		return emulate(m, PW_SHADOW_DEVICE);
	if (table)
		page.rights &= ~PW_W;
	return fill(m, &page);
}

/* ---- The fault ---- */

static enum pw_status attempt(struct miss *m, pw_va va)
{
	const struct pw_space *guest = &m->root->guest;
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_result updated;
	enum pw_status status;
	bool lost = false;
	size_t count;

	*m->answer = (struct pw_shadow_answer){.verdict = PW_SHADOW_RETRY};
	status = pw_translate_update(guest, va, m->access | m->privilege, TRIES, &updated);
	m->answer->guest = updated;
	if (status == PW_NO_MEMORY)
		return verdict(m, PW_SHADOW_LOST);
	if (status == PW_UNSTABLE)
		return verdict(m, PW_SHADOW_RETRY);
	if (status != PW_OK)
		return verdict(m, PW_SHADOW_INJECT);
	/* The same walk with its steps. Whoever changed an entry in between reports it. */
	status = pw_translate_trace(
		guest, va, m->access | m->privilege, &m->answer->guest, steps, &count);
	if (status != PW_OK || m->answer->guest.entry != updated.entry)
		return verdict(m, PW_SHADOW_RETRY);
	m->root->filled = true;
	status = note_tables(m, steps, count, &lost);
	if (status != PW_OK)
		return status;
	return lost ? verdict(m, PW_SHADOW_LOST) : allowed(m);
}

enum pw_status pw_shadow_fault(struct pw_shadow *shadow, pw_va va, pw_access access,
	struct pw_flush *flush, struct pw_shadow_answer *answer)
{
	struct pw_shadow_answer found;
	struct miss m = {.shadow = shadow, .access = access, .flush = flush, .answer = &found};
	enum pw_status status;
	bool emptied = false;

	if (access != PW_ACCESS_READ && access != PW_ACCESS_WRITE && access != PW_ACCESS_FETCH)
		return PW_E_ARGUMENT;
	if (shadow->current == PW_SHADOW_NONE)
		return PW_E_STATE;
	m.root = &shadow->config.roots[shadow->current];
	m.privilege = m.root->user ? PW_ACCESS_USER : 0;
	do
		status = attempt(&m, va);
	while (status == PW_E_NO_TABLES && pw_shadow_evict(shadow, flush, &emptied));
	if (status == PW_OK)
		*answer = found;
	return status;
}
