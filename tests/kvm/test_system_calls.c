/* SPDX-License-Identifier: MIT */
/*
 * What an exit costs in system calls, counted: serving a port is one KVM_RUN, as in the barest
 * loop; translating an address at the exit is none.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "machine.h"
#include "system_calls.h"

#define EXITS 1000u
#define PORT  0x80

enum outcome {
	DONE = 1,
	NO_FILTER,
	NO_GUEST,
	WRONG_ANSWER,
};

/* In a child, since counting does not end and a wrong count must not disturb the test's report. */
static enum outcome in_child(
	enum outcome (*deed)(struct system_calls *), struct system_calls *calls)
{
	struct system_calls *shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t child;

	cr_assert(shared != MAP_FAILED);
	child = fork();
	cr_assert(ge(int, child, 0));
	if (child == 0) {
		alarm(20);
		_exit(deed(shared));
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	cr_assert(eq(int, WTERMSIG(status), 0), "the child died of signal %d", WTERMSIG(status));
	*calls = *shared;
	munmap(shared, sizeof *shared);
	if (WEXITSTATUS(status) == NO_FILTER)
		cr_skip_test("this kernel filters no system calls");
	return (enum outcome)WEXITSTATUS(status);
}

static enum outcome ask_for_parent(struct system_calls *calls)
{
	if (!system_calls_count(calls))
		return NO_FILTER;
	for (unsigned i = 0; i < EXITS; i++) {
		if (syscall(SYS_getppid) <= 1)
			return WRONG_ANSWER;
	}
	return DONE;
}

Test(system_calls, counter_counts)
{
	struct system_calls calls;

	cr_assert(eq(int, (int)in_child(ask_for_parent, &calls), DONE));
	cr_expect(eq(ulong, calls.runs, 0));
	cr_expect(eq(ulong, calls.all, EXITS + 1)); /* the last is exit_group */
}

/* ---- A guest that writes to a port for ever ---- */

struct loop {
	struct vmm_vm vm;
	struct vmm_vcpu vcpu;
	struct vmm_ports ports;
	struct vmm_exit exit;
	unsigned exits, until;
	bool translate, wrong;
};

static enum vmm_status at_port(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct loop *loop = ctx;
	struct pw_space space;
	struct pw_result found;
	uint64_t va = loop->exits * UINT64_C(0x1003);

	loop->wrong |= !access->out;
	if (loop->translate)
		loop->wrong |= vmm_vcpu_space(vcpu, &space) != VMM_OK ||
			       pw_translate(&space, va, PW_ACCESS_WRITE, &found) != PW_OK ||
			       found.pa != va;
	return ++loop->exits == loop->until ? VMM_FINISHED : VMM_OK;
}

static bool run_until(struct loop *loop, unsigned exits)
{
	loop->until = exits;
	return vmm_ports_run(&loop->ports, &loop->vcpu, &loop->exit) == VMM_FINISHED;
}

/* As far as the first exit: what is found out once is no cost of each exit. */
static bool start_loop(struct loop *loop)
{
	static const uint8_t code[] = {0xe6, PORT, 0xeb, 0xfc}; /* 1: out PORT, al; jmp 1b */
	const struct vmm_vm_config config = {.memory_bytes = MACHINE_MEMORY};
	struct vmm_image image;

	return vmm_vm_create(&loop->vm, &config) == VMM_OK &&
	       vmm_vcpu_create(&loop->vcpu, &loop->vm, 0) == VMM_OK &&
	       vmm_image_load_bytes(&loop->vm, code, sizeof code, 0x8000, VMM_MODE_LONG, &image) ==
		       VMM_OK &&
	       vmm_vcpu_boot(&loop->vcpu, image.mode, image.entry) == VMM_OK &&
	       vmm_ports_add(&loop->ports, PORT, PORT, at_port, loop) == VMM_OK &&
	       run_until(loop, 1);
}

static enum outcome run_loop(struct system_calls *calls, bool translate)
{
	struct loop loop = {.translate = translate};

	if (!start_loop(&loop))
		return NO_GUEST;
	if (!system_calls_count(calls))
		return NO_FILTER;
	if (!run_until(&loop, 1 + EXITS))
		return NO_GUEST;
	return loop.wrong ? WRONG_ANSWER : DONE;
}

static enum outcome serve_ports(struct system_calls *calls)
{
	return run_loop(calls, false);
}

static enum outcome translate_at_ports(struct system_calls *calls)
{
	return run_loop(calls, true);
}

static void assert_one_call_an_exit(enum outcome (*deed)(struct system_calls *))
{
	struct system_calls calls;

	machine_need_kvm();
	cr_assert(eq(int, (int)in_child(deed, &calls), DONE));
	cr_expect(eq(ulong, calls.runs, EXITS));
	cr_expect(eq(ulong, calls.all, EXITS + 1)); /* the last is exit_group */
}

Test(system_calls, port_exit_is_one_kvm_run)
{
	assert_one_call_an_exit(serve_ports);
}

Test(system_calls, translating_at_an_exit_is_none)
{
	assert_one_call_an_exit(translate_at_ports);
}

/* ---- The thread ID that is not asked for again ---- */

/* The child has another: with its parent's the guest would never be stopped. */
static enum outcome stop_guest_of_child(struct system_calls *calls)
{
	struct machine machine = {.output_bytes = 0};
	struct vmm_watchdog watchdog;

	(void)calls;
	machine_boot_guest(&machine, "hang_user");
	if (vmm_watchdog_start(&watchdog, &machine.vcpu, 100) != VMM_OK ||
		vmm_ports_run(&machine.ports, &machine.vcpu, &machine.exit) != VMM_OK)
		return NO_GUEST;
	return machine.exit.kind == VMM_EXIT_STOPPED && vmm_watchdog_end(&watchdog) ? DONE
										    : WRONG_ANSWER;
}

Test(system_calls, guest_of_a_forked_child_can_be_stopped)
{
	struct system_calls none;
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "hello");
	cr_assert(eq(int, (int)machine_run(&machine), VMM_FINISHED));
	cr_expect(eq(int, (int)in_child(stop_guest_of_child, &none), DONE));
	machine_destroy(&machine);
}
