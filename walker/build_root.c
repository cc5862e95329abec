/* SPDX-License-Identifier: MIT */
/*
 * Taller roots: what the old root leads to hangs below a new one. The old root serves as one of the
 * new tables if its entries belong into one; where they do not (both halves of sign-extended
 * addresses are in use, or it is larger than other tables) they are copied.
 */
#include "build_journal.h"

#define PIECES_MAX 16

/* Tables of one level: the addresses that a table serves, as their bits above it, and where it is.
 */
struct tables {
	unsigned count;
	uint64_t id[PIECES_MAX];
	pw_pa pa[PIECES_MAX];
};

struct growth {
	struct pw_build b; /* in the taller format */
	const struct pw_space *old;
	unsigned level; /* the old root's */
	bool reuses;    /* the old root is one of the new tables */
	struct tables below;
	pw_pa made[PW_MAX_LEVELS][PIECES_MAX];
	unsigned made_count[PW_MAX_LEVELS];
};

static bool same_page(const struct pw_page *a, const struct pw_page *b)
{
	bool same = a->mask == b->mask && a->value == b->value && a->address == b->address &&
		    a->reserved == b->reserved && a->illegal_low6 == b->illegal_low6 &&
		    a->bits == b->bits && a->accessed == b->accessed && a->dirty == b->dirty &&
		    a->dirty_clear == b->dirty_clear && a->global == b->global &&
		    a->global_clear == b->global_clear && a->shareable_bit == b->shareable_bit &&
		    a->hint == b->hint && a->hint_log2 == b->hint_log2 &&
		    a->size_log2 == b->size_log2;

	for (unsigned i = 0; i < 2; i++)
		same &= a->high[i].mask == b->high[i].mask && a->high[i].left == b->high[i].left;
	for (unsigned i = 0; i < PW_MAX_ATTRIBUTES; i++)
		same &= a->right_bit[i] == b->right_bit[i];
	for (unsigned i = 0; i < PW_TYPE_BITS; i++)
		same &= a->type_bit[i] == b->type_bit[i];
	return same;
}

/* Entries of the two levels mean the same. How many there are in a table is no matter. */
static bool same_entries(const struct pw_level *a, const struct pw_level *b)
{
	return a->shift == b->shift && a->present_all == b->present_all &&
	       a->present_any == b->present_any && a->table_mask == b->table_mask &&
	       a->table_value == b->table_value && a->table_address == b->table_address &&
	       a->table_reserved == b->table_reserved &&
	       a->table_illegal_low6 == b->table_illegal_low6 && a->fold == b->fold &&
	       same_page(&a->page, &b->page) && same_page(&a->span, &b->span);
}

static bool is_taller(const struct pw_format *from, const struct pw_format *to)
{
	bool same = from->family == to->family && from->extension == to->extension &&
		    from->entry_bytes == to->entry_bytes && from->big_endian == to->big_endian &&
		    from->address_left == to->address_left && from->pa_bits == to->pa_bits &&
		    from->attribute_count == to->attribute_count && to->levels > from->levels &&
		    to->va_bits > from->va_bits;

	for (unsigned i = 0; i < from->attribute_count && same; i++)
		same = from->attribute[i].fold == to->attribute[i].fold &&
		       from->attribute[i].table_bit == to->attribute[i].table_bit;
	for (unsigned i = 0; i < from->levels && same; i++)
		same = same_entries(&from->level[i], &to->level[i]) &&
		       (i + 1u == from->levels ||
			       from->level[i].index_bits == to->level[i].index_bits);
	return same;
}

/* The taller format's linear address of what the old root's entry number `index` serves. */
static pw_va new_place(const struct growth *g, uint64_t index)
{
	const struct pw_format *from = g->old->format;
	pw_va va =
		pw_extend(g->old->extension, from->va_bits, index << from->level[g->level].shift);

	return va & PW_LOW(g->b.format->va_bits);
}

static uint64_t id_of(const struct growth *g, unsigned level, pw_va at)
{
	const struct pw_level *row = pw_row(&g->b, level);

	/* In two steps: together they may be all 64 bits. */
	return at >> row->shift >> row->index_bits;
}

/* The table of that id, in the list from now on. False: there are too many. */
static bool find(struct tables *tables, uint64_t id, unsigned *n)
{
	for (*n = 0; *n < tables->count; ++*n) {
		if (tables->id[*n] == id)
			return true;
	}
	if (tables->count == PIECES_MAX)
		return false;
	tables->id[tables->count] = id;
	tables->pa[tables->count++] = 0;
	return true;
}

static bool read_old(const struct growth *g, uint64_t index, uint64_t *entry)
{
	const struct pw_format *from = g->old->format;

	return pw_load(from, g->old, g->old->root + index * from->entry_bytes, entry);
}

/* An entry of the new format can lead to the old root. */
static bool can_lead_to(const struct growth *g, pw_pa pa)
{
	const struct pw_build *b = &g->b;
	uint64_t link = pw_link_to(b->format, g->level + 1, pa);

	return pw_kind_in(b, g->level + 1, link) == PW_TABLE &&
	       pw_table_address(b->format, b->space, pw_row(b, g->level + 1), link) == pa;
}

/* Which tables take the old root's entries. */
static enum pw_status plan(struct growth *g)
{
	const struct pw_level *row = &g->old->format->level[g->level];

	for (uint64_t i = 0; i < pw_entry_count(row); i++) {
		uint64_t entry;
		unsigned n;

		if (!read_old(g, i, &entry))
			return PW_NO_MEMORY;
		if (entry != g->b.empty &&
			!find(&g->below, id_of(g, g->level, new_place(g, i)), &n))
			return PW_E_UNSUPPORTED;
	}
	g->reuses = g->below.count == 1 && row->index_bits == pw_row(&g->b, g->level)->index_bits &&
		    can_lead_to(g, g->old->root);
	return PW_OK;
}

static bool new_root(struct growth *g, pw_pa *pa)
{
	const struct pw_memory *memory = g->b.memory;
	uint64_t bytes = pw_table_room(&g->b, g->b.top);

	if (!memory->allocate_table || !memory->allocate_table(memory->ctx, bytes, pa))
		return false;
	if (!(*pa & (bytes - 1)))
		return true;
	pw_return_table(&g->b, g->b.top, *pa);
	return false;
}

/* A table full of holes. */
static bool make(struct growth *g, unsigned level, pw_pa *pa)
{
	struct pw_run run = {.op = PW_OP_STORE, .level = (uint8_t)level, .value = g->b.empty};
	struct pw_table table;

	if (!(level == g->b.top ? new_root(g, pa) : pw_new_table(&g->b, level, pa)))
		return false;
	g->made[level][g->made_count[level]++] = *pa;
	table = pw_table_open(&g->b, level, *pa);
	run.table = &table;
	run.count = pw_entry_count(pw_row(&g->b, level));
	g->b.taken++;
	return pw_journal_table(&g->b, level, *pa) && *pa <= PW_LOW(g->old->pa_bits) &&
	       pw_can_write(&g->b, &table, 0, run.count) && pw_commit(&g->b, &run);
}

static void put(struct growth *g, unsigned level, pw_pa pa, uint64_t index, uint64_t entry)
{
	struct pw_table table = pw_table_open(&g->b, level, pa);
	struct pw_run run = {.table = &table,
		.op = PW_OP_STORE,
		.level = (uint8_t)level,
		.index = index,
		.count = 1,
		.value = entry};

	(void)pw_commit(&g->b, &run);
}

/* The hardware may still mark the old entry while the new one is not in use. */
static uint64_t copied(const struct growth *g, uint64_t entry)
{
	const struct pw_build *b = &g->b;
	const struct pw_page *shape = pw_shape(pw_row(b, g->level), entry);

	if (b->live && pw_kind_in(b, g->level, entry) == PW_PAGE &&
		pw_may_be_written(b, shape, entry))
		entry |= pw_dirty_flag(b->format, shape);
	return entry;
}

/* The tables of the old root's level. */
static bool make_lowest(struct growth *g)
{
	const struct pw_level *row = &g->old->format->level[g->level];
	uint64_t entry;
	unsigned n;

	if (g->reuses) {
		g->below.pa[0] = g->old->root;
		return true;
	}
	for (n = 0; n < g->below.count; n++) {
		if (!make(g, g->level, &g->below.pa[n]))
			return false;
	}
	for (uint64_t i = 0; i < pw_entry_count(row); i++) {
		pw_va at = new_place(g, i);

		if (read_old(g, i, &entry) && entry != g->b.empty &&
			find(&g->below, id_of(g, g->level, at), &n))
			put(g, g->level, g->below.pa[n], pw_index(pw_row(&g->b, g->level), at),
				copied(g, entry));
	}
	return true;
}

/* What leads to the tables below. */
static bool make_above(struct growth *g, unsigned level)
{
	const struct pw_level *row = pw_row(&g->b, level);
	struct tables above = {.count = 0};
	unsigned n;

	if (level == g->b.top)
		(void)find(&above, 0, &n); /* even if nothing is below */
	for (unsigned i = 0; i < g->below.count; i++)
		(void)find(&above, g->below.id[i] >> row->index_bits, &n);
	for (n = 0; n < above.count; n++) {
		if (!make(g, level, &above.pa[n]))
			return false;
	}
	for (unsigned i = 0; i < g->below.count; i++) {
		(void)find(&above, g->below.id[i] >> row->index_bits, &n);
		put(g, level, above.pa[n], g->below.id[i] & PW_LOW(row->index_bits),
			pw_link_to(g->b.format, level, g->below.pa[i]));
	}
	g->below = above;
	return true;
}

static void give_back(struct growth *g)
{
	pw_journal_drop(&g->b);
	for (unsigned level = 0; level <= g->b.top; level++) {
		while (g->made_count[level])
			pw_return_table(&g->b, level, g->made[level][--g->made_count[level]]);
	}
}

/* False: the journal, where the old root is to wait, has no room. */
static bool release_old(struct growth *g)
{
	const struct pw_format *taller = g->b.format;
	struct pw_table table = {g->old->root, NULL};
	bool released;

	if (g->reuses)
		return true;
	g->b.format = g->old->format;
	g->b.top = g->level;
	released = pw_journal_free_table(&g->b, g->level, &table, false);
	g->b.format = taller;
	g->b.top = taller->levels - 1u;
	return released;
}

/* The old root waits for the flush, unless it is still in use. */
static void finish(struct growth *g)
{
	struct pw_build *b = &g->b;

	if (b->flush)
		b->flush->everything = true;
	if (!g->reuses) {
		b->format = g->old->format;
		b->top = b->format->levels - 1u;
		pw_hand_over_table(b, b->top, g->old->root);
	}
	if (b->flush) {
		b->flush->entries_written += b->written;
		b->flush->tables_allocated += b->taken;
	}
}

enum pw_status pw_root_grow(const struct pw_space *space, const struct pw_format *taller,
	struct pw_flush *flush, pw_pa *root)
{
	struct growth g;
	enum pw_status status;
	bool complete;

	if (!space || !taller || !root)
		return PW_E_ARGUMENT;
	if (!space->format->levels || (space->flags & PW_SPACE_PDPTE) ||
		!is_taller(space->format, taller))
		return PW_E_UNSUPPORTED;
	g = (struct growth){.old = space, .level = space->format->levels - 1u};
	g.b = (struct pw_build){.space = space,
		.format = taller,
		.memory = space->memory,
		.flush = flush,
		.journal = flush ? flush->journal : NULL,
		.mark = flush && flush->journal ? flush->journal->count : 0,
		.top = taller->levels - 1u,
		.live = flush && flush->live,
		.link_mask = ~(uint64_t)0, /* nothing is chained */
		.empty = space->empty};
	status = plan(&g);
	if (status != PW_OK)
		return status;
	complete = make_lowest(&g);
	for (unsigned level = g.level + 1; level <= g.b.top && complete; level++)
		complete = make_above(&g, level);
	if (!complete || !release_old(&g) || g.b.overflow) {
		give_back(&g);
		return g.b.overflow ? PW_E_BUDGET : PW_E_NO_TABLES;
	}
	*root = g.below.pa[0];
	finish(&g);
	return PW_OK;
}
