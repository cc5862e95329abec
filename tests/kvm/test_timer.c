/* SPDX-License-Identifier: MIT */
/* The timer wakes a halted guest, through the 8259 and through the I/O APIC. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pc.h"

Test(timer, ticks_come_through_both_controllers)
{
	const struct vmm_machine_config config = {.vcpus = 1};
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "timer", &config);
	pc_expect_code(&pc, 0);
	expect_text(pc.output, "20 ticks through the 8259\n20 ticks through the I/O APIC\n");
	vmm_machine_destroy(&pc.machine);
}
