/* SPDX-License-Identifier: MIT */
/*
 * Real mode: the processor reads, writes and fetches at random segments and offsets, and finds what
 * stands where the walker says, up to the last byte beyond 1 MiB that real mode can reach.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "machine.h"
#include "random.h"

#define ACCESSES  300
#define CODE      UINT64_C(0x600)
#define WRITTEN   0x7a7a
#define ROOM      8 /* bytes at the place of the access */
#define FIRST_GPA UINT64_C(0x1000)

enum access_kind {
	READ,
	WRITE,
	FETCH
};

/* mov (%bx), %ax; hlt. mov %ax, (%bx); hlt. And what is fetched: mov $imm, %ax; hlt. */
static const uint8_t code[2][3] = {{0x8b, 0x07, 0xf4}, {0x89, 0x07, 0xf4}};

struct place {
	uint16_t segment, offset;
};

static uint64_t linear(struct place place)
{
	return ((uint64_t)place.segment << 4) + place.offset;
}

static struct place random_place(struct random *random)
{
	struct place place;

	do {
		place.segment = (uint16_t)random_next(random);
		place.offset = (uint16_t)random_below(random, 0x10000 - ROOM);
		if (random_once_in(random, 4))
			place.segment |= 0xf000;
	} while (linear(place) < FIRST_GPA);
	return place;
}

static void set_segment(struct kvm_segment *segment, uint16_t selector)
{
	segment->selector = selector;
	segment->base = (uint64_t)selector << 4;
}

/* CPU state such that the next instruction makes the access. */
static void prepare(struct machine *m, enum access_kind kind, struct place place)
{
	struct kvm_regs regs = {.rflags = 2, .rip = CODE, .rax = WRITTEN, .rbx = place.offset};
	struct kvm_sregs sregs;

	cr_assert(vmm_vcpu_get_sregs(&m->vcpu, &sregs) == VMM_OK);
	set_segment(&sregs.cs, 0);
	set_segment(&sregs.ds, place.segment);
	if (kind == FETCH) {
		set_segment(&sregs.cs, place.segment);
		regs.rip = place.offset;
	} else {
		cr_assert(vmm_vm_write(&m->vm, CODE, code[kind], sizeof code[kind]));
	}
	cr_assert(vmm_vcpu_set_sregs(&m->vcpu, &sregs) == VMM_OK, "%s", m->vcpu.error.message);
	cr_assert(vmm_vcpu_set_regs(&m->vcpu, &regs) == VMM_OK);
}

static pw_pa foretell(struct machine *m, enum access_kind kind, struct place place)
{
	static const pw_access accesses[] = {PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	struct pw_space space;
	struct pw_result r;

	cr_assert(vmm_vcpu_space(&m->vcpu, &space) == VMM_OK, "%s", m->vcpu.error.message);
	cr_assert(space.format == &pw_format_x86_none);
	cr_assert(pw_translate(&space, linear(place), accesses[kind], &r) == PW_OK);
	return r.pa;
}

static void judge(struct machine *m, enum access_kind kind, struct place place, uint16_t value)
{
	const uint8_t bytes[] = {0xb8, (uint8_t)value, (uint8_t)(value >> 8), 0xf4};
	uint16_t found = 0, there = 0;
	pw_pa pa;

	prepare(m, kind, place);
	pa = foretell(m, kind, place);
	cr_assert(vmm_vm_write(&m->vm, pa, bytes, sizeof bytes));
	cr_assert(machine_run(m) == VMM_OK);
	cr_assert(m->exit.kind == VMM_EXIT_HALT, "%04x:%04x: %s", place.segment, place.offset,
		machine_exit_text(m));
	cr_assert(vmm_vm_read(&m->vm, pa, &there, sizeof there));
	found = (uint16_t)machine_regs(m).rax;
	if (kind == READ)
		cr_expect(
			found == there, "%04x:%04x: read %#x", place.segment, place.offset, found);
	if (kind == WRITE)
		cr_expect(there == WRITTEN, "%04x:%04x: not written", place.segment, place.offset);
	if (kind == FETCH)
		cr_expect(found == value, "%04x:%04x: fetched %#x", place.segment, place.offset,
			found);
}

Test(access_real, bytes_are_where_the_walker_says)
{
	uint64_t seed = random_seed(20260905), beyond = 0;
	struct random random = random_from(seed);
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, code[0], sizeof code[0], CODE, VMM_MODE_REAL);
	for (unsigned i = 0; i < ACCESSES; i++) {
		struct place place = random_place(&random);

		judge(&machine, (enum access_kind)(i % 3), place, (uint16_t)random_next(&random));
		beyond += linear(place) >= UINT64_C(0x100000);
	}
	printf("real mode: %d accesses judged, %llu beyond 1 MiB, seed %llu\n", ACCESSES,
		(unsigned long long)beyond, (unsigned long long)seed);
	cr_expect(beyond > 0);
	machine_destroy(&machine);
}
