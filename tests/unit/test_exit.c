/* SPDX-License-Identifier: MIT */
/* Each exit's one line of text says what a person needs, in any buffer. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/run.h>

static void expect_text(const char *found, const char *wanted)
{
	cr_expect(strcmp(found, wanted) == 0, "\"%s\" instead of \"%s\"", found, wanted);
}

static void assert_text(const struct vmm_exit *exit, const char *wanted)
{
	char text[192];

	expect_text(vmm_exit_describe(exit, text, sizeof text), wanted);
}

Test(exit, texts)
{
	uint8_t four[8] = {0xfe, 0xca, 0x0d, 0x60};
	const struct vmm_exit out = {.kind = VMM_EXIT_PORT,
		.rip = 0x1000,
		.port = {.port = 0x3f8, .out = true, .bytes = 1, .count = 1, .data = four}};
	const struct vmm_exit in = {.kind = VMM_EXIT_PORT,
		.port = {.port = 0x10, .bytes = 2, .count = 5, .data = four}};
	const struct vmm_exit write = {.kind = VMM_EXIT_MMIO,
		.rip = 0x2000,
		.mmio = {.pa = 0xd0000000, .write = true, .bytes = 4, .value = four}};
	const struct vmm_exit read = {
		.kind = VMM_EXIT_MMIO, .mmio = {.pa = 0x10, .bytes = 1, .value = four}};
	const struct vmm_exit debug = {
		.kind = VMM_EXIT_DEBUG, .debug = {.exception = 1, .pc = 0x55, .dr6 = 0x4000}};

	assert_text(&out, "wrote 0xfe to port 0x3f8, 1 byte; rip 0x1000");
	assert_text(&in, "read port 0x10, 2 bytes, 5 times; rip 0");
	assert_text(&write, "wrote 0x600dcafe to guest-physical 0xd0000000 (4 bytes), which is not "
			    "RAM; rip 0x2000");
	assert_text(&read, "read guest-physical 0x10 (1 byte), which is not RAM; rip 0");
	assert_text(&debug, "debug stop, vector 1 at 0x55 (DR6 0x4000)");
}

Test(exit, internal_error_shows_the_instruction)
{
	const struct vmm_exit with_bytes = {.kind = VMM_EXIT_INTERNAL_ERROR,
		.rip = 0x1234,
		.internal = {.suberror = 1,
			.data_count = 4,
			.instruction_bytes = 3,
			.instruction = {0x0f, 0x01, 0xd0}}};
	const struct vmm_exit without = {.kind = VMM_EXIT_INTERNAL_ERROR,
		.internal = {.suberror = 3, .data_count = 2, .data = {0x10, 0x20}}};

	assert_text(&with_bytes,
		"KVM gave up (internal error 1): it cannot emulate an instruction; "
		"bytes 0f 01 d0; rip 0x1234");
	assert_text(&without, "KVM gave up (internal error 3): an exit came while it delivered an "
			      "event; data 0x10 0x20; rip 0");
}

Test(exit, every_kind_has_a_name_and_a_text)
{
	uint8_t data[8] = {0};

	for (int kind = 0; kind < VMM_EXIT_KIND_COUNT; kind++) {
		struct vmm_exit exit = {.kind = (enum vmm_exit_kind)kind};
		char text[192];

		if (kind == VMM_EXIT_PORT)
			exit.port.data = data;
		if (kind == VMM_EXIT_MMIO)
			exit.mmio.value = data;
		cr_expect(ne(int, strcmp(vmm_exit_name(exit.kind), "?"), 0));
		cr_expect(gt(sz, strlen(vmm_exit_describe(&exit, text, sizeof text)), 8));
		cr_expect(eq(ptr, strchr(text, '\n'), NULL));
	}
	expect_text(vmm_exit_name((enum vmm_exit_kind)VMM_EXIT_KIND_COUNT), "?");
}

Test(exit, text_is_cut_where_the_buffer_ends)
{
	const struct vmm_exit exit = {.kind = VMM_EXIT_HALT, .rip = 0x1000};
	char text[32];

	for (size_t size = 0; size <= sizeof text; size++) {
		memset(text, '#', sizeof text);
		vmm_exit_describe(&exit, text, size);
		if (size > 0)
			cr_expect(eq(int, strncmp(text, "halted; rip 0x1000", size - 1), 0));
		if (size > 0)
			cr_expect(le(sz, strlen(text), size - 1));
		for (size_t i = size; i < sizeof text; i++)
			cr_assert(eq(chr, text[i], '#'));
	}
}

Test(exit, every_status_has_a_name)
{
	for (int status = 0; status < VMM_STATUS_COUNT; status++)
		cr_expect(ne(int, strcmp(vmm_status_name((enum vmm_status)status), "?"), 0));
	expect_text(vmm_status_name((enum vmm_status)VMM_STATUS_COUNT), "?");
}
