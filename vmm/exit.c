/* SPDX-License-Identifier: MIT */
/* Exits in words. */
#include <pagewalk_vmm/run.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const exit_names[] = {
	[VMM_EXIT_PORT] = "port",
	[VMM_EXIT_MMIO] = "mmio",
	[VMM_EXIT_HALT] = "halt",
	[VMM_EXIT_DEBUG] = "debug",
	[VMM_EXIT_SHUTDOWN] = "shutdown",
	[VMM_EXIT_INTERNAL_ERROR] = "internal-error",
	[VMM_EXIT_FAIL_ENTRY] = "fail-entry",
	[VMM_EXIT_SYSTEM_EVENT] = "system-event",
	[VMM_EXIT_STOPPED] = "stopped",
	[VMM_EXIT_INTERRUPTED] = "interrupted",
	[VMM_EXIT_OTHER] = "other",
};

_Static_assert(
	sizeof exit_names / sizeof exit_names[0] == VMM_EXIT_KIND_COUNT, "every exit has a name");

const char *vmm_exit_name(enum vmm_exit_kind kind)
{
	if ((unsigned)kind >= VMM_EXIT_KIND_COUNT)
		return "?";
	return exit_names[kind];
}

struct text {
	char *buffer;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	if (text->used + 1 >= text->size)
		return;
	va_start(args, format);
	length = vsnprintf(text->buffer + text->used, text->size - text->used, format, args);
	va_end(args);
	if (length > 0)
		text->used += (size_t)length;
}

/* The bytes as a number, as the guest means it. */
static uint64_t little_endian(const uint8_t *bytes, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = count < 8 ? count : 8; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static void describe_port(struct text *text, const struct vmm_port_access *port)
{
	if (port->out)
		add(text, "wrote %#" PRIx64 " to", little_endian(port->data, port->bytes));
	else
		add(text, "read");
	add(text, " port %#x, %u byte%s", port->port, port->bytes, port->bytes == 1 ? "" : "s");
	if (port->count > 1)
		add(text, ", %" PRIu32 " times", port->count);
}

static void describe_mmio(struct text *text, const struct vmm_mmio_access *mmio)
{
	if (mmio->write)
		add(text, "wrote %#" PRIx64 " to", little_endian(mmio->value, mmio->bytes));
	else
		add(text, "read");
	add(text, " guest-physical %#" PRIx64 " (%u byte%s), which is not RAM", mmio->pa,
		mmio->bytes, mmio->bytes == 1 ? "" : "s");
}

static const char *suberror_text(uint32_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "it cannot emulate an instruction";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "an exception came while it delivered another";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "an exit came while it delivered an event";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "the hardware left the guest for a reason it does not know";
	default:
		return "of an unknown kind";
	}
}

static void describe_internal(struct text *text, const struct vmm_internal_error *error)
{
	add(text, "KVM gave up (internal error %" PRIu32 "): %s", error->suberror,
		suberror_text(error->suberror));
	for (unsigned i = 0; i < error->instruction_bytes; i++)
		add(text, "%s%02x", i ? " " : "; bytes ", error->instruction[i]);
	if (error->instruction_bytes == 0 && error->data_count > 0)
		add(text, "; data");
	for (unsigned i = 0; error->instruction_bytes == 0 && i < error->data_count && i < 4; i++)
		add(text, " %#" PRIx64, error->data[i]);
}

static void describe_debug(struct text *text, const struct vmm_debug_stop *debug)
{
	add(text, "debug stop, vector %" PRIu32 " at %#" PRIx64 " (DR6 %#" PRIx64 ")",
		debug->exception, debug->pc, debug->dr6);
}

/* Kinds that the name alone explains. */
static const char *fixed_text(enum vmm_exit_kind kind)
{
	switch (kind) {
	case VMM_EXIT_HALT:
		return "halted";
	case VMM_EXIT_SHUTDOWN:
		return "triple fault: an exception, and no way to deliver it or its double fault";
	case VMM_EXIT_STOPPED:
		return "stopped from outside";
	case VMM_EXIT_INTERRUPTED:
		return "interrupted by a signal";
	default:
		return NULL;
	}
}

static void describe_kind(struct text *text, const struct vmm_exit *exit)
{
	const char *fixed = fixed_text(exit->kind);

	if (fixed)
		add(text, "%s", fixed);
	else if (exit->kind == VMM_EXIT_PORT)
		describe_port(text, &exit->port);
	else if (exit->kind == VMM_EXIT_MMIO)
		describe_mmio(text, &exit->mmio);
	else if (exit->kind == VMM_EXIT_DEBUG)
		describe_debug(text, &exit->debug);
	else if (exit->kind == VMM_EXIT_INTERNAL_ERROR)
		describe_internal(text, &exit->internal);
	else if (exit->kind == VMM_EXIT_FAIL_ENTRY)
		add(text, "the hardware refused the vCPU's state (reason %#" PRIx64 ")",
			exit->entry_failure);
	else if (exit->kind == VMM_EXIT_SYSTEM_EVENT)
		add(text, "the guest asked for power-off or reset (event %" PRIu32 ")",
			exit->system_event);
	else
		add(text, "KVM exit %" PRIu32 ", which this VMM does not know", exit->reason);
}

const char *vmm_exit_describe(const struct vmm_exit *exit, char *buffer, size_t size)
{
	struct text text = {.buffer = buffer, .size = size};

	if (size > 0)
		buffer[0] = '\0';
	describe_kind(&text, exit);
	if (exit->kind != VMM_EXIT_DEBUG)
		add(&text, "; rip %#" PRIx64, exit->rip);
	return buffer;
}
