/* SPDX-License-Identifier: MIT */
/*
 * KVM_TRANSLATE over random tables, in every paging mode that KVM takes by KVM_SET_SREGS: the same
 * address or none, and the same bytes of memory afterwards. For KVM translates as if the guest read
 * there in supervisor mode: it obeys SMAP, it sets Accessed, and so does pw_translate_update().
 *
 * Known, explained disagreements, each counted:
 * - KVM takes addresses that are not canonical, as if the bits above were not there;
 * - KVM knows PSE-36 with 36 address bits only: bits 20:17 of a 4 MiB page are reserved to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "machine.h"
#include "random_tables.h"

#define RAM        UINT64_C(0x200000)
#define TABLES     UINT64_C(0x100000) /* in the upper half; below are the VMM's own */
#define CODE       UINT64_C(0x20000)
#define ROUNDS     600
#define PATHS      12
#define PSE36_HIGH UINT64_C(0x1e0000)

struct mode {
	const struct pw_format *format;
	enum vmm_mode boot;
	uint64_t cr4; /* beside what the boot sets */
};

struct contest {
	struct machine machine;
	struct random random;
	const struct mode *mode;
	struct image image;  /* the tables in guest RAM, */
	struct image shadow; /* and in a copy of all of it */
	uint8_t *ram, *copy;
	struct pw_window window;
	struct pw_memory memory;
	uint64_t root;
	uint64_t cr4_choices; /* what this KVM takes of SMEP and SMAP */
	uint64_t valid, invalid, not_canonical, pse36;
};

static void end(struct contest *c)
{
	free(c->copy);
	machine_destroy(&c->machine);
}

/* A register cannot hold a PDPTE with reserved bits: loading CR3 would raise #GP. */
static void mend_pdptes(struct contest *c)
{
	uint64_t *pdpte = (uint64_t *)(void *)(c->ram + c->root);
	uint64_t address =
		((UINT64_C(1) << c->machine.vcpu.model.physical_bits) - 1) & ~UINT64_C(0xfff);

	for (unsigned i = 0; i < 4; i++)
		pdpte[i] &= address | 1;
}

/* Bits above MAXPHYADDR out of the path's entries: random addresses have them all too often. */
static void tame_path(struct contest *c, uint64_t va)
{
	const struct pw_format *format = c->mode->format;
	uint64_t width = c->machine.vcpu.model.physical_bits, table = c->root, entry;
	uint64_t top = format == &pw_format_x86_pae ? 63 : 52; /* PAE has no ignored bits there */
	uint64_t above = ((UINT64_C(1) << top) - 1) & ~((UINT64_C(1) << width) - 1);

	for (unsigned level = format->levels; level-- > 0;) {
		uint64_t at = table + pw_level_index(&format->level[level], va) * 8;

		if (format->entry_bytes != 8 || at < TABLES || at >= RAM)
			return;
		memcpy(&entry, c->ram + at, sizeof entry);
		entry &= ~above;
		memcpy(c->ram + at, &entry, sizeof entry);
		memcpy(c->copy + at, &entry, sizeof entry);
		if (!pw_entry_is_table(format, level, entry))
			return;
		table = pw_entry_address(format, level, entry);
	}
}

/* The same paths in RAM and in the copy: the generator runs twice from the same state. */
static void make_paths(struct contest *c, uint64_t *va)
{
	const struct pw_format *format = c->mode->format;
	struct random before;

	c->root = TABLES + random_below(&c->random, (RAM - TABLES) / 4096) * 4096;
	for (unsigned i = 0; i < PATHS; i++) {
		va[i] = random_va(&c->random, format, false);
		if (format->va_bits == 32)
			va[i] &= UINT32_MAX;
		before = c->random;
		random_path(&c->random, &c->image, format, c->root, va[i]);
		c->random = before;
		random_path(&c->random, &c->shadow, format, c->root, va[i]);
		if (!random_once_in(&c->random, 8))
			tame_path(c, va[i]);
	}
	if (format == &pw_format_x86_pae) {
		mend_pdptes(c);
		memcpy(c->copy + c->root, c->ram + c->root, 32);
	}
}

static uint64_t maybe(struct random *random, uint64_t bits)
{
	return random_once_in(random, 2) ? bits : 0;
}

/* Some KVM refuses what the guest's CPUID does not have, some drops it. */
static uint64_t taken_by_kvm(struct contest *c, uint64_t cr4_bit)
{
	struct vmm_vcpu *vcpu = &c->machine.vcpu;
	struct kvm_sregs before, after;

	cr_assert(vmm_vcpu_get_sregs(vcpu, &before) == VMM_OK);
	after = before;
	after.cr4 |= cr4_bit;
	if (vmm_vcpu_set_sregs(vcpu, &after) != VMM_OK)
		return 0;
	cr_assert(vmm_vcpu_get_sregs(vcpu, &after) == VMM_OK);
	cr_assert(vmm_vcpu_set_sregs(vcpu, &before) == VMM_OK);
	return after.cr4 & cr4_bit;
}

static void set_registers(struct contest *c)
{
	struct vmm_vcpu *vcpu = &c->machine.vcpu;
	struct kvm_regs regs = {.rip = CODE, .rflags = 2 | maybe(&c->random, PW_RFLAGS_AC)};
	struct kvm_sregs sregs;

	cr_assert(vmm_vcpu_get_sregs(vcpu, &sregs) == VMM_OK);
	sregs.cr3 = c->root;
	sregs.cr0 &= ~PW_CR0_WP;
	sregs.cr0 |= PW_CR0_PG | maybe(&c->random, PW_CR0_WP);
	sregs.cr4 &= ~(PW_CR4_PSE | c->cr4_choices);
	sregs.cr4 |= c->mode->cr4 | maybe(&c->random, PW_CR4_PSE) |
		     maybe(&c->random, c->cr4_choices & PW_CR4_SMEP) |
		     maybe(&c->random, c->cr4_choices & PW_CR4_SMAP);
	sregs.efer &= ~PW_EFER_NXE;
	if (vcpu->model.no_execute)
		sregs.efer |= maybe(&c->random, PW_EFER_NXE);
	if (vmm_vcpu_set_sregs(vcpu, &sregs) != VMM_OK)
		cr_skip_test("this host's KVM refuses %s: %s", c->mode->format->name,
			vcpu->error.message);
	cr_assert(vmm_vcpu_set_regs(vcpu, &regs) == VMM_OK);
}

static void begin(struct contest *c, const struct mode *mode, uint64_t seed)
{
	static const uint8_t halt[] = {0xf4};
	struct machine *m = &c->machine;

	*c = (struct contest){.mode = mode, .random = random_from(seed)};
	machine_need_kvm();
	machine_create(m, RAM);
	machine_load_bytes(m, halt, sizeof halt, CODE, mode->boot);
	cr_assert(vmm_vcpu_boot(&m->vcpu, mode->boot, CODE) == VMM_OK, "%s", m->vcpu.error.message);
	c->cr4_choices = taken_by_kvm(c, PW_CR4_SMEP) | taken_by_kvm(c, PW_CR4_SMAP);
	c->ram = vmm_vm_host(&m->vm, 0, RAM);
	c->copy = aligned_alloc(4096, RAM);
	cr_assert(c->ram != NULL && c->copy != NULL);
	for (uint64_t i = TABLES; i < RAM; i++)
		c->ram[i] = (uint8_t)random_next(&c->random);
	memcpy(c->copy, c->ram, RAM);
	c->image = (struct image){c->ram + TABLES, TABLES, RAM - TABLES};
	c->shadow = (struct image){c->copy + TABLES, TABLES, RAM - TABLES};
	c->window = (struct pw_window){.base = 0, .size = RAM, .host = c->copy};
	c->memory = (struct pw_memory){.windows = &c->window, .window_count = 1};
}

/* The walk was made, and ended, in a way that KVM is known not to follow. */
static bool is_known(struct contest *c, const struct pw_result *r, bool kvm_valid)
{
	if (r->status == PW_NON_CANONICAL && kvm_valid) {
		c->not_canonical++;
		return true;
	}
	if (c->mode->format->levels == 2 && r->status == PW_OK && r->level == 1 && !kvm_valid &&
		(r->entry & PSE36_HIGH)) {
		c->pse36++;
		return true;
	}
	return false;
}

static void compare(struct contest *c, const struct pw_space *space, uint64_t va)
{
	uint64_t pa = 0;
	struct pw_result r;
	bool kvm_valid = vmm_translate_kvm(&c->machine.vcpu, va, &pa) == VMM_OK;
	enum pw_status status = pw_translate(space, va, PW_ACCESS_READ, &r);
	char text[160];

	if (is_known(c, &r, kvm_valid)) {
		/* What KVM marked on its own way stays as it is. */
		memcpy(c->copy, c->ram, RAM);
		return;
	}
	cr_assert(kvm_valid == (status == PW_OK) && (!kvm_valid || pa == r.pa),
		"%s: va %#llx root %#llx: KVM %s %#llx, the walker: %s, entry %#llx",
		c->mode->format->name, (unsigned long long)va, (unsigned long long)c->root,
		kvm_valid ? "says" : "finds nothing,", (unsigned long long)pa,
		pw_explain(&r, text, sizeof text), (unsigned long long)r.entry);
	(void)!pw_translate_update(space, va, PW_ACCESS_READ, 1, NULL);
	c->valid += kvm_valid;
	c->invalid += !kvm_valid;
}

static void play(struct contest *c)
{
	struct pw_x86_state state;
	struct pw_space space;
	uint64_t va[PATHS];

	make_paths(c, va);
	set_registers(c);
	cr_assert(vmm_vcpu_x86_state(&c->machine.vcpu, &state) == VMM_OK);
	cr_assert(pw_space_init_x86(&space, &state, &c->memory, NULL) == PW_OK);
	/* KVM without this mode takes CR0.PG back. */
	if (space.format->levels != c->mode->format->levels)
		cr_skip_test("this host's KVM has no %s", c->mode->format->name);
	for (unsigned i = 0; i < PATHS; i++)
		compare(c, &space, va[i]);
	cr_assert(memcmp(c->ram, c->copy, RAM) == 0, "%s: memory differs afterwards",
		c->mode->format->name);
}

static void contend(const struct mode *mode)
{
	static struct contest c;
	uint64_t seed = random_seed(20260904);
	unsigned rounds = getenv("PW_EXHAUSTIVE") ? 10 * ROUNDS : ROUNDS;

	begin(&c, mode, seed);
	for (unsigned round = 0; round < rounds; round++)
		play(&c);
	printf("%s: KVM_TRANSLATE agrees on %llu addresses and %llu faults, memory included; known "
	       "disagreements: %llu not canonical, %llu beyond its PSE-36; seed %llu\n",
		mode->format->name, (unsigned long long)c.valid, (unsigned long long)c.invalid,
		(unsigned long long)c.not_canonical, (unsigned long long)c.pse36,
		(unsigned long long)seed);
	cr_expect(c.valid > rounds && c.invalid > rounds);
	end(&c);
}

Test(translate_differential, paging_32_bit)
{
	contend(&(struct mode){&pw_format_x86_32, VMM_MODE_PROTECTED, 0});
}

Test(translate_differential, pae)
{
	contend(&(struct mode){&pw_format_x86_pae, VMM_MODE_PROTECTED, PW_CR4_PAE});
}

Test(translate_differential, paging_4_levels)
{
	contend(&(struct mode){&pw_format_x86_64, VMM_MODE_LONG, 0});
}

Test(translate_differential, paging_5_levels)
{
	contend(&(struct mode){&pw_format_x86_64_la57, VMM_MODE_LONG, PW_CR4_LA57});
}
