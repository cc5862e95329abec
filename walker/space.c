/* SPDX-License-Identifier: MIT */
/* Making a space: everything that can be decided once, is decided here. */
#include "space.h"
#include "linear.h"
#include "quick.h"
#include "rules.h"

static bool windows_are_sound(const struct pw_memory *memory)
{
	if (memory->window_count && !memory->windows)
		return false;
	for (size_t i = 0; i < memory->window_count; i++) {
		const struct pw_window *w = &memory->windows[i];

		if (w->size && (!w->host || w->base + (w->size - 1) < w->base))
			return false;
		if (((uintptr_t)w->host ^ w->base) & 7)
			return false;
	}
	return true;
}

static void set_reserved(struct pw_space *space)
{
	const struct pw_format *format = space->format;

	for (unsigned i = 0; i < format->levels; i++) {
		const struct pw_level *level = &format->level[i];

		space->reserved_table[i] = pw_reserved_table(format, i, space->pa_bits);
		space->reserved_page[i] = pw_reserved_page(format, &level->page, space->pa_bits);
		space->reserved_span[i] = pw_reserved_page(format, &level->span, space->pa_bits);
	}
}

enum pw_status pw_space_prepare(struct pw_space *space, const struct pw_format *format, pw_pa root,
	const struct pw_memory *memory, unsigned pa_bits)
{
	if (!space || !format || !memory || format->levels > PW_MAX_LEVELS ||
		!windows_are_sound(memory))
		return PW_E_ARGUMENT;
	if (pa_bits > 64 || (pa_bits && pa_bits < 12))
		return PW_E_ARGUMENT;

	*space = (struct pw_space){.format = format, .root = root, .memory = memory};
	space->pa_bits = pa_bits && pa_bits < format->pa_bits ? (uint8_t)pa_bits : format->pa_bits;
	space->extension = format->extension;
	space->need_accessed = format->need_accessed;
	space->need_dirty = format->need_dirty;
	for (unsigned i = 0; i < PW_RIGHTS_TABLE; i++)
		space->grant[i] = format->grant[i];
	set_reserved(space);
	if (memory->window_count) {
		space->window = memory->windows[0];
		if (space->window.size >= format->entry_bytes)
			space->window_reach = space->window.size - format->entry_bytes + 1;
	}
	if (format->levels && root & (pw_root_align(format) - 1))
		return PW_E_ALIGNMENT;
	return PW_OK;
}

/* The bytes of struct pw_result from `rights` on. */
static uint32_t packed(pw_grant grant)
{
	uint32_t rights = grant >> 12, user = grant & 7, supervisor = grant >> 4 & 7;

	return rights | user << 8 | supervisor << 16 | (grant >> 8 & 7u) << 24;
}

/* Bit n of the answer: access n, of those without a modifier, is one of these rights. */
static uint64_t accesses_of(unsigned rwx)
{
	const uint64_t read = rwx & PW_R, write = rwx >> 1 & 1, fetch = rwx >> 2 & 1;

	return read << PW_ACCESS_READ | write << PW_ACCESS_WRITE | fetch << PW_ACCESS_FETCH;
}

static uint64_t allowed(pw_grant grant)
{
	uint64_t implicit = accesses_of(grant >> 8 & 7);

	return UINT64_C(1) << PW_ACCESS_ANY | accesses_of(grant >> 4 & 7) |
	       accesses_of(grant & 7) << PW_ACCESS_USER | implicit << PW_ACCESS_IMPLICIT |
	       implicit << (PW_ACCESS_IMPLICIT | PW_ACCESS_USER);
}

/*
 * Pages with protection key 0 alone, where key 0 refuses nothing, need no look at the keys. False:
 * every access has to be judged in full.
 */
static bool keys_are_quick(struct pw_space *space)
{
	const struct pw_format *format = space->format;
	uint32_t refused = (space->flags & PW_SPACE_PKE ? space->pkru : 0) |
			   (space->flags & PW_SPACE_PKS ? space->pkrs : 0);

	if (!(space->flags & (PW_SPACE_PKE | PW_SPACE_PKS)))
		return true;
	for (unsigned i = 0; i < format->levels; i++)
		space->quick_page[i] |= PW_LOW(format->key_bits) << format->key_bit;
	return !(refused & 3);
}

/* The quick paths begin without a check of the root's table: all of it is in the window. */
static void find_root(struct pw_space *space)
{
	const struct pw_format *format = space->format;
	unsigned level = format->levels - 1u;

	space->quick_root = pw_first_window(space, space->root, pw_table_bytes(format, level));
	if (space->quick_root)
		space->quick_roots = PW_BIT(format->level[level].index_bits);
}

static void finish_entry_masks(struct pw_space *space)
{
	const struct pw_format *format = space->format;

	space->quick_address = format->level[0].page.address & ~space->address_clear;
	for (unsigned i = 0; i < format->levels; i++) {
		space->quick_reserved |= space->reserved_table[i] & ~format->level[i].table_mask;
		space->quick_page[i] = space->reserved_page[i];
	}
}

/*
 * As stage 2 of the quick two-stage walk: the same tables, but for EPT by R, W and X. What lacks R
 * or P is not for it, nor is what goes by the CPU's mode.
 */
static void finish_stage2(struct pw_space *space)
{
	bool ept = space->format == &pw_format_ept_4;

	if (space->address_clear || space->stage2 & PW_STAGE2_GMET)
		return;
	find_root(space);
	if (!space->quick_root)
		return;
	space->engine = ept ? PW_ENGINE_EPT_4 : PW_ENGINE_NPT_4;
	finish_entry_masks(space);
	for (unsigned i = 0; i < 8; i++) {
		unsigned index = ept ? pw_quick_index(i, 0) : pw_quick_index_of(i);

		if (ept && !(i & PW_R))
			continue;
		space->quick_allowed[index] = allowed(space->grant[i]);
		space->quick_grant[index] = packed(space->grant[i]);
		/* Bit 63 of an EPT entry is no XD. */
		if (ept) {
			space->quick_allowed[index | 1] = space->quick_allowed[index];
			space->quick_grant[index | 1] = space->quick_grant[index];
		}
	}
}

/*
 * The quick path serves what is decided by the entries, one window and the folded rights alone;
 * everything else takes the full path.
 */
void pw_space_finish(struct pw_space *space)
{
	const struct pw_format *format = space->format;

	if (space->need_accessed | space->need_dirty)
		space->flags |= PW_SPACE_CAREFUL;
	if (format == &pw_format_ept_4 || format == &pw_format_npt_4)
		finish_stage2(space);
	if (format != &pw_format_x86_64 || pw_has_linear_rules(space))
		return;
	space->engine = space->memory->window_count || !space->memory->read_pte
				? PW_ENGINE_X86_64
				: PW_ENGINE_X86_64_BY_CALLBACK;
	finish_entry_masks(space);
	if (!keys_are_quick(space))
		return;
	find_root(space);
	space->quick_unusual = space->quick_reserved | PW_BIT(63);
	space->quick_reach = space->window.base ? 0 : space->window_reach;
	space->quick_accesses = allowed((pw_grant)~0u);
	for (unsigned i = 0; i < 8; i++) {
		unsigned index = pw_quick_index_of(i);

		space->quick_allowed[index] = allowed(space->grant[i]);
		space->quick_grant[index] = packed(space->grant[i]);
	}
}

void pw_space_move(struct pw_space *space, const struct pw_memory *memory)
{
	space->memory = memory;
	space->window = (struct pw_window){.size = 0};
	space->window_reach = space->quick_reach = space->quick_roots = 0;
	space->quick_accesses = 0;
	space->engine = PW_ENGINE_ANY;
}

uint64_t pw_root_align(const struct pw_format *format)
{
	if (format->root_align || !format->levels)
		return format->root_align ? format->root_align : 1;
	return pw_table_bytes(format, format->levels - 1u);
}

/* Rewrites every grant: user and supervisor rights in, the new supervisor rights out. */
static void apply_riscv(struct pw_space *space, const struct pw_rules *rules)
{
	for (unsigned i = 0; i < PW_RIGHTS_TABLE; i++) {
		unsigned user = space->grant[i] & 7, supervisor = space->grant[i] >> 4 & 7;

		if (rules->riscv_mxr) {
			user |= user & PW_X ? PW_R : 0;
			supervisor |= supervisor & PW_X ? PW_R : 0;
		}
		if (rules->riscv_sum && space->format->has_user && user)
			supervisor = user & (PW_R | PW_W);
		space->grant[i] =
			space->format->has_user ? PW_GRANT(user, supervisor) : PW_GRANT_ALL(user);
	}
	if (rules->riscv_hardware_ad)
		space->need_accessed = space->need_dirty = 0;
	/* N, which pages of one entry never have. */
	if (!rules->riscv_napot)
		space->reserved_span[0] |=
			space->format->level[0].span.value & space->format->level[0].page.reserved;
}

static void apply_arm(struct pw_space *space, const struct pw_rules *rules)
{
	if (rules->arm_access_flag_fault && space->format->entry_bytes == 8)
		space->need_accessed = space->format->level[0].page.accessed;
	for (unsigned i = 0; i < PW_RIGHTS_TABLE && rules->arm_pan; i++) {
		unsigned user = space->grant[i] & 7, supervisor = space->grant[i] >> 4 & 7;

		if (space->format->has_user && user & (PW_R | PW_W))
			space->grant[i] = PW_GRANT(user, supervisor & PW_X);
	}
}

enum pw_status pw_space_init_rules(struct pw_space *space, const struct pw_format *format,
	pw_pa root, const struct pw_memory *memory, const struct pw_rules *rules)
{
	static const struct pw_rules none = {.pa_bits = 0};

	if (!rules)
		rules = &none;

	format = pw_stage2_row(format, rules);

	enum pw_status status = pw_space_prepare(space, format, root, memory, rules->pa_bits);

	if (status != PW_OK)
		return status;
	if (rules->arm_high) {
		if (format->family != PW_FAMILY_ARM || !format->has_user || format->va_bits <= 32)
			return PW_E_ARGUMENT;
		space->extension = PW_ONE_EXTENDED;
	}
	pw_stage2_apply(space, rules);
	if (format->family == PW_FAMILY_RISCV)
		apply_riscv(space, rules);
	if (format->family == PW_FAMILY_ARM)
		apply_arm(space, rules);
	/* CR0.WP is taken to be on, and EFER.NXE where the entries have XD. */
	if (format->family == PW_FAMILY_X86)
		space->flags |= PW_SPACE_WP;
	if (format->family == PW_FAMILY_X86 && format->entry_bytes == 8)
		space->flags |= PW_SPACE_FETCH_BIT;
	pw_space_finish(space);
	return PW_OK;
}

enum pw_status pw_space_init(struct pw_space *space, const struct pw_format *format, pw_pa root,
	const struct pw_memory *memory)
{
	return pw_space_init_rules(space, format, root, memory, NULL);
}

bool pw_is_empty(const struct pw_format *format, uint64_t entry)
{
	for (unsigned i = 0; i < format->levels; i++) {
		if (pw_is_present(&format->level[i], entry))
			return !entry; /* a format of which 0 is no hole is what it is */
	}
	return !(entry & ~PW_LOW(8u * format->entry_bytes));
}

enum pw_status pw_space_set_empty(struct pw_space *space, uint64_t empty)
{
	if (!space || !space->format || !pw_is_empty(space->format, empty))
		return PW_E_ARGUMENT;
	space->empty = empty;
	return PW_OK;
}

/* ---- Reaching memory beyond the first window ---- */

bool pw_load_elsewhere(const struct pw_space *space, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	char *at = pw_window_at(space->memory, pa, bytes, false);

	if (at) {
		*entry = pw_peek(space->format, at);
		return true;
	}
	return space->memory->read_pte &&
	       space->memory->read_pte(space->memory->ctx, pa, bytes, entry);
}

char *pw_window_at(const struct pw_memory *memory, pw_pa pa, uint64_t bytes, bool write)
{
	for (size_t i = 0; i < memory->window_count; i++) {
		const struct pw_window *w = &memory->windows[i];
		uint64_t offset = pa - w->base;

		if (offset < w->size && w->size - offset >= bytes)
			return write && w->read_only ? NULL : (char *)w->host + offset;
	}
	return NULL;
}
