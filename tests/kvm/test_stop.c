/* SPDX-License-Identifier: MIT */
/* A guest that misbehaves ends in an exit that says what it did; and it can always be stopped. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "machine.h"

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

Test(stop, triple_fault_is_a_shutdown)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "triple");
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_SHUTDOWN));
	cr_expect(ne(ptr, strstr(machine_exit_text(&machine), "triple fault"), NULL));
	machine_destroy(&machine);
}

static void assert_watchdog_stops(const char *guest)
{
	struct machine machine;
	struct vmm_watchdog watchdog;
	struct timespec start;

	machine_boot_guest(&machine, guest);
	clock_gettime(CLOCK_MONOTONIC, &start);
	cr_assert(eq(int, (int)vmm_watchdog_start(&watchdog, &machine.vcpu, 200), VMM_OK));
	cr_expect(
		eq(int, (int)vmm_ports_run(&machine.ports, &machine.vcpu, &machine.exit), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_STOPPED), "%s: %s", guest,
		machine_exit_text(&machine));
	cr_expect(vmm_watchdog_fired(&watchdog));
	cr_expect(vmm_watchdog_end(&watchdog));
	cr_expect(seconds_since(&start) >= 0.2);
	cr_expect(seconds_since(&start) < 5, "%s took %f s", guest, seconds_since(&start));
	machine_destroy(&machine);
}

Test(stop, hanging_guest_ends_at_its_time_limit)
{
	machine_need_kvm();
	assert_watchdog_stops("hang");
	assert_watchdog_stops("hang_user");
}

Test(stop, watchdog_that_ends_in_time_stops_nothing)
{
	struct machine machine;
	struct vmm_watchdog watchdog;

	machine_need_kvm();
	machine_boot_guest(&machine, "hello");
	cr_assert(eq(int, (int)vmm_watchdog_start(&watchdog, &machine.vcpu, UINT64_MAX), VMM_OK));
	cr_expect(eq(int, (int)vmm_ports_run(&machine.ports, &machine.vcpu, &machine.exit),
		VMM_FINISHED));
	cr_expect(not(vmm_watchdog_fired(&watchdog)));
	cr_expect(not(vmm_watchdog_end(&watchdog)));
	machine_destroy(&machine);
}

static void *stop_after_a_moment(void *context)
{
	const struct timespec moment = {.tv_nsec = 50000000};

	nanosleep(&moment, NULL);
	vmm_vcpu_stop(context);
	return NULL;
}

Test(stop, another_thread_stops_a_running_guest_and_it_can_go_on)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "hang");
	for (unsigned i = 0; i < 3; i++) {
		pthread_t thread;

		cr_assert(eq(
			int, pthread_create(&thread, NULL, stop_after_a_moment, &machine.vcpu), 0));
		cr_expect(eq(int, (int)machine_run(&machine), VMM_OK));
		cr_expect(eq(int, machine.exit.kind, VMM_EXIT_STOPPED));
		pthread_join(thread, NULL);
	}
	machine_destroy(&machine);
}

Test(stop, stop_before_the_run_is_not_lost)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "hang");
	vmm_vcpu_stop(&machine.vcpu);
	vmm_vcpu_stop(&machine.vcpu);
	cr_expect(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_STOPPED));
	machine_destroy(&machine);
}

/* Stops from every moment between two exits, thousands of times: none is lost, none hangs. */
static void *stop_again_and_again(void *context)
{
	struct machine *machine = context;

	for (unsigned i = 0; i < 2000; i++) {
		const struct timespec moment = {.tv_nsec = (long)(i % 50) * 1000};

		nanosleep(&moment, NULL);
		vmm_vcpu_stop(&machine->vcpu);
	}
	return NULL;
}

Test(stop, stops_at_any_moment_leave_the_guest_whole)
{
	struct machine machine;
	enum vmm_status status;
	pthread_t thread;

	machine_need_kvm();
	machine_boot_guest(&machine, "paging");
	cr_assert(eq(int, pthread_create(&thread, NULL, stop_again_and_again, &machine), 0));
	do
		status = machine_run(&machine);
	while (status == VMM_OK && (machine.exit.kind == VMM_EXIT_STOPPED ||
					   machine.exit.kind == VMM_EXIT_INTERRUPTED));
	pthread_join(thread, NULL);
	cr_expect(eq(int, (int)status, VMM_FINISHED), "%s", machine_exit_text(&machine));
	cr_expect(eq(u32, machine.calls.code, 0));
	machine_destroy(&machine);
}

static struct vmm_vcpu *vcpu_of_handler;

static void stop_in_handler(int number)
{
	(void)number;
	vmm_vcpu_stop(vcpu_of_handler);
}

static void do_nothing(int number)
{
	(void)number;
}

static void alarm_after_100_ms(void (*handler)(int))
{
	const struct itimerval once = {.it_value = {.tv_usec = 100000}};
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	cr_assert(eq(int, sigaction(SIGALRM, &action, NULL), 0));
	cr_assert(eq(int, setitimer(ITIMER_REAL, &once, NULL), 0));
}

Test(stop, signal_handler_stops_the_guest)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "hang");
	vcpu_of_handler = &machine.vcpu;
	alarm_after_100_ms(stop_in_handler);
	cr_expect(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_STOPPED));
	machine_destroy(&machine);
}

Test(stop, other_signal_interrupts_and_says_so)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "hang");
	alarm_after_100_ms(do_nothing);
	cr_expect(eq(int, (int)vmm_vcpu_run(&machine.vcpu, &machine.exit), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_INTERRUPTED));
	machine_destroy(&machine);
}

Test(stop, flood_on_the_console_ends_at_the_limit)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "flood");
	machine.console.limit = 1000;
	cr_assert(eq(int, (int)machine_run(&machine), VMM_LIMIT));
	cr_expect(eq(u64, machine.console.written, 1000));
	cr_expect(eq(u64, machine.console.dropped, 1));
	cr_expect(eq(sz, machine.output_bytes, 1000));
	cr_expect(ne(ptr, strstr(machine.vcpu.error.message, "1000 bytes"), NULL));
	machine_destroy(&machine);
}

Test(stop, write_outside_ram_is_an_mmio_exit)
{
	struct machine machine;

	machine_need_kvm();
	machine_boot_guest(&machine, "wild");
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_assert(eq(int, machine.exit.kind, VMM_EXIT_MMIO), "%s", machine_exit_text(&machine));
	cr_expect(machine.exit.mmio.write);
	cr_expect(eq(u64, machine.exit.mmio.pa, 0xd0000010));
	cr_expect(eq(u32, machine.exit.mmio.bytes, 4));
	cr_expect(ne(ptr,
		strstr(machine_exit_text(&machine),
			"wrote 0x600dcafe to guest-physical 0xd0000010"),
		NULL));

	/* It goes on: a read, which gets what the caller puts there. */
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_assert(eq(int, machine.exit.kind, VMM_EXIT_MMIO), "%s", machine_exit_text(&machine));
	cr_expect(not(machine.exit.mmio.write));
	memset(machine.exit.mmio.value, 0x5a, machine.exit.mmio.bytes);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	cr_expect(eq(int, machine.exit.kind, VMM_EXIT_HALT));
	cr_expect(eq(u64, machine_regs(&machine).rax, 0x5a5a5a5a));
	machine_destroy(&machine);
}

/* Which of the two it is depends on the host; both must be told. */
Test(stop, instruction_that_kvm_may_not_emulate)
{
	static const uint8_t int3[] = {0xcc, 0xf4};
	struct machine machine;
	const char *text;

	machine_need_kvm();
	machine_boot_bytes(&machine, int3, sizeof int3, 0x8000, VMM_MODE_LONG);
	cr_assert(eq(int, (int)machine_run(&machine), VMM_OK));
	text = machine_exit_text(&machine);
	if (machine.exit.kind == VMM_EXIT_INTERNAL_ERROR) {
		cr_expect(eq(u32, machine.exit.internal.suberror, 1));
		cr_expect(ne(ptr, strstr(text, "cannot emulate an instruction"), NULL));
		cr_expect(ne(ptr, strstr(text, "rip 0x8000"), NULL));
		if (machine.exit.internal.instruction_bytes > 0)
			cr_expect(strstr(text, "bytes cc") != NULL, "%s", text);
	} else {
		cr_expect(eq(int, machine.exit.kind, VMM_EXIT_SHUTDOWN), "%s", text);
	}
	machine_destroy(&machine);
}
