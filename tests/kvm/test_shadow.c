/* SPDX-License-Identifier: MIT */
/* A guest kernel on shadow tables does what it does on its own. */
#include "shadow_host.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static struct machine machine;
static struct shadow_host host;

static void run_on_its_own(void)
{
	machine_create(&machine, SHADOW_GUEST_BYTES);
	machine_load_guest(&machine, "shadow");
	cr_assert(vmm_vcpu_boot(&machine.vcpu, machine.image.mode, machine.image.entry) == VMM_OK);
	cr_assert(machine_run(&machine) == VMM_FINISHED, "%s", machine_exit_text(&machine));
	cr_assert(machine.calls.code == 0 && machine.calls.failures == 0);
	machine_destroy(&machine);
}

static void run_on_shadow_tables(unsigned tables)
{
	shadow_host_begin(&host, "shadow", tables);
	shadow_host_run(&host);
	printf("%u misses, %u faults injected, %u instructions emulated, %u table writes, %u loads "
	       "of CR3, %u INVLPG, %llu roots evicted\n",
		host.misses, host.injected, host.emulated, host.table_writes, host.loads,
		host.invalidations, (unsigned long long)host.shadow.counts.evicted);
	cr_expect(eq(u32, host.code, 0));
	expect_text(host.machine.output, machine.output);
	/* By the guest's program: 12 pages in each space, and twice a round two faults more. */
	cr_expect(eq(u32, host.injected, 32));
	cr_expect(eq(u32, host.loads, 4));
	cr_expect(gt(u32, host.table_writes, 32));
	cr_expect(gt(u32, host.misses, host.injected));
	shadow_host_end(&host);
}

Test(shadow, a_guest_kernel_does_not_notice)
{
	machine_need_kvm();
	run_on_its_own();
	run_on_shadow_tables(SHADOW_POOL_TABLES);
	cr_expect(eq(u32, (uint32_t)host.shadow.counts.evicted, 0));
}

Test(shadow, nor_with_hardly_any_memory)
{
	machine_need_kvm();
	run_on_its_own();
	run_on_shadow_tables(7);
	cr_expect(gt(u32, (uint32_t)host.shadow.counts.evicted, 0));
}
