/* SPDX-License-Identifier: MIT */
/* Builds the tables of both stages. */
#include "nested_world.h"

#define TABLES      24
#define SUBJECT     (UINT64_C(515) << 30)
#define SUBJECT_LOW (UINT64_C(3) << 30) /* also for PAE paging: its CR3 has 32 bits */
#define PLAIN_SIZE  (UINT64_C(1) << 25)
#define LEAF_BITS   (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define TABLE_BITS  (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)

#define CR0_PE   1u
#define CR0_ET   (1u << 4)
#define CR0_NE   (1u << 5)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)

extern char guest_end[]; /* link.ld */

static _Alignas(4096) uint64_t tables[TABLES][512];
static size_t used;

_Alignas(4096) uint64_t nested_data[512];
_Alignas(4096) uint64_t nested_guest_tables[NESTED_GUEST_LEVELS][512];
static _Alignas(4096) uint64_t code_pd[512], code_pdpt[512];
static _Alignas(4096) uint64_t code_pdptes[4], nested_pdptes[4];

static struct pw_window window;

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	(void)ctx;
	if (used == TABLES || bytes != sizeof tables[0])
		return false;
	*pa = (uintptr_t)tables[used++];
	return true;
}

uint64_t (*nested_world_tables(size_t *count))[512]
{
	*count = used;
	return tables;
}

uint8_t nested_address_width(void)
{
	static uint8_t width;

	if (!width)
		width = (uint8_t)x86_cpuid(0x80000008u).eax;
	return width;
}

/* Some processors have 39 address bits, one less than the subject's usual place needs. */
static bool is_narrow(void)
{
	return nested_address_width() < 40;
}

unsigned nested_last_private_level(void)
{
	return is_narrow() ? 2 : 3;
}

bool nested_has_smep(void)
{
	return x86_cpuid(7).ebx & CPUID_7_EBX_SMEP;
}

bool nested_has_smap(void)
{
	return x86_cpuid(7).ebx & CPUID_7_EBX_SMAP;
}

uint64_t nested_target(void)
{
	return NESTED_TARGET + (uintptr_t)nested_data;
}

/* ---- The nested guest's own tables ---- */

static uint64_t gpa_of(const struct nested_world *world, unsigned subject, const void *what)
{
	return (world->c->subject == subject ? world->subject : NESTED_PLAIN) + (uintptr_t)what;
}

uint64_t *nested_guest_entry(unsigned level)
{
	return &nested_guest_tables[level][nested_target() >> (12 + 9 * level) & 511];
}

uint64_t nested_page_gpa(const struct nested_world *world)
{
	return gpa_of(world, NESTED_PAGE, nested_data);
}

uint64_t nested_entry_gpa(const struct nested_world *world, unsigned level)
{
	return gpa_of(world, level, nested_guest_entry(level));
}

static void set_code(struct nested_world *world)
{
	uint64_t bits = LEAF_BITS | PTE_LARGE;
	unsigned pdpt_index = NESTED_CODE >> 30, pd_index = world->guest.rip >> 21 & 511;

	if (!world->guest.user)
		bits &= ~PTE_USER; /* SMEP and SMAP shall not stop the code */
	for (unsigned i = 0; i < PLAIN_SIZE >> 21; i++)
		code_pd[i] = (NESTED_PLAIN + ((uint64_t)i << 21)) | bits;
	code_pdpt[pdpt_index] = (NESTED_PLAIN + (uintptr_t)code_pd) | TABLE_BITS;
	nested_guest_tables[3][0] = (NESTED_PLAIN + (uintptr_t)code_pdpt) | TABLE_BITS;
	world->guest.cr3 = gpa_of(world, NESTED_PML4, nested_guest_tables[3]);
	world->code_walk[0] = world->guest.cr3;
	world->code_walk[1] = NESTED_PLAIN + (uintptr_t)&code_pdpt[pdpt_index];
	world->code_walk[2] = NESTED_PLAIN + (uintptr_t)&code_pd[pd_index];
	world->code_walk_count = 3;
}

/*
 * PAE paging, with nothing but the program itself, mapped where it lies. Two sets of PDPTEs: those
 * in force, in plain memory, and those that the nested guest goes over to.
 */
static void set_pae(struct nested_world *world)
{
	const struct nested_case *c = world->c;
	uint64_t pdpte = (NESTED_PLAIN + (uintptr_t)code_pd) | PTE_PRESENT;

	code_pdptes[0] = nested_pdptes[0] = pdpte;
	for (unsigned i = 1; i < 4; i++)
		code_pdptes[i] = nested_pdptes[i] = 0;
	nested_pdptes[c->guest_level] &= ~c->guest_clear;
	nested_pdptes[c->guest_level] |= c->guest_set;
	world->guest.pdpte[0] = pdpte;
	world->guest.rip = (uintptr_t)nested_load_cr3;
	world->guest.rax = world->subject + (uintptr_t)nested_pdptes;
	world->guest.cr3 = NESTED_PLAIN + (uintptr_t)code_pdptes;
	world->guest.efer &= ~(EFER_LME | EFER_LMA);
	world->code_walk_count = 0;
	if (nested_is_amd)
		world->code_walk[world->code_walk_count++] = world->guest.cr3;
	world->code_walk[world->code_walk_count++] =
		NESTED_PLAIN + (uintptr_t)&code_pd[world->guest.rip >> 21];
}

static void set_target(struct nested_world *world)
{
	const struct nested_case *c = world->c;
	uint64_t size = UINT64_C(4096) << (9 * c->guest_leaf);

	for (unsigned level = c->guest_leaf; level < NESTED_GUEST_LEVELS; level++) {
		uint64_t *entry = nested_guest_entry(level);

		if (level > c->guest_leaf)
			*entry = gpa_of(world, level - 1, nested_guest_tables[level - 1]) |
				 TABLE_BITS;
		else
			*entry = (nested_page_gpa(world) & -size) | LEAF_BITS |
				 (level ? PTE_LARGE : 0);
		if (level == c->guest_level)
			*entry = (*entry & ~c->guest_clear) | c->guest_set;
		world->guest_before[level] = *entry;
	}
}

static const char *code_for(uint32_t access)
{
	if (access & NESTED_ACCESS_CHANGE)
		return nested_change;
	if (access & NESTED_ACCESS_EXCHANGE)
		return nested_exchange;
	if (access & GUEST_ACCESS_WRITE)
		return nested_write;
	return access & GUEST_ACCESS_FETCH ? nested_fetch : nested_read;
}

static void set_guest(struct nested_world *world)
{
	const struct nested_case *c = world->c;

	world->guest = (struct nested_guest){
		.rip = NESTED_CODE + (uintptr_t)code_for(c->access),
		.rax = NESTED_VALUE,
		.rdi = nested_target(),
		.cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_PE |
		       (c->control & NESTED_CONTROL_NO_WP ? 0 : CR0_WP),
		.cr4 = CR4_PAE | (c->control & NESTED_CONTROL_SMEP ? CR4_SMEP : 0) |
		       (c->control & NESTED_CONTROL_SMAP ? CR4_SMAP : 0),
		.efer = EFER_LME | EFER_LMA | (c->control & NESTED_CONTROL_NO_NXE ? 0 : EFER_NXE),
		.user = c->access & GUEST_ACCESS_USER,
	};
	set_code(world);
	if (c->subject == NESTED_PDPTES)
		set_pae(world);
	else
		set_target(world);
	if (c->access & NESTED_ACCESS_START) {
		world->guest.rip = nested_target();
		world->code_walk_count = 0;
	}
}

/* ---- The second stage ---- */

static const void *subject_of(const struct nested_case *c)
{
	if (c->subject == NESTED_PDPTES)
		return nested_pdptes;
	return c->subject == NESTED_PAGE ? nested_data : nested_guest_tables[c->subject];
}

static uint64_t *second_entry(struct nested_world *world, unsigned level)
{
	struct pw_trace_step steps[PW_MAX_LEVELS];
	uint64_t gpa = world->subject + (uintptr_t)subject_of(world->c);
	struct pw_result result;
	size_t count;

	if (pw_translate_trace(&world->second, gpa, PW_ACCESS_ANY, &result, steps, &count) != PW_OK)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (steps[i].level == level)
			return (uint64_t *)(uintptr_t)(steps[i].table + steps[i].index * 8);
	return NULL;
}

static bool expect_ok(enum pw_status status, const char *what)
{
	if (status == PW_OK)
		return true;
	nested_print("FAIL the library refuses %s: %s\n", what, pw_status_name(status));
	nested_count(false);
	return false;
}

static bool set_second(struct nested_world *world)
{
	const struct nested_case *c = world->c;
	uint64_t size = UINT64_C(4096) << (9 * c->leaf);
	uint64_t hpa = (uintptr_t)subject_of(c) & -size;
	pw_rights all = nested_second_rights(c);
	pw_pa root;

	if (!expect_ok(pw_root_create(nested_second_format(c), &world->memory, &root), "a root") ||
		!expect_ok(nested_second_space(world, root), "a space") ||
		!expect_ok(pw_map(&world->second, NESTED_PLAIN, 0, PLAIN_SIZE, all, NULL),
			"plain memory") ||
		!expect_ok(pw_map(&world->second, world->subject + hpa, hpa, size,
				   c->rights ? c->rights : all, NULL),
			"the subject"))
		return false;
	world->spoilt = second_entry(world, c->level > c->leaf ? c->level : c->leaf);
	*world->spoilt = (*world->spoilt & ~c->clear) | c->set;
	world->spoilt_before = *world->spoilt;
	return true;
}

bool nested_world_build(struct nested_world *world, const struct nested_case *c)
{
	used = 0;
	window = (struct pw_window){
		.base = 4096, .size = (uintptr_t)guest_end - 4096, .host = (void *)4096};
	*world = (struct nested_world){
		.c = c,
		.subject = c->subject == NESTED_PDPTES || is_narrow() ? SUBJECT_LOW : SUBJECT,
		.memory = {.windows = &window, .window_count = 1, .allocate_table = allocate_table},
	};
	nested_data[0] = NESTED_PATTERN;
	set_guest(world);
	return set_second(world);
}
