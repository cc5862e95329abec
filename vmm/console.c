/* SPDX-License-Identifier: MIT */
/* The guest's console: a debug port and a transmit-only 16550. */
#include <pagewalk_vmm/ports.h>

#include <inttypes.h>
#include <string.h>

#include "error.h"

/* Registers of a 16550, as offsets from its first port. */
enum {
	UART_DATA = 0,
	UART_INTERRUPT_ID = 2,
	UART_LINE_CONTROL = 3,
	UART_LINE_STATUS = 5,
	UART_MODEM_STATUS = 6,
	UART_SCRATCH = 7,
};

#define LINE_CONTROL_DIVISOR 0x80 /* UART_DATA is the divisor's low byte */
#define LINE_STATUS_IDLE     0x60 /* transmitter empty, ready for the next byte */
#define INTERRUPT_ID_NONE    0x01
#define MODEM_STATUS_READY   0xb0 /* carrier, data set ready, clear to send */

/* Bytes between two items of an access to a wider port count as nothing. */
static uint8_t item(const struct vmm_port_access *access, uint32_t index)
{
	return ((const uint8_t *)access->data)[(size_t)index * access->bytes];
}

static enum vmm_status print(
	struct vmm_console *console, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	for (uint32_t i = 0; i < access->count; i++) {
		char byte = (char)item(access, i);

		if (console->limit != 0 && console->written == console->limit) {
			console->dropped += access->count - i;
			return vmm_error_set(&vcpu->error, VMM_LIMIT,
				"the guest printed more than the %" PRIu64 " bytes that it may",
				console->limit);
		}
		console->written++;
		console->sink(console->ctx, &byte, 1);
	}
	return VMM_OK;
}

static enum vmm_status handle_debug_port(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	/* Guests look whether the port is there by reading its own number from it. */
	if (!access->out) {
		memset(access->data, GUEST_PORT_CONSOLE, (size_t)access->bytes * access->count);
		return VMM_OK;
	}
	return print(ctx, vcpu, access);
}

static uint8_t read_uart(const struct vmm_console *console, unsigned reg)
{
	switch (reg) {
	case UART_INTERRUPT_ID:
		return INTERRUPT_ID_NONE;
	case UART_LINE_CONTROL:
		return console->line_control;
	case UART_LINE_STATUS:
		return LINE_STATUS_IDLE;
	case UART_MODEM_STATUS:
		return MODEM_STATUS_READY;
	case UART_SCRATCH:
		return console->scratch;
	default:
		return 0;
	}
}

static enum vmm_status handle_uart(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_console *console = ctx;
	unsigned reg = access->port - GUEST_PORT_SERIAL;

	if (!access->out)
		memset(access->data, read_uart(console, reg),
			(size_t)access->bytes * access->count);
	else if (reg == UART_DATA && !(console->line_control & LINE_CONTROL_DIVISOR))
		return print(console, vcpu, access);
	else if (reg == UART_LINE_CONTROL)
		console->line_control = item(access, access->count - 1);
	else if (reg == UART_SCRATCH)
		console->scratch = item(access, access->count - 1);
	return VMM_OK;
}

enum vmm_status vmm_console_attach(struct vmm_console *console, struct vmm_ports *ports)
{
	enum vmm_status status = vmm_ports_add(
		ports, GUEST_PORT_CONSOLE, GUEST_PORT_CONSOLE, handle_debug_port, console);

	if (status != VMM_OK)
		return status;
	return vmm_ports_add(
		ports, GUEST_PORT_SERIAL, GUEST_PORT_SERIAL + UART_SCRATCH, handle_uart, console);
}
