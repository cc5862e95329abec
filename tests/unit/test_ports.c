/* SPDX-License-Identifier: MIT */
/* The port table, the console and the guest calls, without KVM: a vCPU that never runs. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/ports.h>

#define RAM_BYTES 0x10000u
#define CALL_PA   0x2000u

struct fake {
	struct vmm_vm vm;
	struct vmm_vcpu vcpu;
	struct vmm_ports ports;
	struct vmm_console console;
	struct vmm_calls calls;
	uint8_t *ram;
	char output[64];
	size_t output_bytes;
	unsigned handled;
	uint32_t answer; /* what on_call() answers */
};

static void collect(void *ctx, const char *bytes, size_t count)
{
	struct fake *fake = ctx;

	cr_assert(le(sz, fake->output_bytes + count, sizeof fake->output));
	memcpy(fake->output + fake->output_bytes, bytes, count);
	fake->output_bytes += count;
}

static enum vmm_status on_call(void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	struct fake *fake = ctx;

	cr_expect(eq(ptr, vcpu, &fake->vcpu));
	fake->handled++;
	if (fake->answer)
		call->answer = fake->answer;
	return VMM_OK;
}

static void set_up(struct fake *fake)
{
	*fake = (struct fake){.ram = calloc(1, RAM_BYTES)};
	cr_assert(ne(ptr, fake->ram, NULL));
	fake->vm.memory_bytes = RAM_BYTES;
	fake->vm.windows[0] = (struct pw_window){.size = RAM_BYTES, .host = fake->ram};
	fake->vm.window_count = 1;
	fake->vcpu.vm = &fake->vm;
	fake->console = (struct vmm_console){.sink = collect, .ctx = fake};
	fake->calls = (struct vmm_calls){.handler = on_call, .ctx = fake};
	cr_assert(eq(int, (int)vmm_console_attach(&fake->console, &fake->ports), VMM_OK));
	cr_assert(eq(int, (int)vmm_calls_attach(&fake->calls, &fake->ports), VMM_OK));
}

static enum vmm_status out(struct fake *fake, uint16_t port, uint8_t bytes, uint32_t value)
{
	const struct vmm_port_access access = {
		.port = port, .out = true, .bytes = bytes, .count = 1, .data = &value};

	return vmm_ports_dispatch(&fake->ports, &fake->vcpu, &access);
}

static uint8_t in8(struct fake *fake, uint16_t port)
{
	uint8_t value = 0xff;
	const struct vmm_port_access access = {
		.port = port, .bytes = 1, .count = 1, .data = &value};

	cr_expect(eq(int, (int)vmm_ports_dispatch(&fake->ports, &fake->vcpu, &access), VMM_OK));
	return value;
}

static enum vmm_status refuse(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	(void)ctx;
	(void)vcpu;
	(void)access;
	return VMM_INVALID;
}

Test(ports, ranges_may_not_overlap_nor_the_table_overflow)
{
	struct vmm_ports ports = {0};

	cr_expect(eq(int, (int)vmm_ports_add(&ports, 2, 1, refuse, NULL), VMM_INVALID));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0x10, 0x1f, refuse, NULL), VMM_OK));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0x1f, 0x2f, refuse, NULL), VMM_INVALID));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0, 0x10, refuse, NULL), VMM_INVALID));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0, 0xffff, refuse, NULL), VMM_INVALID));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0x12, 0x12, refuse, NULL), VMM_INVALID));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0xffff, 0xffff, refuse, NULL), VMM_OK));
	for (uint16_t port = 0x20; ports.count < VMM_PORT_RANGES_MAX; port++)
		cr_assert(eq(int, (int)vmm_ports_add(&ports, port, port, refuse, NULL), VMM_OK));
	cr_expect(eq(int, (int)vmm_ports_add(&ports, 0x100, 0x100, refuse, NULL), VMM_INVALID));
}

Test(ports, access_goes_to_its_handler)
{
	struct fake fake;

	set_up(&fake);
	cr_assert(eq(int, (int)vmm_ports_add(&fake.ports, 0x10, 0x1f, refuse, NULL), VMM_OK));
	cr_expect(eq(int, (int)out(&fake, 0x10, 1, 0), VMM_INVALID));
	cr_expect(eq(int, (int)out(&fake, 0x1f, 4, 0), VMM_INVALID));
	cr_expect(eq(int, (int)out(&fake, 0x20, 1, 0), VMM_UNHANDLED));
	cr_expect(eq(int, (int)out(&fake, 0xf, 4, 0), VMM_UNHANDLED));
	cr_expect(ne(ptr, strstr(fake.vcpu.error.message, "port 0xf"), NULL));
	free(fake.ram);
}

Test(console, both_ports_print)
{
	struct fake fake;

	set_up(&fake);
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_CONSOLE, 1, 'a'), VMM_OK));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL, 1, 'b'), VMM_OK));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_CONSOLE, 2, 'c'), VMM_OK));
	cr_expect(eq(int, memcmp(fake.output, "abc", 4), 0));
	cr_expect(eq(u64, fake.console.written, 3));
	cr_expect(eq(u8, in8(&fake, GUEST_PORT_CONSOLE), 0xe9));
	free(fake.ram);
}

Test(console, uart_looks_ready_and_keeps_its_divisor_quiet)
{
	struct fake fake;

	set_up(&fake);
	cr_expect(eq(u8, in8(&fake, GUEST_PORT_SERIAL + 5) & 0x60, 0x60));
	cr_expect(eq(u8, in8(&fake, GUEST_PORT_SERIAL + 2), 1));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL + 7, 1, 0xa5), VMM_OK));
	cr_expect(eq(u8, in8(&fake, GUEST_PORT_SERIAL + 7), 0xa5));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL + 3, 1, 0x83), VMM_OK));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL, 1, 1), VMM_OK));
	cr_expect(eq(sz, fake.output_bytes, 0));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL + 3, 1, 0x03), VMM_OK));
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_SERIAL, 1, 'x'), VMM_OK));
	cr_expect(eq(sz, fake.output_bytes, 1));
	free(fake.ram);
}

Test(console, limit_drops_the_rest_and_says_so)
{
	char flood[20];
	struct vmm_port_access access = {.port = GUEST_PORT_CONSOLE,
		.out = true,
		.bytes = 1,
		.count = sizeof flood,
		.data = flood};
	struct fake fake;

	memset(flood, 'x', sizeof flood);
	set_up(&fake);
	fake.console.limit = 50;
	for (unsigned i = 0; i < 2; i++)
		cr_expect(
			eq(int, (int)vmm_ports_dispatch(&fake.ports, &fake.vcpu, &access), VMM_OK));
	cr_expect(eq(int, (int)vmm_ports_dispatch(&fake.ports, &fake.vcpu, &access), VMM_LIMIT));
	cr_expect(eq(int, (int)vmm_ports_dispatch(&fake.ports, &fake.vcpu, &access), VMM_LIMIT));
	cr_expect(eq(u64, fake.console.written, 50));
	cr_expect(eq(u64, fake.console.dropped, 30));
	cr_expect(eq(sz, fake.output_bytes, 50));
	free(fake.ram);
}

static enum vmm_status call(struct fake *fake, const struct guest_call *call)
{
	cr_assert(vmm_vm_write(&fake->vm, CALL_PA, call, sizeof *call));
	return out(fake, GUEST_PORT_CALL, 4, CALL_PA);
}

static enum vmm_status call_start(struct fake *fake, uint32_t version)
{
	const struct guest_call start = {
		.number = GUEST_CALL_START, .start = {.abi_version = version}};

	return call(fake, &start);
}

static struct guest_call answered(const struct fake *fake)
{
	struct guest_call call;

	cr_assert(vmm_vm_read(&fake->vm, CALL_PA, &call, sizeof call));
	return call;
}

Test(calls, start_tells_the_size_of_memory)
{
	struct fake fake;

	set_up(&fake);
	cr_assert(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION), VMM_OK));
	cr_expect(fake.calls.started);
	cr_expect(eq(u32, answered(&fake).answer, GUEST_ANSWER_AGREE));
	cr_expect(eq(u64, answered(&fake).start.memory_bytes, RAM_BYTES));
	cr_expect(eq(u32, fake.handled, 1));
	free(fake.ram);
}

Test(calls, other_abi_version_is_refused)
{
	struct fake fake;

	set_up(&fake);
	cr_expect(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION + 1), VMM_BAD_CALL));
	cr_expect(ne(ptr, strstr(fake.vcpu.error.message, "version 2 of guest/abi.h"), NULL));
	cr_expect(eq(u32, fake.handled, 0));
	free(fake.ram);
}

Test(calls, first_call_must_be_start)
{
	const struct guest_call done = {.number = GUEST_CALL_DONE};
	struct fake fake;

	set_up(&fake);
	cr_expect(eq(int, (int)call(&fake, &done), VMM_BAD_CALL));
	cr_expect(not(fake.calls.done));
	free(fake.ram);
}

Test(calls, done_ends_the_run_with_its_code)
{
	const struct guest_call done = {.number = GUEST_CALL_DONE, .done = {.code = 7}};
	struct fake fake;

	set_up(&fake);
	cr_assert(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION), VMM_OK));
	cr_expect(eq(int, (int)call(&fake, &done), VMM_FINISHED));
	cr_expect(fake.calls.done);
	cr_expect(eq(u32, fake.calls.code, 7));
	cr_expect(eq(u32, fake.handled, 2));
	free(fake.ram);
}

Test(calls, unknown_call_is_answered_as_unknown_unless_the_handler_knows_it)
{
	const struct guest_call strange = {.number = 4711};
	struct fake fake;

	set_up(&fake);
	cr_assert(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION), VMM_OK));
	cr_expect(eq(int, (int)call(&fake, &strange), VMM_OK));
	cr_expect(eq(u32, answered(&fake).answer, GUEST_ANSWER_UNKNOWN));
	fake.answer = GUEST_ANSWER_AGREE;
	cr_expect(eq(int, (int)call(&fake, &strange), VMM_OK));
	cr_expect(eq(u32, answered(&fake).answer, GUEST_ANSWER_AGREE));
	free(fake.ram);
}

Test(calls, structure_outside_ram_is_refused)
{
	static const uint32_t addresses[] = {
		RAM_BYTES, RAM_BYTES - (uint32_t)sizeof(struct guest_call) + 1, UINT32_MAX};
	struct fake fake;

	set_up(&fake);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect(eq(int, (int)out(&fake, GUEST_PORT_CALL, 4, addresses[i]), VMM_BAD_CALL));
		cr_expect(ne(ptr, strstr(fake.vcpu.error.message, "outside its memory"), NULL));
	}
	free(fake.ram);
}

Test(calls, other_use_of_the_port_is_refused)
{
	uint32_t value = CALL_PA;
	struct vmm_port_access access = {
		.port = GUEST_PORT_CALL, .out = true, .bytes = 4, .count = 2, .data = &value};
	struct fake fake;

	set_up(&fake);
	cr_expect(eq(int, (int)out(&fake, GUEST_PORT_CALL, 1, 0), VMM_BAD_CALL));
	cr_expect(eq(int, (int)vmm_ports_dispatch(&fake.ports, &fake.vcpu, &access), VMM_BAD_CALL));
	access.count = 1;
	access.out = false;
	cr_expect(eq(int, (int)vmm_ports_dispatch(&fake.ports, &fake.vcpu, &access), VMM_BAD_CALL));
	free(fake.ram);
}

static enum vmm_status on_call_check_texts(
	void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	(void)ctx;
	(void)vcpu;
	cr_expect(lt(sz, strnlen(call->label, sizeof call->label), sizeof call->label));
	if (call->number == GUEST_CALL_FAILURE)
		cr_expect(lt(sz, strnlen(call->failure.file, sizeof call->failure.file),
			sizeof call->failure.file));
	return VMM_OK;
}

Test(calls, texts_without_an_end_are_ended)
{
	struct guest_call failure;
	struct fake fake;

	set_up(&fake);
	fake.calls.handler = on_call_check_texts;
	cr_assert(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION), VMM_OK));
	memset(&failure, 'x', sizeof failure);
	failure.number = GUEST_CALL_FAILURE;
	cr_expect(eq(int, (int)call(&fake, &failure), VMM_OK));
	cr_expect(eq(u64, fake.calls.failures, 1));
	free(fake.ram);
}

Test(calls, without_a_handler_the_library_does_its_part)
{
	struct fake fake;

	set_up(&fake);
	fake.calls.handler = NULL;
	cr_expect(eq(int, (int)call_start(&fake, GUEST_ABI_VERSION), VMM_OK));
	cr_expect(eq(u64, answered(&fake).start.memory_bytes, RAM_BYTES));
	free(fake.ram);
}
