/* SPDX-License-Identifier: MIT */
/* A PC for one test. */
#include "pc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define TIME_LIMIT_MS 30000

#define KERNEL_ADDRESS 0x100000u
#define CODE_MAX       256

static void collect(void *ctx, const char *bytes, size_t count)
{
	struct pc *pc = ctx;

	for (size_t i = 0; i < count && pc->output_bytes + 1 < PC_OUTPUT_BYTES; i++)
		pc->output[pc->output_bytes++] = bytes[i];
}

static void count_stray(void *ctx, struct vmm_vcpu *vcpu, const struct vmm_exit *access)
{
	struct pc *pc = ctx;

	(void)vcpu;
	(void)access;
	pc->strays++;
}

void pc_create(struct pc *pc, const struct vmm_machine_config *config)
{
	struct vmm_machine_config filled = *config;
	enum vmm_status status;

	memset(pc, 0, sizeof *pc);
	if (filled.memory_bytes == 0)
		filled.memory_bytes = MACHINE_MEMORY;
	filled.sink = collect;
	filled.on_stray = count_stray;
	filled.ctx = pc;
	status = vmm_machine_create(&pc->machine, &filled);
	if (status == VMM_NO_DEVICE || status == VMM_DENIED || status == VMM_UNSUPPORTED)
		cr_skip_test("%s", pc->machine.error.message);
	cr_assert(eq(int, (int)status, VMM_OK), "%s", pc->machine.error.message);
}

void pc_create_guest(struct pc *pc, const char *guest, const struct vmm_machine_config *config)
{
	struct vmm_machine_config filled = *config;
	char path[4096];

	machine_guest_path(path, sizeof path, guest);
	filled.guest = path;
	pc_create(pc, &filled);
}

void pc_create_code(struct pc *pc, const void *code, size_t size, unsigned vcpus)
{
	const uint32_t magic = 0x1badb002, flags = 0x10000;
	struct {
		uint32_t header[8];
		uint8_t code[CODE_MAX];
	} kernel = {.header = {magic, flags, 0u - (magic + flags), KERNEL_ADDRESS, KERNEL_ADDRESS,
			    0, 0, KERNEL_ADDRESS + sizeof kernel.header}};
	const struct vmm_machine_config config = {
		.guest_bytes = &kernel, .guest_size = sizeof kernel, .vcpus = vcpus};

	cr_assert(le(sz, size, sizeof kernel.code));
	memcpy(kernel.code, code, size);
	pc_create(pc, &config);
}

enum vmm_status pc_run(struct pc *pc)
{
	struct vmm_vcpu *first = &pc->machine.vcpus[0];
	struct vmm_watchdog watchdog;
	enum vmm_status status;

	cr_assert(vmm_watchdog_start(&watchdog, first, TIME_LIMIT_MS) == VMM_OK, "%s",
		first->error.message);
	status = vmm_machine_run(&pc->machine);
	cr_expect(not(vmm_watchdog_end(&watchdog)), "the guest ran into the test's time limit: %s",
		pc->output);
	if (status == VMM_OK && pc->machine.exit.kind == VMM_EXIT_INTERNAL_ERROR)
		cr_skip_test("on this host, %s", pc_exit_text(pc));
	return status;
}

void pc_expect_code(struct pc *pc, uint32_t code)
{
	enum vmm_status status = pc_run(pc);

	cr_assert(eq(int, (int)status, VMM_FINISHED), "%s; %s",
		status == VMM_OK ? pc_exit_text(pc) : pc->machine.error.message, pc->output);
	cr_expect(eq(u32, pc->machine.code, code), "%s", pc->output);
}

void pc_expect_output(struct pc *pc, const char *wanted)
{
	cr_expect(strstr(pc->output, wanted) != NULL, "\"%s\" does not say \"%s\"", pc->output,
		wanted);
}

const char *pc_exit_text(struct pc *pc)
{
	return vmm_exit_describe(&pc->machine.exit, pc->text, sizeof pc->text);
}
