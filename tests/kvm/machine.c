/* SPDX-License-Identifier: MIT */
/* A guest under KVM for one test. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define TIME_LIMIT_MS 10000

void machine_need_kvm(void)
{
	struct vmm_vm vm;
	const struct vmm_vm_config config = {.memory_bytes = VMM_MEMORY_MIN};
	enum vmm_status status = vmm_vm_create(&vm, &config);

	if (status == VMM_NO_DEVICE || status == VMM_DENIED)
		cr_skip_test("%s", vm.error.message);
	if (status == VMM_OK)
		vmm_vm_destroy(&vm);
}

static void collect(void *ctx, const char *bytes, size_t count)
{
	struct machine *machine = ctx;

	for (size_t i = 0; i < count && machine->output_bytes + 1 < MACHINE_OUTPUT_BYTES; i++)
		machine->output[machine->output_bytes++] = bytes[i];
}

void machine_create(struct machine *machine, uint64_t memory_bytes)
{
	const struct vmm_vm_config config = {.memory_bytes = memory_bytes};

	*machine = (struct machine){.console = {.sink = collect, .ctx = machine}};
	cr_assert(vmm_vm_create(&machine->vm, &config) == VMM_OK, "%s", machine->vm.error.message);
	cr_assert(vmm_vcpu_create(&machine->vcpu, &machine->vm, 0) == VMM_OK, "%s",
		machine->vcpu.error.message);
	cr_assert(eq(int, (int)vmm_console_attach(&machine->console, &machine->ports), VMM_OK));
	cr_assert(eq(int, (int)vmm_calls_attach(&machine->calls, &machine->ports), VMM_OK));
}

static void boot(struct machine *machine)
{
	cr_assert(
		vmm_vcpu_boot(&machine->vcpu, machine->image.mode, machine->image.entry) == VMM_OK,
		"%s", machine->vcpu.error.message);
}

void machine_guest_path(char *path, size_t size, const char *name)
{
	const char *directory = getenv("PW_GUEST_DIR");

	snprintf(path, size, "%s/%s.elf", directory ? directory : PW_GUEST_DIR, name);
}

void machine_load_guest(struct machine *machine, const char *name)
{
	char path[4096];

	machine_guest_path(path, sizeof path, name);
	cr_assert(vmm_image_load_elf(&machine->vm, path, &machine->image) == VMM_OK, "%s",
		machine->vm.error.message);
}

void machine_load_bytes(struct machine *machine, const void *bytes, size_t size, uint64_t address,
	enum vmm_mode mode)
{
	cr_assert(vmm_image_load_bytes(&machine->vm, bytes, size, address, mode, &machine->image) ==
			  VMM_OK,
		"%s", machine->vm.error.message);
}

void machine_boot_guest(struct machine *machine, const char *name)
{
	machine_create(machine, MACHINE_MEMORY);
	machine_load_guest(machine, name);
	boot(machine);
}

void machine_boot_bytes(struct machine *machine, const void *bytes, size_t size, uint64_t address,
	enum vmm_mode mode)
{
	machine_create(machine, MACHINE_MEMORY);
	machine_load_bytes(machine, bytes, size, address, mode);
	boot(machine);
}

void machine_destroy(struct machine *machine)
{
	vmm_vcpu_destroy(&machine->vcpu);
	vmm_vm_destroy(&machine->vm);
}

enum vmm_status machine_run(struct machine *machine)
{
	struct vmm_watchdog watchdog;
	enum vmm_status status;

	cr_assert(vmm_watchdog_start(&watchdog, &machine->vcpu, TIME_LIMIT_MS) == VMM_OK, "%s",
		machine->vcpu.error.message);
	status = vmm_ports_run(&machine->ports, &machine->vcpu, &machine->exit);
	cr_expect(not(vmm_watchdog_end(&watchdog)), "the guest ran into the test's time limit");
	return status;
}

const char *machine_exit_text(struct machine *machine)
{
	return vmm_exit_describe(&machine->exit, machine->text, sizeof machine->text);
}

void expect_text(const char *found, const char *wanted)
{
	cr_expect(strcmp(found, wanted) == 0, "\"%s\" instead of \"%s\"", found, wanted);
}

struct kvm_regs machine_regs(struct machine *machine)
{
	struct kvm_regs regs;

	cr_assert(eq(int, (int)vmm_vcpu_get_regs(&machine->vcpu, &regs), VMM_OK));
	return regs;
}
