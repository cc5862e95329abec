/* SPDX-License-Identifier: MIT */
#include "nested_world.h"

#include <stdlib.h>
#include <string.h>

#define MACHINE_BYTES (NESTED_GUEST_BYTES + NESTED_TABLES_BYTES)

/* Not assert(): a test's mistake must show in every build type. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct slow_memory *machine = ctx;
	uint64_t offset = pa - machine->base, value = 0;

	if (offset >= machine->size || machine->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)machine->bytes[offset + i] << (8 * i);
	*entry = value;
	return true;
}

void nested_world_begin(struct nested_world *w, uint64_t seed, uint64_t base)
{
	uint8_t *bytes = aligned_alloc(4096, MACHINE_BYTES);

	must(bytes != NULL);
	*w = (struct nested_world){.random = random_from(seed)};
	w->guest = (struct image){bytes, 0, NESTED_GUEST_BYTES};
	w->tables = (struct image){
		bytes + NESTED_GUEST_BYTES, base + NESTED_GUEST_BYTES, NESTED_TABLES_BYTES};
	w->machine = (struct slow_memory){.bytes = bytes, .base = base, .size = MACHINE_BYTES};
	w->guest_physical = (struct slow_memory){.bytes = bytes, .size = NESTED_GUEST_BYTES};
	w->window = (struct pw_window){base, MACHINE_BYTES, bytes, true};
	w->windows = (struct pw_memory){.windows = &w->window, .window_count = 1};
	w->callbacks = (struct pw_memory){.read_pte = read_pte, .ctx = &w->machine};
	memset(bytes, 0, MACHINE_BYTES);
}

/* ---- Stage 2 ---- */

static bool maybe(struct nested_world *w)
{
	return random_once_in(&w->random, 2);
}

static uint64_t low(unsigned bits)
{
	return (UINT64_C(1) << bits) - 1;
}

/* Where the guest's memory is, or somewhere in the machine. */
static uint64_t frame_for(struct nested_world *w, uint64_t gpa)
{
	if (gpa < NESTED_GUEST_BYTES && !random_once_in(&w->random, 60))
		return w->machine.base + gpa;
	return w->machine.base + random_below(&w->random, MACHINE_BYTES / 4096) * 4096;
}

/* So much that tables of stage 1 are within reach. */
static uint64_t most_rights(unsigned family)
{
	switch (family) {
	case PW_FAMILY_EPT:
		return 0x3;
	case PW_FAMILY_NPT:
		return 0x6;
	case PW_FAMILY_RISCV:
		return 0xd6;
	default:
		return 0x4c0;
	}
}

static uint64_t leaf(struct nested_world *w, unsigned level, uint64_t gpa)
{
	const struct pw_format *f = w->two.format;
	const struct pw_page *shape = &f->level[level].page;
	uint64_t entry = random_page_entry(&w->random, f, level);

	entry &= ~(shape->address | shape->high[0].mask);
	if (!random_once_in(&w->random, 12))
		entry |= most_rights(f->family);
	if (!random_once_in(&w->random, 12))
		entry &= ~shape->reserved;
	if (f->family == PW_FAMILY_EPT && maybe(w))
		entry = (entry & ~UINT64_C(0x38)) | 0x30; /* write back */
	return entry | (frame_for(w, gpa) >> f->address_left & shape->address);
}

/* A path for gpa, along the tables that are there. */
static void map_gpa(struct nested_world *w, uint64_t gpa)
{
	const struct pw_format *f = w->two.format;
	uint64_t table = w->two.root, next;

	for (unsigned level = f->levels; level-- > 0;) {
		const struct pw_level *row = &f->level[level];
		uint64_t at = table + (gpa >> row->shift & low(row->index_bits)) * f->entry_bytes;
		bool page = level == 0 || (row->page.size_log2 && random_once_in(&w->random, 4));
		uint64_t entry = 0;

		if (!read_pte(&w->machine, at, f->entry_bytes, &entry))
			return;
		next = pw_entry_address(f, level, entry);
		if (pw_entry_is_table(f, level, entry) && next >= w->tables.base &&
			next < w->tables.base + NESTED_TABLES_BYTES &&
			!random_once_in(&w->random, 100)) {
			table = next;
			continue;
		}
		if (pw_entry_is_page(f, level, entry) && random_once_in(&w->random, 2))
			return;
		entry = page ? leaf(w, level, gpa)
			     : random_table_entry(&w->random, &w->tables, f, level, &next);
		if (random_once_in(&w->random, 100))
			entry ^= UINT64_C(1) << random_below(&w->random, 8u * f->entry_bytes);
		image_store(&w->tables, at, f->entry_bytes, entry);
		table = next;
		if (page)
			return;
	}
}

/* ---- The rules of both stages ---- */

static uint64_t root_in(
	struct nested_world *w, const struct image *image, const struct pw_format *format)
{
	uint64_t bytes = format->levels ? pw_table_bytes(format, format->levels - 1u) : 4096;

	if (bytes < 4096 && format->levels != 3)
		bytes = 4096;
	return image->base + random_below(&w->random, image->size / bytes) * bytes;
}

static void x86_guest(struct nested_world *w, const char *name, uint64_t root)
{
	struct slow_config *c = &w->pair.one;
	struct pw_x86_state s = {.cr3 = root};

	c->cr0_wp = maybe(w);
	c->efer_nxe = maybe(w);
	c->cr4_smep = maybe(w);
	c->cr4_smap = maybe(w);
	c->cr4_cet = c->cr0_wp && maybe(w);
	s.cr0 = PW_CR0_PE | PW_CR0_PG | (c->cr0_wp ? PW_CR0_WP : 0);
	s.cr4 = PW_CR4_PSE | (c->cr4_smep ? PW_CR4_SMEP : 0) | (c->cr4_smap ? PW_CR4_SMAP : 0) |
		(c->cr4_cet ? PW_CR4_CET : 0);
	s.efer = c->efer_nxe ? PW_EFER_NXE : 0;
	if (strcmp(name, "x86-32"))
		s.cr4 |= PW_CR4_PAE;
	if (!strncmp(name, "x86-64", 6))
		s.efer |= PW_EFER_LMA | PW_EFER_LME;
	if (!strcmp(name, "x86-64-la57"))
		s.cr4 |= PW_CR4_LA57;
	if (!strcmp(name, "x86-none"))
		s = (struct pw_x86_state){.cr0 = PW_CR0_PE};
	must(pw_space_init_x86(&w->one, &s, &w->callbacks, NULL) == PW_OK);
}

static void other_guest(struct nested_world *w, const struct pw_format *format, uint64_t root)
{
	struct slow_config *c = &w->pair.one;
	struct pw_rules rules = {.riscv_sum = maybe(w),
		.riscv_mxr = maybe(w),
		.riscv_hardware_ad = maybe(w),
		.riscv_napot = maybe(w),
		.arm_access_flag_fault = maybe(w)};

	c->riscv_sum = rules.riscv_sum;
	c->riscv_mxr = rules.riscv_mxr;
	c->riscv_svade = !rules.riscv_hardware_ad;
	c->riscv_svnapot = rules.riscv_napot;
	c->arm_access_flag = rules.arm_access_flag_fault;
	must(pw_space_init_rules(&w->one, format, root, &w->callbacks, &rules) == PW_OK);
}

static void second_stage(struct nested_world *w, const struct pw_format *format)
{
	struct pw_rules rules = {.ept_no_execute_only = random_once_in(&w->random, 3),
		.ept_mode_based_execute = maybe(w),
		.ept_no_accessed_dirty = maybe(w),
		.ept_shadow_stack = maybe(w),
		.ept_advanced = maybe(w),
		.npt_no_execute_disable = random_once_in(&w->random, 4),
		.npt_smep = maybe(w),
		.npt_gmet = random_once_in(&w->random, 3),
		.riscv_hardware_ad = maybe(w),
		.riscv_napot = maybe(w),
		.arm_access_flag_fault = maybe(w)};
	struct slow_config *c = &w->pair.two;
	uint64_t root = root_in(w, &w->tables, format);

	must(slow_config_tables(c, format->name, root));
	c->ept_exec_only = !rules.ept_no_execute_only;
	c->ept_mbec = rules.ept_mode_based_execute;
	c->ept_ad = !rules.ept_no_accessed_dirty;
	c->npt_gmet = rules.npt_gmet;
	c->riscv_svade = !rules.riscv_hardware_ad;
	c->riscv_svnapot = rules.riscv_napot;
	c->arm_access_flag = rules.arm_access_flag_fault;
	if (format->family == PW_FAMILY_NPT)
		c->efer_nxe = !rules.npt_no_execute_disable;
	w->pair.ept_advanced = rules.ept_advanced;
	w->pair.ept_shadow = rules.ept_shadow_stack;
	w->pair.npt_smep = rules.npt_smep;
	must(pw_space_init_rules(&w->two, format, root, &w->windows, &rules) == PW_OK);
	must(pw_space_init_rules(&w->two_by_callbacks, format, root, &w->callbacks, &rules) ==
		PW_OK);
}

void nested_world_rules(
	struct nested_world *w, const struct pw_format *one, const struct pw_format *two)
{
	w->root = root_in(w, &w->guest, one);
	must(slow_config_tables(&w->pair.one, one->name, w->root));
	memset(w->tables.bytes, 0, (size_t)w->tables.size);
	second_stage(w, two);
	if (one->family == PW_FAMILY_X86)
		x86_guest(w, one->name, w->root);
	else
		other_guest(w, one, w->root);
}

void nested_world_end(struct nested_world *w)
{
	free(w->guest.bytes);
}

/* ---- Paths ---- */

void nested_world_map(struct nested_world *w, uint64_t va)
{
	const struct pw_format *f = w->one.format;
	struct slow_result result;
	struct slow_reads reads;

	slow_walk_noting(&w->pair.one, &w->guest_physical, va, &result, &reads);
	for (unsigned i = 0; i < reads.count; i++)
		map_gpa(w, reads.read[i].pa);
	if (result.status != SLOW_MAPPED)
		return;
	/* The page comes to lie below 1 GiB, where every stage 2 takes it. */
	if (f->levels && !random_once_in(&w->random, 8)) {
		image_store(&w->guest, result.entry_pa, f->entry_bytes,
			result.entry & ~(f->level[result.level].page.address &
					       ~low(30) >> f->address_left));
		slow_walk_noting(&w->pair.one, &w->guest_physical, va, &result, &reads);
		if (result.status != SLOW_MAPPED)
			return;
	}
	map_gpa(w, result.pa);
}

/* ---- Comparison ---- */

static const enum slow_exit exits[PW_EXIT_COUNT] = {
	[PW_EXIT_NONE] = SLOW_EXIT_NONE,
	[PW_EXIT_GUEST] = SLOW_EXIT_GUEST,
	[PW_EXIT_EPT_VIOLATION] = SLOW_EXIT_VIOLATION,
	[PW_EXIT_EPT_MISCONFIGURATION] = SLOW_EXIT_MISCONFIGURATION,
	[PW_EXIT_NPF] = SLOW_EXIT_NPF,
	[PW_EXIT_ARM_STAGE2] = SLOW_EXIT_ARM,
	[PW_EXIT_RISCV_GUEST] = SLOW_EXIT_RISCV,
};

static const enum slow_during durings[PW_DURING_COUNT] = {
	[PW_DURING_FINAL] = SLOW_FINAL,
	[PW_DURING_TABLE] = SLOW_TABLE,
	[PW_DURING_UPDATE] = SLOW_UPDATE,
	[PW_DURING_PDPTE] = SLOW_PDPTE,
};

static unsigned letters(struct slow_rights r)
{
	return (r.read ? PW_R : 0) | (r.write ? PW_W : 0) | (r.execute ? PW_X : 0);
}

const char *nested_world_difference(
	const struct pw_nested_result *r, const struct slow_nested_result *s)
{
	static const enum slow_status status[] = {SLOW_MAPPED, SLOW_NOT_PRESENT, SLOW_RESERVED,
		SLOW_NON_CANONICAL, SLOW_NO_MEMORY, SLOW_PROTECTION, SLOW_PROTECTION_KEY,
		SLOW_ACCESS_FLAG};

	if (r->status > PW_ACCESS_FLAG || status[r->status] != s->status)
		return "status";
	if (r->stage != s->stage)
		return "stage";
	if (durings[r->during] != s->during)
		return "during";
	if (r->level != s->level)
		return "level";
	if (r->stage != 1 && r->gpa != s->gpa)
		return "gpa";
	if (exits[r->exit] != s->exit)
		return "exit";
	if (r->code != s->code || r->code_known != s->known)
		return "code";
	if (r->address_known != s->address_known || r->address != s->address)
		return "address";
	if (r->htinst != s->htinst)
		return "htinst";
	if (r->status != PW_OK)
		return NULL;
	if (r->pa != s->pa)
		return "pa";
	if (r->page_size != s->page_size)
		return "page size";
	if (r->user != letters(s->user) || r->supervisor != letters(s->supervisor))
		return "rights";
	return NULL;
}
