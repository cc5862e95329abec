/* SPDX-License-Identifier: MIT */
/* A serial port: the registers of a 16550A, without its line. */
#ifndef PAGEWALK_VMM_UART_H
#define PAGEWALK_VMM_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Registers, as offsets from the first port. Some stand for another while LCR.DLAB is set. */
#define VMM_UART_DATA           0 /* RBR and THR; DLAB: divisor, low byte */
#define VMM_UART_IER            1 /* DLAB: divisor, high byte */
#define VMM_UART_IIR            2 /* read; FCR on write */
#define VMM_UART_LCR            3
#define VMM_UART_MCR            4
#define VMM_UART_LSR            5
#define VMM_UART_MSR            6
#define VMM_UART_SCRATCH        7
#define VMM_UART_REGISTER_COUNT 8

#define VMM_UART_QUEUE_BYTES 1024

/* Told of the interrupt output, each time it changes. */
typedef void (*vmm_uart_irq)(void *ctx, bool level);

/*
 * All zero is a port after reset. It sends in no time, so that it is always ready for the next
 * byte, and it is always connected: carrier, data set ready and clear to send. What it receives
 * waits in a queue, as on a line with flow control: nothing is lost, and there are no line errors.
 * As in QEMU, MCR.OUT2 does not gate the interrupt. Not thread safe.
 */
struct vmm_uart {
	vmm_uart_irq set_irq; /* may be NULL */
	void *ctx;            /* its first argument */
	/* Private. */
	uint16_t divisor;
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t msr_delta; /* bits of MSR's lower half */
	uint8_t scratch;
	bool thr_empty; /* the interrupt for it has not been taken note of */
	bool irq;
	unsigned queue_first;
	unsigned queue_count;
	uint8_t queue[VMM_UART_QUEUE_BYTES];
};

/* The guest reads a register, with the effects that this has. */
uint8_t vmm_uart_read(struct vmm_uart *uart, unsigned reg);

/* The guest writes a register; true if `value` went out on the line. */
bool vmm_uart_write(struct vmm_uart *uart, unsigned reg, uint8_t value);

/*
 * Bytes come in on the line. Returns how many were taken: fewer than `count` when the guest does
 * not read them as fast, none while the port is in loopback mode.
 */
size_t vmm_uart_receive(struct vmm_uart *uart, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif
