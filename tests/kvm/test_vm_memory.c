/* SPDX-License-Identifier: MIT */
/* Guest RAM of any size, and the hole below 4 GiB. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "machine.h"

#define KIB UINT64_C(0x400)
#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

static void assert_ram(uint64_t bytes)
{
	const struct vmm_vm_config config = {.memory_bytes = bytes};
	const uint64_t pattern = UINT64_C(0x1122334455667788);
	uint64_t found = 0;
	struct vmm_vm vm;

	cr_assert(vmm_vm_create(&vm, &config) == VMM_OK, "%s", vm.error.message);
	cr_expect(vmm_vm_write(&vm, bytes - 8, &pattern, 8));
	cr_expect(vmm_vm_read(&vm, bytes - 8, &found, 8));
	cr_expect(eq(u64, found, pattern));
	cr_expect(not(vmm_vm_write(&vm, bytes - 7, &pattern, 8)));
	cr_expect(not(vmm_vm_read(&vm, bytes, &found, 1)));
	cr_expect(not(vmm_vm_read(&vm, UINT64_MAX, &found, 8)));
	cr_expect(eq(ptr, vmm_vm_host(&vm, 0, 0), NULL));
	vmm_vm_destroy(&vm);
	vmm_vm_destroy(&vm);
}

Test(vm_memory, sizes_from_the_smallest_on)
{
	machine_need_kvm();
	assert_ram(MIB);
	assert_ram(MIB + 4 * KIB);
	assert_ram(64 * MIB);
	assert_ram(256 * MIB);
}

/* Address space, not memory: pages that nobody touches cost nothing. */
static bool create_large(struct machine *machine, uint64_t bytes)
{
	const struct vmm_vm_config config = {.memory_bytes = bytes};
	struct vmm_vm probe;

	if (vmm_vm_create(&probe, &config) != VMM_OK)
		return false;
	vmm_vm_destroy(&probe);
	machine_create(machine, bytes);
	return true;
}

Test(vm_memory, large_ram_leaves_a_hole_below_4_gib)
{
	struct machine machine;
	struct vmm_vm *vm = &machine.vm;

	machine_need_kvm();
	if (!create_large(&machine, 3 * GIB + 8 * KIB))
		cr_skip_test("this machine cannot give more than 3 GiB");
	cr_assert(eq(u32, vm->window_count, 2));
	cr_expect(eq(sz, vm->memory.window_count, 2));
	cr_expect(eq(u64, vm->windows[0].size, 3 * GIB));
	cr_expect(eq(u64, vm->windows[1].base, 4 * GIB));
	cr_expect(eq(u64, vm->windows[1].size, 8 * KIB));
	cr_expect(ne(ptr, vmm_vm_host(vm, 3 * GIB - 8, 8), NULL));
	cr_expect(eq(ptr, vmm_vm_host(vm, 3 * GIB - 8, 9), NULL));
	cr_expect(eq(ptr, vmm_vm_host(vm, VMM_HOLE_FIRST, 1), NULL));
	cr_expect(eq(ptr, vmm_vm_host(vm, VMM_HOLE_LAST, 2), NULL));
	cr_expect(ne(ptr, vmm_vm_host(vm, 4 * GIB, 8 * KIB), NULL));
	cr_expect(eq(ptr, vmm_vm_host(vm, 4 * GIB + 8 * KIB, 1), NULL));
	machine_destroy(&machine);
}

/* The guest sees RAM above the hole where the VMM says it is. */
Test(vm_memory, guest_reads_ram_above_4_gib)
{
	/* mov $0x40000ff8, %ebx; mov (%rbx), %rax; hlt */
	static const uint8_t code[] = {0xbb, 0xf8, 0x0f, 0, 0x40, 0x48, 0x8b, 0x03, 0xf4};
	const uint64_t pattern = UINT64_C(0x0123456789abcdef);
	const uint64_t entry = 4 * GIB | 0x83;             /* a 2 MiB page, present and writable */
	const uint64_t entry_pa = VMM_BOOT_FIRST + 0x4000; /* the second page directory's first */
	struct machine machine;
	struct pw_space space;
	struct pw_result found;

	machine_need_kvm();
	if (!create_large(&machine, 3 * GIB + 2 * MIB))
		cr_skip_test("this machine cannot give more than 3 GiB");
	machine_load_bytes(&machine, code, sizeof code, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(int, (int)vmm_vcpu_boot(&machine.vcpu, VMM_MODE_LONG, 0x8000), VMM_OK));
	cr_assert(vmm_vm_write(&machine.vm, 4 * GIB + 0xff8, &pattern, sizeof pattern));
	cr_assert(vmm_vm_write(&machine.vm, entry_pa, &entry, sizeof entry));
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_HALT), "%s", machine_exit_text(&machine));
	cr_expect(eq(u64, machine_regs(&machine).rax, pattern));
	cr_assert(eq(int, (int)vmm_vcpu_space(&machine.vcpu, &space), VMM_OK));
	cr_assert(eq(int, (int)pw_translate(&space, 0x40000ff8, PW_ACCESS_READ, &found), PW_OK));
	cr_expect(eq(u64, found.pa, 4 * GIB + 0xff8));
	machine_destroy(&machine);
}
