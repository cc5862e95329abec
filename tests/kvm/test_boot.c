/* SPDX-License-Identifier: MIT */
/* A vCPU starts in each mode, its exits are decoded, and its registers and space can be read. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "machine.h"

/* mov $'R', %al; out %al, $0xe9; hlt: the same bytes in every mode */
static const uint8_t print_and_halt[] = {0xb0, 'R', 0xe6, 0xe9, 0xf4};

static void assert_prints_and_halts(uint64_t address, enum vmm_mode mode)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, address, mode);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK), "%s", machine.vcpu.error.message);
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_HALT), "%s", machine_exit_text(&machine));
	expect_text(machine.output, "R");
	machine_destroy(&machine);
}

Test(boot, real_mode_boot_sector)
{
	assert_prints_and_halts(0x7c00, VMM_MODE_REAL);
}

Test(boot, real_mode_above_64k)
{
	assert_prints_and_halts(0x2fff0, VMM_MODE_REAL);
}

Test(boot, protected_mode)
{
	assert_prints_and_halts(0x100000, VMM_MODE_PROTECTED);
}

Test(boot, long_mode)
{
	assert_prints_and_halts(0x100000, VMM_MODE_LONG);
}

Test(boot, unreachable_entry_is_refused)
{
	struct machine machine;

	machine_need_kvm();
	machine_create(&machine, MACHINE_MEMORY);
	cr_expect(eq(int, (int)vmm_vcpu_boot(&machine.vcpu, VMM_MODE_REAL, 0x100000), VMM_INVALID));
	cr_expect(ne(ptr, strstr(machine.vcpu.error.message, "0x100000"), NULL));
	cr_expect(eq(int, (int)vmm_vcpu_boot(&machine.vcpu, VMM_MODE_LONG, UINT64_C(1) << 32),
		VMM_INVALID));
	machine_destroy(&machine);
}

static void assert_space(struct machine *machine, const char *format, uint64_t va)
{
	struct pw_space space;
	struct pw_result found;

	cr_assert(eq(int, (int)vmm_vcpu_space(&machine->vcpu, &space), VMM_OK), "%s",
		machine->vcpu.error.message);
	expect_text(space.format->name, format);
	cr_assert(eq(int, (int)pw_translate(&space, va, PW_ACCESS_FETCH, &found), PW_OK));
	cr_expect(eq(u64, found.pa, va));
}

static void assert_space_of_mode(enum vmm_mode mode, const char *format)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, mode);
	assert_space(&machine, format, 0x8000);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	assert_space(&machine, format, 0x8001);
	/* As on a host that does not hand registers over with the exit. */
	machine.vcpu.regs_fresh = false;
	assert_space(&machine, format, 0x8001);
	machine_destroy(&machine);
}

Test(boot, space_of_real_mode_is_the_identity)
{
	assert_space_of_mode(VMM_MODE_REAL, "x86-none");
}

Test(boot, space_of_protected_mode_is_the_identity)
{
	assert_space_of_mode(VMM_MODE_PROTECTED, "x86-none");
}

Test(boot, space_of_long_mode_maps_4_gib_to_themselves)
{
	assert_space_of_mode(VMM_MODE_LONG, "x86-64");
}

/* The space is kept from one exit to the next as long as nothing that makes it has changed. */
Test(boot, space_follows_each_control_register)
{
	struct machine machine;
	struct kvm_sregs sregs;
	struct pw_x86_state state;
	struct pw_space space, wanted;
	unsigned taken = 0;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, VMM_MODE_LONG);
	for (unsigned i = 0; i < 7; i++) {
		cr_assert(eq(int, (int)vmm_vcpu_get_sregs(&machine.vcpu, &sregs), VMM_OK));
		sregs.cr3 ^= i == 1 ? 0x1000 : 0;
		sregs.cr0 ^= i == 2 ? PW_CR0_WP : 0;
		sregs.efer ^= i == 3 ? PW_EFER_NXE : 0;
		sregs.cr4 ^= i == 4 ? PW_CR4_SMEP : i == 5 ? PW_CR4_SMAP : 0;
		if (vmm_vcpu_set_sregs(&machine.vcpu, &sregs) != VMM_OK)
			continue; /* this host's KVM has no SMEP, or no SMAP */
		taken++;
		cr_assert(eq(int, (int)vmm_vcpu_x86_state(&machine.vcpu, &state), VMM_OK));
		cr_assert(eq(int, (int)vmm_vcpu_space(&machine.vcpu, &space), VMM_OK));
		cr_assert(eq(int, (int)pw_space_init_x86(&wanted, &state, &machine.vm.memory, NULL),
			PW_OK));
		cr_expect(eq(u64, space.root, wanted.root), "%u", i);
		cr_expect(eq(int, space.flags, wanted.flags), "%u", i);
		cr_expect(eq(u64, space.reserved_page[0], wanted.reserved_page[0]), "%u", i);
		cr_expect(memcmp(space.grant, wanted.grant, sizeof space.grant) == 0, "%u", i);
	}
	cr_expect(ge(uint, taken, 5));
	machine_destroy(&machine);
}

/* Without a descriptor there are no system calls on the vCPU. */
Test(boot, space_at_an_exit_needs_no_system_call)
{
	struct machine machine;
	struct pw_space space;
	int fd;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, VMM_MODE_LONG);
	if (!machine.vcpu.sync_regs)
		cr_skip_test("this host's KVM does not hand registers over with an exit");
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	fd = machine.vcpu.fd;
	machine.vcpu.fd = -1;
	cr_expect(eq(int, (int)vmm_vcpu_space(&machine.vcpu, &space), VMM_OK));
	machine.vcpu.regs_fresh = false;
	cr_expect(eq(int, (int)vmm_vcpu_space(&machine.vcpu, &space), VMM_SYSTEM));
	machine.vcpu.fd = fd;
	machine_destroy(&machine);
}

/* The copy that comes with the exit is what two system calls would have said. */
Test(boot, registers_of_the_exit_equal_those_of_the_system_calls)
{
	struct machine machine;
	struct kvm_regs regs, asked_regs;
	struct kvm_sregs sregs, asked_sregs;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_assert(eq(int, (int)vmm_vcpu_get_regs(&machine.vcpu, &regs), VMM_OK));
	cr_assert(eq(int, (int)vmm_vcpu_get_sregs(&machine.vcpu, &sregs), VMM_OK));
	cr_assert(eq(int, ioctl(machine.vcpu.fd, KVM_GET_REGS, &asked_regs), 0));
	cr_assert(eq(int, ioctl(machine.vcpu.fd, KVM_GET_SREGS, &asked_sregs), 0));
	cr_expect(eq(int, memcmp(&regs, &asked_regs, sizeof regs), 0));
	cr_expect(eq(u64, sregs.cr0, asked_sregs.cr0));
	cr_expect(eq(u64, sregs.cr3, asked_sregs.cr3));
	cr_expect(eq(u64, sregs.cr4, asked_sregs.cr4));
	cr_expect(eq(u64, sregs.efer, asked_sregs.efer));
	cr_expect(eq(u64, regs.rax & 0xff, 'R'));
	machine_destroy(&machine);
}

Test(boot, registers_that_were_set_are_seen_before_and_after_the_run)
{
	struct machine machine;
	struct kvm_regs regs;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, VMM_MODE_LONG);
	regs = machine_regs(&machine);
	regs.rbx = UINT64_C(0x1122334455667788);
	cr_assert(eq(int, (int)vmm_vcpu_set_regs(&machine.vcpu, &regs), VMM_OK));
	cr_expect(eq(u64, machine_regs(&machine).rbx, regs.rbx));
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(u64, machine_regs(&machine).rbx, regs.rbx));
	machine_destroy(&machine);
}

Test(boot, model_has_plausible_address_widths)
{
	struct machine machine;

	machine_need_kvm();
	machine_create(&machine, MACHINE_MEMORY);
	cr_expect(ge(int, machine.vcpu.model.physical_bits, 32));
	cr_expect(le(int, machine.vcpu.model.physical_bits, 52));
	cr_expect(machine.vcpu.model.long_mode);
	cr_expect(ge(int, machine.vcpu.model.linear_bits, 48));
	machine_destroy(&machine);
}

Test(boot, port_that_nobody_answers_reads_as_all_ones)
{
	/* in $0x10, %eax; hlt */
	static const uint8_t code[] = {0xe5, 0x10, 0xf4};
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, code, sizeof code, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_UNHANDLED));
	cr_expect(eq(int, machine.exit.port.port, 0x10));
	cr_expect(not(machine.exit.port.out));
	cr_expect(eq(int, machine.exit.port.bytes, 4));
	cr_expect(ne(ptr, strstr(machine_exit_text(&machine), "read port 0x10, 4 bytes"), NULL));
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(u64, machine_regs(&machine).rax, UINT32_MAX));
	machine_destroy(&machine);
}

static enum vmm_status answer_0x1234(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	const uint16_t value = 0x1234;

	(void)ctx;
	(void)vcpu;
	memcpy(access->data, &value, sizeof value);
	return VMM_OK;
}

Test(boot, handler_answers_an_input)
{
	/* in $0x10, %ax; hlt */
	static const uint8_t code[] = {0x66, 0xe5, 0x10, 0xf4};
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, code, sizeof code, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(
		int, (int)vmm_ports_add(&machine.ports, 0x10, 0x1f, answer_0x1234, NULL), VMM_OK));
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(u64, machine_regs(&machine).rax, 0x1234));
	machine_destroy(&machine);
}

Test(boot, string_output_prints_every_byte)
{
	/* mov $0x8012, %esi; mov $5, %ecx; mov $0xe9, %edx; rep outsb; hlt; and the text */
	static const uint8_t code[] = {0xbe, 0x12, 0x80, 0, 0, 0xb9, 5, 0, 0, 0, 0xba, 0xe9, 0, 0,
		0, 0xf3, 0x6e, 0xf4, 'h', 'e', 'l', 'l', 'o'};
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, code, sizeof code, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK), "%s", machine_exit_text(&machine));
	expect_text(machine.output, "hello");
	machine_destroy(&machine);
}

Test(boot, single_step_is_a_debug_exit)
{
	const struct kvm_guest_debug step = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
	const char *host = getenv("PW_HOST"); /* see tests/hosts */
	struct machine machine;

	machine_need_kvm();
	machine_boot_bytes(&machine, print_and_halt, sizeof print_and_halt, 0x8000, VMM_MODE_LONG);
	if (ioctl(machine.vcpu.fd, KVM_SET_GUEST_DEBUG, &step) < 0)
		cr_skip_test("this host's KVM does not debug guests");
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_assert(eq(int, machine.exit.kind, VMM_EXIT_DEBUG), "%s", machine_exit_text(&machine));
	cr_expect(eq(int, machine.exit.debug.exception, 1));
	/* KVM on Bochs's VMX stops before the first instruction, elsewhere after it. */
	if (!host || strcmp(host, "bochs-vmx") != 0)
		cr_expect(eq(u64, machine.exit.debug.pc, 0x8002));
	else
		cr_expect(eq(u64, machine.exit.debug.pc, 0x8000));
	machine_destroy(&machine);
}
