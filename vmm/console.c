/* SPDX-License-Identifier: MIT */
/* The guest's console: a debug port and a serial port. */
#include <pagewalk_vmm/ports.h>

#include <inttypes.h>
#include <string.h>

#include "error.h"

/* As firmware leaves it: 115200 baud, 8 data bits, no parity, 1 stop bit. */
#define DIVISOR_115200 1
#define LCR_8N1        3

static enum vmm_status print(struct vmm_console *console, struct vmm_vcpu *vcpu, uint8_t byte)
{
	const char character = (char)byte;

	if (console->limit != 0 && console->written == console->limit) {
		console->dropped++;
		return vmm_error_set(&vcpu->error, VMM_LIMIT,
			"the guest printed more than the %" PRIu64 " bytes that it may",
			console->limit);
	}
	console->written++;
	console->sink(console->ctx, &character, 1);
	return VMM_OK;
}

static enum vmm_status handle_debug_port(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	const uint8_t *bytes = access->data;
	enum vmm_status status = VMM_OK;

	/* Guests look whether the port is there by reading its own number from it. */
	if (!access->out) {
		memset(access->data, GUEST_PORT_CONSOLE, (size_t)access->bytes * access->count);
		return VMM_OK;
	}
	/* Of an item wider than the port, the other bytes go to other ports. */
	for (uint32_t i = 0; i < access->count; i++) {
		enum vmm_status printed = print(ctx, vcpu, bytes[(size_t)i * access->bytes]);

		if (printed != VMM_OK)
			status = printed;
	}
	return status;
}

static enum vmm_status access_register(
	struct vmm_console *console, struct vmm_vcpu *vcpu, unsigned reg, bool out, uint8_t *value)
{
	if (!out)
		*value = vmm_uart_read(&console->uart, reg);
	else if (vmm_uart_write(&console->uart, reg, *value))
		return print(console, vcpu, *value);
	return VMM_OK;
}

/* An access wider than a register is one to its neighbours too. */
static enum vmm_status handle_uart(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	unsigned first = access->port - GUEST_PORT_SERIAL;
	uint8_t *bytes = access->data;
	enum vmm_status status = VMM_OK;

	for (size_t i = 0; i < (size_t)access->count * access->bytes; i++) {
		enum vmm_status accessed = access_register(
			ctx, vcpu, first + (unsigned)(i % access->bytes), access->out, &bytes[i]);

		if (accessed != VMM_OK)
			status = accessed;
	}
	return status;
}

enum vmm_status vmm_console_attach(struct vmm_console *console, struct vmm_ports *ports)
{
	enum vmm_status status = vmm_ports_add(
		ports, GUEST_PORT_CONSOLE, GUEST_PORT_CONSOLE, handle_debug_port, console);

	if (status != VMM_OK)
		return status;
	console->uart.divisor = DIVISOR_115200;
	console->uart.lcr = LCR_8N1;
	return vmm_ports_add(ports, GUEST_PORT_SERIAL,
		GUEST_PORT_SERIAL + VMM_UART_REGISTER_COUNT - 1, handle_uart, console);
}
