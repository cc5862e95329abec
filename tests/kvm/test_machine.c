/* SPDX-License-Identifier: MIT */
/* A whole machine: how a guest ends it, how it is stopped, and what answers for nothing. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "pc.h"

static void assert_code(const uint8_t *code, size_t size, uint32_t wanted)
{
	struct pc pc;

	pc_create_code(&pc, code, size, 1);
	pc_expect_code(&pc, wanted);
	vmm_machine_destroy(&pc.machine);
}

Test(machine, exit_port_gives_the_code_as_wide_as_it_was_written)
{
	/* mov $0x12345678, %eax; out %eax or %ax or %al, $0xf4 */
	static const uint8_t wide[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xe7, 0xf4};
	static const uint8_t middle[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0xe7, 0xf4};
	static const uint8_t narrow[] = {0xb8, 0x78, 0x56, 0x34, 0x12, 0xe6, 0xf4};

	machine_need_kvm();
	assert_code(wide, sizeof wide, 0x12345678);
	assert_code(middle, sizeof middle, 0x5678);
	assert_code(narrow, sizeof narrow, 0x78);
}

static void assert_event(const uint8_t *code, size_t size, uint32_t event)
{
	struct pc pc;

	pc_create_code(&pc, code, size, 1);
	cr_assert(eq(int, (int)pc_run(&pc), VMM_OK), "%s", pc.machine.error.message);
	cr_expect(eq(int, pc.machine.exit.kind, VMM_EXIT_SYSTEM_EVENT), "%s", pc_exit_text(&pc));
	cr_expect(eq(u32, pc.machine.exit.system_event, event));
	vmm_machine_destroy(&pc.machine);
}

Test(machine, resets_and_power_off_end_the_run)
{
	/* mov $0xfe, %al; out %al, $0x64 */
	static const uint8_t keyboard[] = {0xb0, 0xfe, 0xe6, 0x64};
	/* mov $1, %al; out %al, $0x92 */
	static const uint8_t fast[] = {0xb0, 0x01, 0xe6, 0x92};
	/* mov $0xcf9, %dx; mov $6, %al; out %al, %dx */
	static const uint8_t chipset[] = {0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee};
	/* mov $0x604, %dx; mov $0x2000, %ax; out %ax, %dx */
	static const uint8_t power[] = {0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef};

	machine_need_kvm();
	assert_event(keyboard, sizeof keyboard, KVM_SYSTEM_EVENT_RESET);
	assert_event(fast, sizeof fast, KVM_SYSTEM_EVENT_RESET);
	assert_event(chipset, sizeof chipset, KVM_SYSTEM_EVENT_RESET);
	assert_event(power, sizeof power, KVM_SYSTEM_EVENT_SHUTDOWN);
}

Test(machine, triple_fault_ends_the_run)
{
	static const uint8_t undefined[] = {0x0f, 0x0b}; /* ud2, and no IDT */
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, undefined, sizeof undefined, 1);
	cr_assert(eq(int, (int)pc_run(&pc), VMM_OK), "%s", pc.machine.error.message);
	cr_expect(eq(int, pc.machine.exit.kind, VMM_EXIT_SHUTDOWN), "%s", pc_exit_text(&pc));
	cr_expect(eq(u32, pc.machine.ended_by, 0));
	vmm_machine_destroy(&pc.machine);
}

Test(machine, accesses_to_nothing_go_on_and_are_counted)
{
	static const uint8_t code[] = {
		0x66, 0xba, 0x34, 0x12,       /* mov $0x1234, %dx */
		0xed,                         /* in %dx, %eax */
		0x89, 0xc3,                   /* mov %eax, %ebx */
		0xef,                         /* out %eax, %dx */
		0xa1, 0x08, 0x00, 0x00, 0xd0, /* mov 0xd0000008, %eax */
		0xa3, 0xf0, 0x0f, 0x00, 0xd0, /* mov %eax, 0xd0000ff0 */
		0x21, 0xd8,                   /* and %ebx, %eax */
		0xe7, 0xf4,                   /* out %eax, $0xf4 */
	};
	const struct vmm_strays *strays;
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, code, sizeof code, 1);
	pc_expect_code(&pc, UINT32_MAX);
	strays = &pc.machine.strays;
	cr_expect(eq(u64, strays->accesses, 4));
	cr_expect(eq(u32, pc.strays, 4));
	cr_assert(eq(u32, strays->count, 2));
	cr_expect(eq(u64, strays->first[0].address, 0x1234));
	cr_expect(not(strays->first[0].mmio));
	cr_expect(eq(u64, strays->first[0].reads, 1));
	cr_expect(eq(u64, strays->first[0].writes, 1));
	cr_expect(eq(u64, strays->first[1].address, 0xd0000000));
	cr_expect(strays->first[1].mmio);
	cr_expect(eq(u64, strays->first[1].reads, 1));
	cr_expect(eq(u64, strays->first[1].writes, 1));
	vmm_machine_destroy(&pc.machine);
}

/* ---- Stopping: HLT waits inside KVM ---- */

static const uint8_t halt_for_ever[] = {0xf4, 0xeb, 0xfd}; /* hlt; jmp to it */

static void assert_times_out(struct pc *pc)
{
	struct vmm_watchdog watchdog;

	cr_assert(eq(int, (int)vmm_watchdog_start(&watchdog, &pc->machine.vcpus[0], 200), VMM_OK));
	cr_expect(eq(int, (int)vmm_machine_run(&pc->machine), VMM_OK), "%s",
		pc->machine.error.message);
	cr_expect(eq(int, pc->machine.exit.kind, VMM_EXIT_STOPPED), "%s", pc_exit_text(pc));
	cr_expect(vmm_watchdog_end(&watchdog));
}

Test(machine, halted_guest_ends_at_its_time_limit_and_can_go_on)
{
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, halt_for_ever, sizeof halt_for_ever, 1);
	assert_times_out(&pc);
	assert_times_out(&pc);
	vmm_machine_destroy(&pc.machine);
}

Test(machine, waiting_processors_are_stopped_too)
{
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, halt_for_ever, sizeof halt_for_ever, 4);
	for (unsigned i = 0; i < 5; i++)
		assert_times_out(&pc);
	vmm_machine_destroy(&pc.machine);
}

Test(machine, stop_before_the_run_is_not_lost)
{
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, halt_for_ever, sizeof halt_for_ever, 2);
	vmm_machine_stop(&pc.machine);
	cr_expect(eq(int, (int)vmm_machine_run(&pc.machine), VMM_OK));
	cr_expect(eq(int, pc.machine.exit.kind, VMM_EXIT_STOPPED));
	vmm_machine_destroy(&pc.machine);
}

/* Prints without end and ends itself after a while, so that stops and the end meet. */
static void *stop_again_and_again(void *context)
{
	struct vmm_machine *machine = context;

	for (unsigned i = 0; i < 500; i++) {
		const struct timespec moment = {.tv_nsec = (long)(i % 50) * 1000};

		nanosleep(&moment, NULL);
		vmm_machine_stop(machine);
	}
	return NULL;
}

Test(machine, stops_at_any_moment_lose_no_access)
{
	static const uint8_t code[] = {
		0xb9, 0xe8, 0x03, 0x00, 0x00, /* mov $1000, %ecx */
		0xb0, 'x',                    /* mov $'x', %al */
		0xe6, 0xe9,                   /* out %al, $0xe9 */
		0x49, 0x75, 0xfb,             /* dec %ecx; jnz to the out */
		0xb0, 0x2a, 0xe6, 0xf4,       /* mov $42, %al; out %al, $0xf4 */
	};
	enum vmm_status status;
	pthread_t thread;
	struct pc pc;

	machine_need_kvm();
	pc_create_code(&pc, code, sizeof code, 2);
	cr_assert(eq(int, pthread_create(&thread, NULL, stop_again_and_again, &pc.machine), 0));
	do
		status = pc_run(&pc);
	while (status == VMM_OK && pc.machine.exit.kind == VMM_EXIT_STOPPED);
	pthread_join(thread, NULL);
	cr_expect(eq(int, (int)status, VMM_FINISHED), "%s", pc_exit_text(&pc));
	cr_expect(eq(u32, pc.machine.code, 0x2a));
	cr_expect(eq(sz, pc.output_bytes, 1000));
	vmm_machine_destroy(&pc.machine);
}

/* ---- Other guests than multiboot's ---- */

Test(machine, elf_guests_run_as_before)
{
	static const char *const guests[] = {"hello", "hello32"};

	machine_need_kvm();
	for (unsigned i = 0; i < 4; i++) {
		const struct vmm_machine_config config = {.pc = i >= 2};
		struct pc pc;

		pc_create_guest(&pc, guests[i % 2], &config);
		cr_expect(eq(int, pc.machine.vm.irqchip, i >= 2));
		pc_expect_code(&pc, 0);
		pc_expect_output(&pc, "Hello from a guest");
		vmm_machine_destroy(&pc.machine);
	}
}

Test(machine, flood_on_the_console_ends_at_the_limit)
{
	const struct vmm_machine_config config = {.console_limit = 1000};
	struct pc pc;

	machine_need_kvm();
	pc_create_guest(&pc, "flood", &config);
	cr_expect(eq(int, (int)pc_run(&pc), VMM_LIMIT));
	cr_expect(eq(sz, pc.output_bytes, 1000));
	cr_expect(strstr(pc.machine.error.message, "1000 bytes") != NULL);
	vmm_machine_destroy(&pc.machine);
}

static void assert_unbuildable(
	const struct vmm_machine_config *config, enum vmm_status wanted, const char *why)
{
	static struct vmm_machine machine;

	cr_expect(eq(int, (int)vmm_machine_create(&machine, config), (int)wanted), "%s", why);
	cr_expect(strstr(machine.error.message, why) != NULL, "\"%s\" does not say \"%s\"",
		machine.error.message, why);
}

Test(machine, what_no_host_can_build_is_refused)
{
	char path[4096];
	struct vmm_machine_config config = {
		.guest = path, .memory_bytes = MACHINE_MEMORY, .vcpus = VMM_VCPUS_MAX + 1};

	machine_need_kvm();
	machine_guest_path(path, sizeof path, "multiboot");
	assert_unbuildable(&config, VMM_INVALID, "65 vCPUs");
	config.vcpus = 1;
	config.memory_bytes = VMM_MEMORY_MIN;
	assert_unbuildable(&config, VMM_BAD_IMAGE, "outside the guest's memory");
	config.memory_bytes = 1;
	assert_unbuildable(&config, VMM_INVALID, "too small");
	machine_guest_path(path, sizeof path, "wild");
	config.memory_bytes = MACHINE_MEMORY;
	config.append = "x";
	assert_unbuildable(&config, VMM_INVALID, "wild.elf has no multiboot header");
}

Test(machine, vm_without_interrupt_controllers_says_so)
{
	struct vmm_vm vm;
	struct vmm_vm_config config = {.memory_bytes = VMM_MEMORY_MIN, .vcpus = 2};

	machine_need_kvm();
	cr_expect(eq(int, (int)vmm_vm_create(&vm, &config), VMM_INVALID));
	cr_expect(strstr(vm.error.message, "interrupt controllers") != NULL);
	config.vcpus = 1;
	cr_assert(eq(int, (int)vmm_vm_create(&vm, &config), VMM_OK));
	cr_expect(eq(int, (int)vmm_vm_set_irq(&vm, 4, true), VMM_INVALID));
	vmm_vm_destroy(&vm);
	config.irqchip = true;
	if (vmm_vm_create(&vm, &config) == VMM_UNSUPPORTED)
		cr_skip_test("%s", vm.error.message);
	cr_expect(eq(int, (int)vmm_vm_set_irq(&vm, 4, true), VMM_OK));
	cr_expect(eq(int, (int)vmm_vm_set_irq(&vm, 24, true), VMM_INVALID));
	vmm_vm_destroy(&vm);
}
