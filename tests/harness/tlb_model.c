/* SPDX-License-Identifier: MIT */
#include "tlb_model.h"

#define OPS 64

static struct tlb_leaf look(const struct tlb *tlb, const struct slow_config *config, uint64_t cell)
{
	pw_va va = tlb->first + cell * tlb->page;
	struct slow_result r = fixture_look_by(tlb->f, config, va);
	struct tlb_leaf leaf = {.held = true, .hole = r.status != SLOW_MAPPED};

	/* A hole is remembered as the entry that it is, of whatever level. */
	leaf.bytes = leaf.hole ? pw_level_page_size(&tlb->f->format->level[r.level]) : r.page_size;
	leaf.base = va & ~(leaf.bytes - 1);
	leaf.level = (unsigned)r.level;
	if (leaf.hole)
		return leaf;
	leaf.pa = r.pa;
	leaf.rights = fixture_rights(&r);
	leaf.entry = r.entry;
	return leaf;
}

/* Only RISC-V may remember that there was nothing (Privileged ISA, "SFENCE.VMA"). */
static bool remembers_holes(const struct tlb *tlb)
{
	return tlb->f->format->family == PW_FAMILY_RISCV;
}

static void take_tables(struct tlb *tlb, pw_pa table, unsigned level, pw_va base)
{
	const struct pw_format *format = tlb->f->format;
	const struct pw_level *row = &format->level[level];
	uint64_t step = pw_level_page_size(row);

	for (uint64_t i = 0; i < pw_level_entries(row); i++) {
		uint64_t entry = test_memory_load(
			&tlb->f->tm, table + i * format->entry_bytes, format->entry_bytes);
		struct tlb_entry *e = &tlb->entry[tlb->entries];

		if (pw_entry_kind(format, level, entry) != PW_TABLE)
			continue;
		cr_assert(tlb->entries < TLB_TABLES);
		*e = (struct tlb_entry){.held = true,
			.first = base + i * step,
			.last = base + i * step + (step - 1),
			.level = level,
			.table = pw_entry_address(format, level, entry)};
		tlb->entries++;
		take_tables(tlb, e->table, level - 1, e->first);
	}
}

void tlb_fill(struct tlb *tlb, const struct fixture *f, pw_va first, uint64_t cells)
{
	uint64_t dropped = tlb->dropped, needed = tlb->needed;
	struct slow_config config = fixture_config(f);

	cr_assert(cells <= TLB_CELLS);
	memset(tlb, 0, sizeof *tlb);
	tlb->f = f;
	tlb->first = first;
	tlb->page = pw_level_page_size(&f->format->level[0]);
	tlb->cells = cells;
	tlb->dropped = dropped;
	tlb->needed = needed;
	for (uint64_t i = 0; i < cells; i++) {
		tlb->leaf[i] = look(tlb, &config, i);
		tlb->leaf[i].held = !tlb->leaf[i].hole || remembers_holes(tlb);
	}
	take_tables(tlb, f->space.root, f->format->levels - 1u, 0);
}

/* ---- What instructions drop ---- */

#define ANY_LEVEL 9

static void drop_leaves_of(struct tlb *tlb, pw_va va, unsigned level)
{
	for (uint64_t i = 0; i < tlb->cells; i++) {
		struct tlb_leaf *leaf = &tlb->leaf[i];

		if (level != ANY_LEVEL && leaf->level != level)
			continue;
		if (leaf->held && va >= leaf->base && va - leaf->base < leaf->bytes) {
			leaf->held = false;
			tlb->dropped++;
		}
	}
}

static void drop_leaves_at(struct tlb *tlb, pw_va va)
{
	drop_leaves_of(tlb, va, ANY_LEVEL);
}

static void drop_entries_at(struct tlb *tlb, pw_va va)
{
	for (size_t i = 0; i < tlb->entries; i++) {
		if (va >= tlb->entry[i].first && va <= tlb->entry[i].last)
			tlb->entry[i].held = false;
	}
}

static bool is_register(const struct tlb *tlb, const struct tlb_entry *entry)
{
	const struct pw_format *format = tlb->f->format;

	return format->family == PW_FAMILY_X86 && format->levels == 3 && entry->level == 2;
}

static void drop_entries(struct tlb *tlb, bool registers)
{
	for (size_t i = 0; i < tlb->entries; i++)
		tlb->entry[i].held &= is_register(tlb, &tlb->entry[i]) && !registers;
}

static void drop_leaves(struct tlb *tlb)
{
	for (uint64_t i = 0; i < tlb->cells; i++) {
		tlb->dropped += tlb->leaf[i].held;
		tlb->leaf[i].held = false;
	}
}

static void flush_x86(struct tlb *tlb, const struct pw_flush *flush)
{
	const struct pw_x86_use use = {.current = true, .pages = 8};
	struct pw_x86_op ops[OPS];
	size_t count = pw_invalidate_x86(tlb->f->format, flush, &use, ops, OPS);

	for (size_t i = 0; i < count; i++) {
		bool single = ops[i].what == PW_INVLPG;

		cr_assert(single || ops[i].what == PW_LOAD_CR3);
		if (single)
			drop_leaves_at(tlb, ops[i].va);
		else
			drop_leaves(tlb);
		drop_entries(tlb, !single);
	}
}

static void flush_ept(struct tlb *tlb, const struct pw_flush *flush)
{
	struct pw_invept_op op;

	if (!pw_invalidate_ept(flush, 0x123401e, true, &op))
		return;
	cr_assert(op.type == 1 && op.descriptor[0] == 0x123401e && op.descriptor[1] == 0);
	drop_leaves(tlb);
	drop_entries(tlb, true);
}

/* Arm ARM, "TLBI VAE1IS", TTL: the level in bits 45:44, a granule in 47:46 if there is a hint. */
static unsigned hinted_level(const struct tlb *tlb, uint64_t operand)
{
	static const unsigned granules[] = {0, 12, 14, 16};
	unsigned granule = granules[operand >> 46 & 3];

	if (!granule)
		return ANY_LEVEL;
	cr_assert(granule == tlb->f->format->level[0].shift);
	return 3 - (unsigned)(operand >> 44 & 3);
}

static void flush_arm32(struct tlb *tlb, const struct pw_flush *flush)
{
	const struct pw_arm_use use = {.asid = 5, .pages = 8, .has_last_level = tlb->needed & 1};
	struct pw_tlbi32_op ops[OPS];
	size_t count = pw_invalidate_arm32(tlb->f->format, flush, &use, ops, OPS);

	for (size_t i = 0; i < count; i++) {
		pw_va va = ops[i].register_value & UINT32_C(0xfffff000);

		cr_assert((ops[i].register_value & 0xfff) == 5);
		if (ops[i].what == PW_TLBI32_ASIDIS) {
			drop_leaves(tlb);
			drop_entries(tlb, true);
			continue;
		}
		drop_leaves_at(tlb, va);
		if (ops[i].what == PW_TLBI32_MVAIS)
			drop_entries_at(tlb, va);
		else
			cr_assert(ops[i].what == PW_TLBI32_MVALIS && use.has_last_level);
	}
}

static void flush_arm64(struct tlb *tlb, const struct pw_flush *flush)
{
	const struct pw_arm_use use = {.asid = 5, .pages = 8, .has_ttl = tlb->needed & 1};
	struct pw_tlbi_op ops[OPS];
	size_t count = pw_invalidate_arm64(tlb->f->format, flush, &use, ops, OPS);

	for (size_t i = 0; i < count; i++) {
		pw_va va = (ops[i].register_value & ((UINT64_C(1) << 44) - 1)) << 12;

		switch (ops[i].what) {
		case PW_TLBI_VAE1IS:
		case PW_TLBI_IPAS2E1IS:
			drop_entries_at(tlb, va);
			drop_leaves_at(tlb, va);
			break;
		case PW_TLBI_VALE1IS:
		case PW_TLBI_IPAS2LE1IS:
			drop_leaves_of(tlb, va, hinted_level(tlb, ops[i].register_value));
			break;
		case PW_TLBI_VMALLE1IS: /* what combines both stages: none here */
			cr_assert(!tlb->f->format->has_user && i + 1 == count);
			break;
		default:
			drop_leaves(tlb);
			drop_entries(tlb, true);
			break;
		}
	}
}

static void flush_riscv(struct tlb *tlb, const struct pw_flush *flush)
{
	const struct pw_riscv_use use = {.asid = 5, .pages = 8};
	struct pw_fence_op ops[OPS];
	size_t count = pw_invalidate_riscv(tlb->f->format, flush, &use, ops, OPS);

	for (size_t i = 0; i < count; i++) {
		cr_assert(ops[i].rs2 == 5 && !ops[i].all_asids);
		if (ops[i].all_addresses) {
			drop_leaves(tlb);
			drop_entries(tlb, true);
		} else {
			drop_leaves_at(tlb, ops[i].is_gvma ? ops[i].rs1 << 2 : ops[i].rs1);
		}
	}
}

void tlb_flush(struct tlb *tlb, const struct pw_flush *flush)
{
	switch (tlb->f->format->family) {
	case PW_FAMILY_X86:
		flush_x86(tlb, flush);
		break;
	case PW_FAMILY_EPT:
		flush_ept(tlb, flush);
		break;
	case PW_FAMILY_RISCV:
		flush_riscv(tlb, flush);
		break;
	default:
		if (tlb->f->format->va_bits == 32)
			flush_arm32(tlb, flush);
		else
			flush_arm64(tlb, flush);
		break;
	}
}

/* ---- What may still be held ---- */

static bool is_right(const struct tlb_leaf *held, const struct tlb_leaf *now)
{
	if (held->hole || now->hole)
		return held->hole == now->hole;
	return held->pa == now->pa && held->rights == now->rights;
}

/* The tables lead for this va and level where the entry says. */
static bool still_leads(const struct tlb *tlb, const struct tlb_entry *held)
{
	const struct pw_format *format = tlb->f->format;
	pw_pa table = tlb->f->space.root;

	for (unsigned level = format->levels - 1u;; level--) {
		uint64_t index = pw_level_index(&format->level[level], held->first);
		uint64_t entry = test_memory_load(
			&tlb->f->tm, table + index * format->entry_bytes, format->entry_bytes);

		if (pw_entry_kind(format, level, entry) != PW_TABLE)
			return false;
		table = pw_entry_address(format, level, entry);
		if (level == held->level)
			return table == held->table;
	}
}

void tlb_check(struct tlb *tlb, const char *after)
{
	struct slow_config config = fixture_config(tlb->f);

	for (uint64_t i = 0; i < tlb->cells; i++) {
		struct tlb_leaf now = look(tlb, &config, i);

		if (is_right(&tlb->leaf[i], &now))
			continue;
		tlb->needed++;
		cr_assert(!tlb->leaf[i].held || (tlb->leaf[i].hole && !remembers_holes(tlb)),
			"%s after %s: a stale translation of %#llx is left", tlb->f->format->name,
			after, (unsigned long long)(tlb->first + i * tlb->page));
	}
	for (size_t i = 0; i < tlb->entries; i++)
		cr_assert(!tlb->entry[i].held || still_leads(tlb, &tlb->entry[i]),
			"%s after %s: a stale table entry of level %u at %#llx is left",
			tlb->f->format->name, after, tlb->entry[i].level,
			(unsigned long long)tlb->entry[i].first);
}

/* ---- Break-before-make ---- */

#define BITS(high, low) ((UINT64_C(2) << (high)) - (UINT64_C(1) << (low)))

/* Memory type, cacheability and shareability (Arm ARM, descriptor formats), and where nG is. */
static uint64_t type_bits(const struct tlb *tlb, const struct tlb_leaf *leaf, uint64_t *not_global)
{
	const struct pw_format *format = tlb->f->format;

	*not_global = format->has_user ? BITS(11, 11) : 0;
	if (format->entry_bytes == 8) /* AttrIndx or MemAttr; SH */
		return BITS(format->has_user ? 4 : 5, 2) | BITS(9, 8);
	if (leaf->level) { /* sections: C, B; TEX; S */
		*not_global = BITS(17, 17);
		return BITS(3, 2) | BITS(14, 12) | BITS(16, 16);
	}
	return BITS(3, 2) | (leaf->entry & 2 ? BITS(8, 6) : BITS(14, 12)) | BITS(10, 10);
}

/* Arm ARM, "Using break-before-make when updating translation table entries". */
static bool needs_break(
	const struct tlb *tlb, const struct tlb_leaf *held, const struct tlb_leaf *now)
{
	uint64_t not_global, type = type_bits(tlb, held, &not_global);

	if (tlb->f->format->entry_bytes == 8)
		type |= BITS(52, 52); /* Contiguous */
	return held->pa != now->pa || held->bytes != now->bytes ||
	       ((held->entry ^ now->entry) & type) || (held->entry & ~now->entry & not_global);
}

void tlb_check_break(struct tlb *tlb, const char *during)
{
	struct slow_config config = fixture_config(tlb->f);

	for (uint64_t i = 0; i < tlb->cells; i++) {
		struct tlb_leaf now = look(tlb, &config, i), *held = &tlb->leaf[i];

		if (now.hole)
			continue;
		if (!held->held || held->hole)
			*held = now;
		cr_assert(!needs_break(tlb, held, &now),
			"%s during %s: %#llx is %#llx while %#llx is held", tlb->f->format->name,
			during, (unsigned long long)(tlb->first + i * tlb->page),
			(unsigned long long)now.entry, (unsigned long long)held->entry);
	}
}
