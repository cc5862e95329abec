/* SPDX-License-Identifier: MIT */
/* The serial port's interrupts reach the guest, both ways, and what it sends and receives is whole.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pc.h"

Test(uart, bytes_are_sent_by_interrupts)
{
	const struct vmm_machine_config config = {.vcpus = 1};
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "uart", &config);
	pc_expect_code(&pc, 0);
	expect_text(pc.output, "sent through the 8259\nsent through the I/O APIC\n");
	vmm_machine_destroy(&pc.machine);
}

Test(uart, input_from_before_the_run_waits)
{
	const struct vmm_machine_config config = {.append = "echo"};
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "uart", &config);
	cr_expect(eq(sz, vmm_machine_input(&pc.machine, "good morning\n", 13), 13));
	pc_expect_code(&pc, 0);
	pc_expect_output(&pc, "received: good morning\n");
	vmm_machine_destroy(&pc.machine);
}

static void *type_slowly(void *context)
{
	const char *text = "typed by hand\n";

	for (; *text; text++) {
		const struct timespec moment = {.tv_nsec = 20000000};

		nanosleep(&moment, NULL);
		cr_expect(eq(sz, vmm_machine_input(context, text, 1), 1));
	}
	return NULL;
}

/* The guest has halted by then: each byte must wake it. */
Test(uart, input_while_it_runs_wakes_the_guest)
{
	const struct vmm_machine_config config = {.append = "echo", .vcpus = 2};
	pthread_t thread;
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "uart", &config);
	cr_assert(eq(int, pthread_create(&thread, NULL, type_slowly, &pc.machine), 0));
	pc_expect_code(&pc, 0);
	pthread_join(thread, NULL);
	pc_expect_output(&pc, "received: typed by hand\n");
	vmm_machine_destroy(&pc.machine);
}
