/* SPDX-License-Identifier: MIT */
/*
 * The processor as judge of the walker: guests make thousands of accesses, in every paging mode
 * that the host can run, from ring 0 and ring 3, and each is foretold.
 *
 * PW_ACCESS_CASES in the environment is the number of accesses for each mode. Otherwise it depends
 * on PW_HOST, which tests/hosts/run.sh sets: how much a host in a box can do in a minute or so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "access_judge.h"

#define CASES_DEFAULT 4000
#define TIME_LIMIT_MS (20 * 60 * 1000)

/* Below the guest's image, above what the VMM needs to boot. */
#define PML5_GPA UINT64_C(0x8000)

static struct judge judge;

static const struct {
	const char *host;
	uint64_t cases;
} host_cases[] = {{"tcg-svm", 40000}, {"bochs-vmx", 10000}};

static uint64_t cases(void)
{
	const char *text = getenv("PW_ACCESS_CASES"), *host = getenv("PW_HOST");
	uint64_t wanted = text ? strtoull(text, NULL, 0) : CASES_DEFAULT;

	for (unsigned i = 0; !text && host && i < sizeof host_cases / sizeof host_cases[0]; i++)
		if (strcmp(host, host_cases[i].host) == 0)
			wanted = host_cases[i].cases;
	cr_assert(wanted > 0, "PW_ACCESS_CASES is \"%s\"", text ? text : "");
	return wanted;
}

/* The guest starts with five levels: the VMM's own tables, below one more. */
static void start_with_5_levels(struct machine *machine)
{
	struct kvm_sregs sregs;
	uint64_t entry;

	if (!machine->vcpu.model.la57)
		cr_skip_test("this host's KVM has no LA57");
	cr_assert(vmm_vcpu_get_sregs(&machine->vcpu, &sregs) == VMM_OK);
	entry = sregs.cr3 | 3;
	cr_assert(vmm_vm_write(&machine->vm, PML5_GPA, &entry, sizeof entry));
	sregs.cr3 = PML5_GPA;
	sregs.cr4 |= PW_CR4_LA57;
	if (vmm_vcpu_set_sregs(&machine->vcpu, &sregs) != VMM_OK)
		cr_skip_test("this host's KVM refuses LA57: %s", machine->vcpu.error.message);
}

static enum vmm_status run(struct machine *machine)
{
	struct vmm_watchdog watchdog;
	enum vmm_status status;

	cr_assert(vmm_watchdog_start(&watchdog, &machine->vcpu, TIME_LIMIT_MS) == VMM_OK, "%s",
		machine->vcpu.error.message);
	status = vmm_ports_run(&machine->ports, &machine->vcpu, &machine->exit);
	cr_expect(!vmm_watchdog_end(&watchdog), "the guest ran into the test's time limit");
	return status;
}

static void judge_guest(
	const char *guest, const struct model_group *group, enum judge_layout layout)
{
	struct machine machine;
	enum vmm_status status;

	machine_need_kvm();
	machine_boot_guest(&machine, guest);
	if (layout == JUDGE_5_LEVEL)
		start_with_5_levels(&machine);
	judge_begin(&judge, &machine, group, layout, cases());
	machine.calls.handler = judge_call;
	machine.calls.ctx = &judge;
	status = run(&machine);
	/* A host that cannot run the mode at all dies of the first MOV to CR0 or the first IRET. */
	if (status == VMM_OK && judge.judged == 0)
		cr_skip_test("this host's KVM cannot run %s: %s", group->name,
			machine_exit_text(&machine));
	cr_expect(status == VMM_FINISHED, "%s: %s", machine_exit_text(&machine),
		machine.vcpu.error.message);
	cr_expect(machine.calls.code == 0 && machine.calls.failures == 0);
	judge_report(&judge);
	cr_expect(judge.judged > 0 && judge.wrong == 0);
	machine_destroy(&machine);
}

Test(access, without_paging)
{
	judge_guest("access32", &model_cpu_none, JUDGE_NONE);
}

Test(access, without_paging_in_ring_3)
{
	judge_guest("access32", &model_cpu_none_ring3, JUDGE_NONE);
}

Test(access, paging_32_bit)
{
	judge_guest("access32", &model_cpu_32, JUDGE_32);
}

Test(access, pae)
{
	judge_guest("access32", &model_cpu_pae, JUDGE_PAE);
}

Test(access, paging_4_levels)
{
	judge_guest("access", &model_cpu_long, JUDGE_4_LEVEL);
}

Test(access, paging_5_levels)
{
	judge_guest("access", &model_cpu_la57, JUDGE_5_LEVEL);
}

Test(access, gib_pages_of_4_levels)
{
	judge_guest("access", &model_cpu_huge, JUDGE_4_LEVEL);
}

Test(access, gib_pages_of_5_levels)
{
	judge_guest("access", &model_cpu_huge_la57, JUDGE_5_LEVEL);
}
