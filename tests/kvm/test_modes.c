/* SPDX-License-Identifier: MIT */
/*
 * The paging modes that no guest of ours switches to by itself: the test builds the tables and
 * sets the control registers. A host that cannot run a mode is skipped.
 */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "machine.h"

/* Tables, each a page, and what they map. */
#define ROOT     UINT64_C(0x10000)
#define TABLE(n) (ROOT + 0x1000 * (uint64_t)(n))
#define CODE     UINT64_C(0x20000)
#define DATA_PA  UINT64_C(0x30000)
#define DATA_VA  UINT64_C(0x12345000)
#define PATTERN  UINT32_C(0x600df00d)

#define PRESENT 1u
#define WRITE   2u
#define USER    4u
#define ALL     (PRESENT | WRITE | USER)

static void put(
	struct machine *machine, uint64_t table, uint64_t index, uint64_t entry, size_t bytes)
{
	cr_assert(vmm_vm_write(&machine->vm, table + index * bytes, &entry, bytes));
}

/* mov DATA_VA, %eax by way of EBX; hlt: the same bytes in 32-bit and 64-bit mode */
static const uint8_t load_and_halt[] = {0xbb, 0x00, 0x50, 0x34, 0x12, 0x8b, 0x03, 0xf4};

static void create(struct machine *machine, enum vmm_mode mode)
{
	const uint32_t pattern = PATTERN;

	machine_boot_bytes(machine, load_and_halt, sizeof load_and_halt, CODE, mode);
	cr_assert(vmm_vm_write(&machine->vm, DATA_PA, &pattern, sizeof pattern));
}

static void set_control(struct machine *machine, uint64_t cr4, uint64_t cr0)
{
	struct kvm_sregs sregs;

	cr_assert(eq(int, (int)vmm_vcpu_get_sregs(&machine->vcpu, &sregs), VMM_OK));
	sregs.cr3 = ROOT;
	sregs.cr4 |= cr4;
	sregs.cr0 |= cr0;
	if (vmm_vcpu_set_sregs(&machine->vcpu, &sregs) != VMM_OK)
		cr_skip_test("this host's KVM refuses the mode: %s", machine->vcpu.error.message);
}

/* KVM gave up there: it knows the keys, and runs this part of a guest by emulating it. */
static bool stands_at_wrpkru(struct machine *machine)
{
	static const uint8_t wrpkru[] = {0x0f, 0x01, 0xef};
	uint8_t bytes[sizeof wrpkru];

	return machine->exit.kind == VMM_EXIT_INTERNAL_ERROR &&
	       vmm_vm_read(&machine->vm, machine->exit.rip, bytes, sizeof bytes) &&
	       !memcmp(bytes, wrpkru, sizeof wrpkru);
}

/* Runs the guest, and holds the walker against it and against KVM_TRANSLATE. */
static void assert_walks(struct machine *machine, const char *format, uint64_t page_size)
{
	struct pw_space space;
	struct pw_result found;
	uint64_t pa = 0;

	cr_assert(eq(int, (int)machine_run(machine), VMM_OK));
	if (machine->exit.kind == VMM_EXIT_SHUTDOWN)
		cr_skip_test("this host's KVM cannot run %s", format);
	if (stands_at_wrpkru(machine))
		cr_skip_test("this host's KVM has protection keys, but cannot emulate WRPKRU");
	cr_assert(eq(int, machine->exit.kind, VMM_EXIT_HALT), "%s", machine_exit_text(machine));
	cr_expect(eq(u64, machine_regs(machine).rax, PATTERN));
	cr_assert(eq(int, (int)vmm_vcpu_space(&machine->vcpu, &space), VMM_OK), "%s",
		machine->vcpu.error.message);
	expect_text(space.format->name, format);
	cr_assert(eq(int, (int)pw_translate(&space, DATA_VA, PW_ACCESS_READ, &found), PW_OK));
	cr_expect(eq(u64, found.pa, DATA_PA));
	cr_expect(eq(u64, found.page_size, page_size));
	cr_expect(eq(int, (int)vmm_translate_kvm(&machine->vcpu, DATA_VA, &pa), VMM_OK));
	cr_expect(eq(u64, pa, DATA_PA));
	cr_expect(eq(int, (int)pw_translate(&space, DATA_VA + 0x1000, PW_ACCESS_READ, NULL),
		PW_NOT_PRESENT));
}

Test(modes, paging_32_bit)
{
	struct machine machine;

	machine_need_kvm();
	create(&machine, VMM_MODE_PROTECTED);
	put(&machine, ROOT, 0, TABLE(1) | ALL, 4);
	put(&machine, ROOT, DATA_VA >> 22, TABLE(2) | ALL, 4);
	put(&machine, TABLE(1), CODE >> 12, CODE | ALL, 4);
	put(&machine, TABLE(2), DATA_VA >> 12 & 0x3ff, DATA_PA | ALL, 4);
	set_control(&machine, 0, PW_CR0_PG);
	assert_walks(&machine, "x86-32", 0x1000);
	machine_destroy(&machine);
}

static void build_pae(struct machine *machine)
{
	put(machine, ROOT, 0, TABLE(1) | PRESENT, 8);
	put(machine, TABLE(1), 0, TABLE(2) | ALL, 8);
	put(machine, TABLE(1), DATA_VA >> 21 & 0x1ff, TABLE(3) | ALL, 8);
	put(machine, TABLE(2), CODE >> 12, CODE | ALL, 8);
	put(machine, TABLE(3), DATA_VA >> 12 & 0x1ff, DATA_PA | ALL, 8);
}

Test(modes, paging_pae)
{
	struct machine machine;

	machine_need_kvm();
	create(&machine, VMM_MODE_PROTECTED);
	build_pae(&machine);
	set_control(&machine, PW_CR4_PAE, PW_CR0_PG);
	assert_walks(&machine, "x86-pae", 0x1000);
	machine_destroy(&machine);
}

Test(modes, pdpte_registers_are_those_that_cr3_loaded)
{
	struct machine machine;
	struct pw_x86_state state;

	machine_need_kvm();
	create(&machine, VMM_MODE_PROTECTED);
	build_pae(&machine);
	set_control(&machine, PW_CR4_PAE, PW_CR0_PG);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	if (machine.exit.kind == VMM_EXIT_SHUTDOWN)
		cr_skip_test("this host's KVM cannot run x86-pae");
	cr_assert(eq(int, (int)vmm_vcpu_x86_state(&machine.vcpu, &state), VMM_OK));
	if (!state.pdpte_loaded)
		cr_skip_test("this host's KVM does not tell the PDPTE registers");
	cr_expect(eq(u64, state.pdpte[0], TABLE(1) | PRESENT));
	cr_expect(eq(u64, state.pdpte[1], 0));
	machine_destroy(&machine);
}

static void build_4_level(struct machine *machine, uint64_t root)
{
	put(machine, root, 0, TABLE(4) | ALL, 8);
	put(machine, TABLE(4), 0, TABLE(1) | ALL, 8);
	put(machine, TABLE(1), 0, TABLE(2) | ALL, 8);
	put(machine, TABLE(1), DATA_VA >> 21 & 0x1ff, TABLE(3) | ALL, 8);
	put(machine, TABLE(2), CODE >> 12, CODE | PRESENT | WRITE, 8);
	put(machine, TABLE(3), DATA_VA >> 12 & 0x1ff, DATA_PA | ALL | UINT64_C(1) << 59, 8);
}

Test(modes, paging_5_level)
{
	struct machine machine;

	machine_need_kvm();
	create(&machine, VMM_MODE_LONG);
	if (!machine.vcpu.model.la57)
		cr_skip_test("this host's KVM has no LA57");
	put(&machine, ROOT, 0, TABLE(5) | ALL, 8);
	build_4_level(&machine, TABLE(5));
	set_control(&machine, PW_CR4_LA57, 0);
	assert_walks(&machine, "x86-64-la57", 0x1000);
	machine_destroy(&machine);
}

/* wrpkru of 0x55555550: key 0 and key 1 free, all others closed; then as above. */
static const uint8_t set_pkru[] = {
	0x31, 0xc9, 0x31, 0xd2, 0xb8, 0x50, 0x55, 0x55, 0x55, 0x0f, 0x01, 0xef};

Test(modes, pkru_is_the_guests)
{
	uint8_t code[sizeof set_pkru + sizeof load_and_halt];
	struct machine machine;
	struct pw_x86_state state;

	machine_need_kvm();
	create(&machine, VMM_MODE_LONG);
	if (!machine.vcpu.model.pkru_offset)
		cr_skip_test("this host's KVM has no protection keys");
	memcpy(code, set_pkru, sizeof set_pkru);
	memcpy(code + sizeof set_pkru, load_and_halt, sizeof load_and_halt);
	cr_assert(vmm_vm_write(&machine.vm, CODE, code, sizeof code));
	build_4_level(&machine, ROOT);
	set_control(&machine, PW_CR4_PKE, 0);
	assert_walks(&machine, "x86-64", 0x1000);
	cr_assert(eq(int, (int)vmm_vcpu_x86_state(&machine.vcpu, &state), VMM_OK));
	cr_expect(eq(u32, state.pkru, 0x55555550));
	machine_destroy(&machine);
}
