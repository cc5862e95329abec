/* SPDX-License-Identifier: MIT */
/* More than one vCPU: found in the tables, started by the guest, ended together. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pc.h"

static void assert_starts(unsigned vcpus)
{
	const struct vmm_machine_config config = {.vcpus = vcpus};
	struct pc pc;
	char wanted[64];

	machine_need_kvm();
	pc_create_guest(&pc, "smp", &config);
	pc_expect_code(&pc, 0);
	snprintf(wanted, sizeof wanted, "%u of %u processors are here\n", vcpus, vcpus);
	pc_expect_output(&pc, wanted);
	vmm_machine_destroy(&pc.machine);
}

Test(smp, one_processor_is_alone)
{
	assert_starts(1);
}

Test(smp, two_processors_start)
{
	assert_starts(2);
}

Test(smp, seven_processors_start)
{
	assert_starts(7);
}

#define AP_CODE 0x8000

/* INIT and start-up to all others, at page 8; then hlt for ever. */
static const uint8_t start_others[] = {
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0x0c, 0x00, /* movl $0xc4500, ICR */
	0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x08, 0x46, 0x0c, 0x00, /* movl $0xc4608, ICR */
	0xf4, 0xeb, 0xfd,                                           /* hlt; jmp to it */
};

static void create_with_other(struct pc *pc, const void *code, size_t size)
{
	machine_need_kvm();
	pc_create_code(pc, start_others, sizeof start_others, 2);
	cr_assert(vmm_vm_write(&pc->machine.vm, AP_CODE, code, size));
}

Test(smp, another_processor_ends_the_run)
{
	static const uint8_t code[] = {0xb0, 0x07, 0xe6, 0xf4}; /* mov $7, %al; out %al, $0xf4 */
	struct pc pc;

	create_with_other(&pc, code, sizeof code);
	pc_expect_code(&pc, 7);
	cr_expect(eq(u32, pc.machine.ended_by, 1));
	vmm_machine_destroy(&pc.machine);
}

Test(smp, triple_fault_of_another_processor_names_it)
{
	/* lidt an empty table from CS, ud2: with nothing to go to, in real mode too. */
	static const uint8_t code[] = {
		0x2e, 0x0f, 0x01, 0x1e, 0x08, 0x00, 0x0f, 0x0b, 0, 0, 0, 0, 0, 0};
	struct pc pc;

	create_with_other(&pc, code, sizeof code);
	cr_assert(eq(int, (int)pc_run(&pc), VMM_OK), "%s", pc.machine.error.message);
	cr_expect(eq(int, pc.machine.exit.kind, VMM_EXIT_SHUTDOWN), "%s", pc_exit_text(&pc));
	cr_expect(eq(u32, pc.machine.ended_by, 1));
	vmm_machine_destroy(&pc.machine);
}

Test(smp, all_processors_print_at_once)
{
	/* mov $1000, %cx; mov $'x', %al; out %al, $0xe9; loop; mov $0, %al; out %al, $0xf4 */
	static const uint8_t code[] = {
		0xb9, 0xe8, 0x03, 0xb0, 'x', 0xe6, 0xe9, 0xe2, 0xfc, 0xb0, 0, 0xe6, 0xf4};
	struct pc pc;

	create_with_other(&pc, code, sizeof code);
	pc_expect_code(&pc, 0);
	cr_expect(eq(sz, pc.output_bytes, 1000));
	vmm_machine_destroy(&pc.machine);
}
