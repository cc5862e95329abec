/* SPDX-License-Identifier: MIT */
/* The serial port's registers behave as a 16550A's, as far as drivers look. */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pagewalk_vmm/uart.h>

#define DLAB     0x80
#define LOOP     0x10
#define RECEIVED 0x01 /* of IER */
#define EMPTY    0x02
#define MODEM    0x08
#define NONE     0x01 /* of IIR */

struct port {
	struct vmm_uart uart;
	bool irq;
	unsigned rises;
};

static void on_irq(void *ctx, bool level)
{
	struct port *port = ctx;

	cr_expect(port->irq != level, "the line is told of changes only");
	port->irq = level;
	port->rises += level;
}

static void set_up(struct port *port)
{
	*port = (struct port){.uart = {.set_irq = on_irq}};
	port->uart.ctx = port;
}

static uint8_t get(struct port *port, unsigned reg)
{
	return vmm_uart_read(&port->uart, reg);
}

static void put(struct port *port, unsigned reg, uint8_t value)
{
	cr_expect(not(vmm_uart_write(&port->uart, reg, value)));
}

Test(uart, after_reset_it_is_ready_and_quiet)
{
	struct port port;

	set_up(&port);
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), NONE));
	cr_expect(eq(u8, get(&port, VMM_UART_MSR), 0xb0));
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 0));
	cr_expect(vmm_uart_write(&port.uart, VMM_UART_DATA, 'x'));
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60));
	cr_expect(eq(u32, port.rises, 0));
}

Test(uart, registers_keep_the_bits_that_they_have)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_SCRATCH, 0xa5);
	put(&port, VMM_UART_IER, 0xf0);
	put(&port, VMM_UART_MCR, 0xef);
	put(&port, VMM_UART_LSR, 0xff);
	put(&port, VMM_UART_LCR, 0x1b);
	cr_expect(eq(u8, get(&port, VMM_UART_SCRATCH), 0xa5));
	cr_expect(eq(u8, get(&port, VMM_UART_IER), 0));
	cr_expect(eq(u8, get(&port, VMM_UART_MCR), 0x0f));
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60));
	cr_expect(eq(u8, get(&port, VMM_UART_LCR), 0x1b));
}

Test(uart, divisor_stands_before_data_and_interrupt_enable)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IER, MODEM);
	put(&port, VMM_UART_LCR, DLAB | 3);
	put(&port, VMM_UART_DATA, 0x34);
	put(&port, VMM_UART_IER, 0x12);
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 0x34));
	cr_expect(eq(u8, get(&port, VMM_UART_IER), 0x12));
	put(&port, VMM_UART_LCR, 3);
	cr_expect(eq(u8, get(&port, VMM_UART_IER), MODEM));
	cr_expect(vmm_uart_write(&port.uart, VMM_UART_DATA, 'x'));
}

/* How Linux and others tell a 16550A from what came before it. */
Test(uart, fifo_shows_in_the_interrupt_register)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IIR, 0x01);
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0xc0 | NONE));
	put(&port, VMM_UART_IIR, 0x00);
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), NONE));
}

Test(uart, empty_interrupt_comes_at_once_and_after_each_byte)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IER, EMPTY);
	cr_expect(port.irq);
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0x02));
	cr_expect(not(port.irq), "reading the register takes note");
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), NONE));
	cr_expect(vmm_uart_write(&port.uart, VMM_UART_DATA, 'x'));
	cr_expect(port.irq);
	cr_expect(vmm_uart_write(&port.uart, VMM_UART_DATA, 'y'));
	cr_expect(eq(u32, port.rises, 3), "an edge for each byte");
	put(&port, VMM_UART_IER, 0);
	cr_expect(not(port.irq));
	put(&port, VMM_UART_IER, EMPTY);
	cr_expect(port.irq, "asked for again");
}

Test(uart, received_bytes_come_in_order)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IER, RECEIVED);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "ab", 2), 2));
	cr_expect(port.irq);
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0x04));
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x61));
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 'a'));
	cr_expect(port.irq);
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 'b'));
	cr_expect(not(port.irq));
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60));
}

Test(uart, below_the_trigger_it_is_a_timeout)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IIR, 0x41); /* FIFO, trigger at 4 */
	put(&port, VMM_UART_IER, RECEIVED);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "abc", 3), 3));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0xcc));
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "d", 1), 1));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0xc4));
}

Test(uart, received_is_more_urgent_than_empty)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IER, RECEIVED | EMPTY);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "a", 1), 1));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0x04));
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 'a'));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0x02));
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), NONE));
}

Test(uart, queue_takes_what_it_holds_and_loses_nothing)
{
	static uint8_t bytes[VMM_UART_QUEUE_BYTES + 10];
	struct port port;

	set_up(&port);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, bytes, sizeof bytes), VMM_UART_QUEUE_BYTES));
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, bytes, 1), 0));
	for (size_t i = 0; i < 10; i++)
		cr_expect(eq(u8, get(&port, VMM_UART_DATA), bytes[i]));
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, bytes + VMM_UART_QUEUE_BYTES, 10), 10));
	for (size_t i = 10; i < sizeof bytes; i++)
		cr_assert(eq(u8, get(&port, VMM_UART_DATA), bytes[i]), "byte %zu", i);
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60));
}

Test(uart, clearing_the_fifo_drops_what_a_fifo_holds)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IIR, 0x01);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "0123456789abcdefXY", 18), 18));
	put(&port, VMM_UART_IIR, 0x03);
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 'X'));
	put(&port, VMM_UART_IIR, 0x00);
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x60), "switching the FIFO off clears it");
}

/* Linux' autoconfig() writes LOOP | OUT2 | RTS and wants carrier and clear-to-send back. */
Test(uart, loopback_wires_outputs_to_inputs)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_MCR, LOOP | 0x0a);
	cr_expect(eq(u8, get(&port, VMM_UART_MSR) & 0xf0, 0x90));
	put(&port, VMM_UART_MCR, LOOP | 0x05);
	cr_expect(eq(u8, get(&port, VMM_UART_MSR) & 0xf0, 0x60));
	put(&port, VMM_UART_DATA, 'l');
	cr_expect(eq(u8, get(&port, VMM_UART_LSR), 0x61));
	cr_expect(eq(u8, get(&port, VMM_UART_DATA), 'l'));
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "x", 1), 0));
	put(&port, VMM_UART_MCR, 0);
	cr_expect(eq(sz, vmm_uart_receive(&port.uart, "x", 1), 1));
}

Test(uart, modem_changes_are_told_once)
{
	struct port port;

	set_up(&port);
	put(&port, VMM_UART_IER, MODEM);
	put(&port, VMM_UART_MCR, LOOP | 0x04); /* ring alone: the other three fall */
	cr_expect(port.irq);
	cr_expect(eq(u8, get(&port, VMM_UART_IIR), 0x00));
	cr_expect(eq(u8, get(&port, VMM_UART_MSR), 0x4b));
	cr_expect(not(port.irq));
	cr_expect(eq(u8, get(&port, VMM_UART_MSR), 0x40));
	put(&port, VMM_UART_MCR, LOOP);
	cr_expect(eq(u8, get(&port, VMM_UART_MSR), 0x04), "the ring's end");
}

Test(uart, what_is_no_register_reads_as_all_ones)
{
	struct port port;

	set_up(&port);
	cr_expect(eq(u8, get(&port, VMM_UART_REGISTER_COUNT), 0xff));
	put(&port, VMM_UART_REGISTER_COUNT, 0);
}
