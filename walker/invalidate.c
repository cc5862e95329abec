/* SPDX-License-Identifier: MIT */
/* Flush lists as operands of the instructions that carry them out. */
#include "bits.h"
#include <pagewalk/invalidate.h>

static bool is_empty(const struct pw_flush *flush)
{
	return !flush->everything && flush->range_count == 0;
}

static bool has_tables(const struct pw_flush *flush)
{
	for (size_t i = 0; i < flush->range_count; i++) {
		if (flush->ranges[i].tables)
			return true;
	}
	return false;
}

/* The addresses that name every page of the list, one for each. */
struct addresses {
	const struct pw_format *format;
	const struct pw_flush *flush;
	size_t range;
	pw_va at;
	bool inside; /* `at` is the next address of the range */
};

static struct addresses addresses_of(const struct pw_format *format, const struct pw_flush *flush)
{
	return (struct addresses){.format = format, .flush = flush};
}

static bool next_address(struct addresses *a, pw_va *va)
{
	const struct pw_flush_range *range;
	pw_va last;

	if (a->range == a->flush->range_count)
		return false;
	range = &a->flush->ranges[a->range];
	*va = a->inside ? a->at : range->first;
	last = *va | PW_LOW(a->format->level[range->level].shift);
	a->inside = last < range->last;
	a->at = last + 1;
	a->range += !a->inside;
	return true;
}

/* True: few enough to be named one by one. */
static bool are_few(
	const struct pw_format *format, const struct pw_flush *flush, size_t limit, size_t *count)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < flush->range_count && pages <= limit; i++) {
		const struct pw_flush_range *range = &flush->ranges[i];
		unsigned shift = format->level[range->level].shift;
		uint64_t more = (range->last >> shift) - (range->first >> shift);

		if (more >= limit)
			return false;
		pages += more + 1;
	}
	*count = (size_t)pages;
	return !flush->everything && pages <= limit;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- x86 ---- */

static struct pw_x86_op everything_x86(const struct pw_x86_use *use)
{
	if (use->global)
		return (struct pw_x86_op){.what = PW_INVPCID_ALL_GLOBAL};
	if (!use->current && use->has_invpcid)
		return (struct pw_x86_op){.what = PW_INVPCID_CONTEXT, .pcid = use->pcid};
	return (struct pw_x86_op){.what = PW_LOAD_CR3, .pcid = use->pcid};
}

/* In PAE the root's entries are in registers, which CR3 alone reloads. */
static bool loads_registers(const struct pw_format *format)
{
	return format->family == PW_FAMILY_X86 && format->levels == 3;
}

size_t pw_invalidate_x86(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_x86_use *use, struct pw_x86_op *ops, size_t max)
{
	struct addresses a = addresses_of(format, flush);
	/* Of another PCID's global pages INVPCID type 0 spares the translations. */
	bool by_address = use->current || (use->has_invpcid && !use->global);
	size_t count, n = 0;
	pw_va va;

	if (is_empty(flush))
		return 0;
	if (by_address && are_few(format, flush, least(use->pages, max), &count)) {
		while (next_address(&a, &va))
			ops[n++] = (struct pw_x86_op){
				use->current ? PW_INVLPG : PW_INVPCID_ADDRESS, use->pcid, va};
		return n;
	}
	ops[n++] = everything_x86(use);
	if (flush->everything && loads_registers(format) && use->global)
		ops[n++] = (struct pw_x86_op){.what = PW_LOAD_CR3, .pcid = use->pcid};
	return n;
}

size_t pw_invalidate_ept(const struct pw_flush *flush, uint64_t eptp, bool has_single_context,
	struct pw_invept_op *op)
{
	if (is_empty(flush))
		return 0;
	*op = (struct pw_invept_op){has_single_context ? 1 : 2, {has_single_context ? eptp : 0, 0}};
	return 1;
}

uint8_t pw_invalidate_npt(const struct pw_flush *flush, bool has_flush_by_asid)
{
	if (is_empty(flush))
		return 0;
	return has_flush_by_asid ? 3 : 1;
}

/* ---- AArch64 ---- */

static bool is_stage_2(const struct pw_format *format)
{
	return !format->has_user;
}

static uint64_t tlbi_operand(pw_va va, bool stage_2, uint16_t asid)
{
	return (va >> 12 & PW_LOW(stage_2 ? 40 : 44)) | (stage_2 ? 0 : (uint64_t)asid << 48);
}

/*
 * Bits 47:44, TTL: the granule, and the manual's level of the leaves. Its level 0 is encoded for
 * 52-bit addresses only, as is level 1 of the 16 KiB granule; 0 is no hint.
 */
static uint64_t level_hint(const struct pw_format *format, const struct pw_flush_range *range)
{
	unsigned shift = format->level[0].shift, level = range->level;
	uint64_t granule = shift == 12 ? 1 : shift == 14 ? 2 : 3;

	if (range->tables || level != range->highest || level > 2 || (shift == 14 && level > 1))
		return 0;
	return (granule << 2 | (3 - level)) << 44;
}

static enum pw_tlbi tlbi_of(bool stage_2, bool global, bool tables)
{
	if (stage_2)
		return tables ? PW_TLBI_IPAS2E1IS : PW_TLBI_IPAS2LE1IS;
	if (global)
		return tables ? PW_TLBI_VAAE1IS : PW_TLBI_VAALE1IS;
	return tables ? PW_TLBI_VAE1IS : PW_TLBI_VALE1IS;
}

static struct pw_tlbi_op everything_arm64(bool stage_2, const struct pw_arm_use *use)
{
	if (stage_2)
		return (struct pw_tlbi_op){PW_TLBI_VMALLS12E1IS, 0};
	if (use->global)
		return (struct pw_tlbi_op){PW_TLBI_VMALLE1IS, 0};
	return (struct pw_tlbi_op){PW_TLBI_ASIDE1IS, (uint64_t)use->asid << 48};
}

size_t pw_invalidate_arm64(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_arm_use *use, struct pw_tlbi_op *ops, size_t max)
{
	struct addresses a = addresses_of(format, flush);
	bool stage_2 = is_stage_2(format);
	size_t count, n = 0, range;
	pw_va va;

	if (is_empty(flush))
		return 0;
	if (!are_few(format, flush, least(use->pages, max - stage_2), &count)) {
		ops[0] = everything_arm64(stage_2, use);
		return 1;
	}
	for (range = 0; next_address(&a, &va); range = a.range)
		ops[n++] = (struct pw_tlbi_op){
			tlbi_of(stage_2, use->global, flush->ranges[range].tables),
			tlbi_operand(va, stage_2, use->global ? 0 : use->asid) |
				(use->has_ttl ? level_hint(format, &flush->ranges[range]) : 0)};
	/* Translations that combine both stages are not found by IPA. */
	if (stage_2)
		ops[n++] = (struct pw_tlbi_op){PW_TLBI_VMALLE1IS, 0};
	return n;
}

/* ---- AArch32 ---- */

static enum pw_tlbi32 tlbi32_of(const struct pw_arm_use *use, bool tables)
{
	if (tables || !use->has_last_level)
		return use->global ? PW_TLBI32_MVAAIS : PW_TLBI32_MVAIS;
	return use->global ? PW_TLBI32_MVAALIS : PW_TLBI32_MVALIS;
}

size_t pw_invalidate_arm32(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_arm_use *use, struct pw_tlbi32_op *ops, size_t max)
{
	struct addresses a = addresses_of(format, flush);
	uint32_t asid = use->global ? 0 : use->asid & 0xff;
	size_t count, n = 0, range;
	pw_va va;

	if (is_empty(flush))
		return 0;
	if (!are_few(format, flush, least(use->pages, max), &count)) {
		ops[0] = (struct pw_tlbi32_op){
			use->global ? PW_TLBI32_ALLIS : PW_TLBI32_ASIDIS, asid};
		return 1;
	}
	for (range = 0; next_address(&a, &va); range = a.range)
		ops[n++] = (struct pw_tlbi32_op){tlbi32_of(use, flush->ranges[range].tables),
			((uint32_t)va & ~UINT32_C(0xfff)) | asid};
	return n;
}

/* ---- RISC-V ---- */

/* The guest stage's format: addresses extended by zeros, and no user to tell apart. */
static bool is_guest_stage(const struct pw_format *format)
{
	return !format->has_user;
}

size_t pw_invalidate_riscv(const struct pw_format *format, const struct pw_flush *flush,
	const struct pw_riscv_use *use, struct pw_fence_op *ops, size_t max)
{
	struct addresses a = addresses_of(format, flush);
	bool guest = is_guest_stage(format);
	struct pw_fence_op op = {.all_addresses = true,
		.all_asids = use->global && !guest,
		.is_gvma = guest,
		.rs2 = use->asid};
	size_t count, n = 0;
	pw_va va;

	if (is_empty(flush))
		return 0;
	if (op.all_asids)
		op.rs2 = 0;
	/* An address names leaf entries only. */
	if (has_tables(flush) || !are_few(format, flush, least(use->pages, max), &count)) {
		ops[0] = op;
		return 1;
	}
	op.all_addresses = false;
	while (next_address(&a, &va)) {
		op.rs1 = guest ? va >> 2 : va;
		ops[n++] = op;
	}
	return n;
}
