/* SPDX-License-Identifier: MIT */
/* The registers of a 16550A (National Semiconductor PC16550D, section 8). */
#include <pagewalk_vmm/uart.h>

#define IER_RECEIVED 0x01
#define IER_EMPTY    0x02
#define IER_MODEM    0x08
#define IER_KEPT     0x0f

#define IIR_MODEM    0x00
#define IIR_NONE     0x01
#define IIR_EMPTY    0x02
#define IIR_RECEIVED 0x04
#define IIR_TIMEOUT  0x0c /* fewer bytes than the trigger asks for, and no more came */
#define IIR_FIFO     0xc0

#define FCR_ENABLE  0x01
#define FCR_CLEAR   0x02 /* what was received */
#define FCR_TRIGGER 6    /* two bits */

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_KEPT 0x1f

#define LSR_DATA_READY 0x01
#define LSR_EMPTY      0x60 /* holding register and transmitter */

#define MSR_CTS           0x10
#define MSR_DSR           0x20
#define MSR_RING          0x40
#define MSR_CARRIER       0x80
#define MSR_RING_ENDED    0x04
#define MSR_LEVEL_CHANGED 0x0b /* the other three deltas: of CTS, DSR and carrier */

#define FIFO_BYTES 16

static bool has_fifo(const struct vmm_uart *uart)
{
	return uart->fcr & FCR_ENABLE;
}

static unsigned trigger(const struct vmm_uart *uart)
{
	static const uint8_t bytes[] = {1, 4, 8, 14};

	return has_fifo(uart) ? bytes[uart->fcr >> FCR_TRIGGER] : 1;
}

/* The most urgent reason for an interrupt. */
static uint8_t interrupt_id(const struct vmm_uart *uart)
{
	if ((uart->ier & IER_RECEIVED) && uart->queue_count >= trigger(uart))
		return IIR_RECEIVED;
	if ((uart->ier & IER_RECEIVED) && uart->queue_count > 0)
		return IIR_TIMEOUT;
	if ((uart->ier & IER_EMPTY) && uart->thr_empty)
		return IIR_EMPTY;
	if ((uart->ier & IER_MODEM) && uart->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct vmm_uart *uart)
{
	bool level = interrupt_id(uart) != IIR_NONE;

	if (level == uart->irq)
		return;
	uart->irq = level;
	if (uart->set_irq)
		uart->set_irq(uart->ctx, level);
}

static void queue_byte(struct vmm_uart *uart, uint8_t byte)
{
	unsigned at = (uart->queue_first + uart->queue_count) % VMM_UART_QUEUE_BYTES;

	if (uart->queue_count == VMM_UART_QUEUE_BYTES)
		return;
	uart->queue[at] = byte;
	uart->queue_count++;
}

static void drop(struct vmm_uart *uart, unsigned count)
{
	uart->queue_first = (uart->queue_first + count) % VMM_UART_QUEUE_BYTES;
	uart->queue_count -= count;
}

static uint8_t take_byte(struct vmm_uart *uart)
{
	uint8_t byte = uart->queue[uart->queue_first];

	if (uart->queue_count == 0)
		return 0;
	drop(uart, 1);
	return byte;
}

/* MSR's upper half. In loopback mode the four outputs are wired to the inputs. */
static uint8_t modem_inputs(const struct vmm_uart *uart)
{
	if (!(uart->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_CARRIER;
	return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (uart->mcr & MCR_OUT1 ? MSR_RING : 0) |
			 (uart->mcr & MCR_OUT2 ? MSR_CARRIER : 0));
}

static uint8_t read_iir(struct vmm_uart *uart)
{
	uint8_t id = interrupt_id(uart);

	if (id == IIR_EMPTY)
		uart->thr_empty = false;
	return has_fifo(uart) ? id | IIR_FIFO : id;
}

static uint8_t read_msr(struct vmm_uart *uart)
{
	uint8_t value = modem_inputs(uart) | uart->msr_delta;

	uart->msr_delta = 0;
	return value;
}

static uint8_t read_register(struct vmm_uart *uart, unsigned reg)
{
	bool divisor = uart->lcr & LCR_DLAB;

	switch (reg) {
	case VMM_UART_DATA:
		return divisor ? (uint8_t)uart->divisor : take_byte(uart);
	case VMM_UART_IER:
		return divisor ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case VMM_UART_IIR:
		return read_iir(uart);
	case VMM_UART_LCR:
		return uart->lcr;
	case VMM_UART_MCR:
		return uart->mcr;
	case VMM_UART_LSR:
		return uart->queue_count > 0 ? LSR_EMPTY | LSR_DATA_READY : LSR_EMPTY;
	case VMM_UART_MSR:
		return read_msr(uart);
	case VMM_UART_SCRATCH:
		return uart->scratch;
	default:
		return 0xff;
	}
}

uint8_t vmm_uart_read(struct vmm_uart *uart, unsigned reg)
{
	uint8_t value = read_register(uart, reg);

	update_irq(uart);
	return value;
}

/* The register is full for an instant: the interrupt line falls, so that its rise is seen. */
static bool send(struct vmm_uart *uart, uint8_t value)
{
	uart->thr_empty = false;
	update_irq(uart);
	uart->thr_empty = true;
	if (!(uart->mcr & MCR_LOOP))
		return true;
	queue_byte(uart, value);
	return false;
}

static void write_ier(struct vmm_uart *uart, uint8_t value)
{
	/* Asked for while the register is empty, the interrupt comes at once. */
	if (value & ~uart->ier & IER_EMPTY)
		uart->thr_empty = true;
	uart->ier = value & IER_KEPT;
}

static void write_fcr(struct vmm_uart *uart, uint8_t value)
{
	bool switched = (value ^ uart->fcr) & FCR_ENABLE;
	unsigned held = uart->queue_count < FIFO_BYTES ? uart->queue_count : FIFO_BYTES;

	/* Only what a FIFO could hold is in it; the rest is still on the line. */
	if (switched || (value & FCR_CLEAR))
		drop(uart, held);
	uart->fcr = value & FCR_ENABLE ? value : 0;
}

static void write_mcr(struct vmm_uart *uart, uint8_t value)
{
	uint8_t before = modem_inputs(uart);
	uint8_t after, changed;

	uart->mcr = value & MCR_KEPT;
	after = modem_inputs(uart);
	changed = before ^ after;
	uart->msr_delta |= changed >> 4 & MSR_LEVEL_CHANGED;
	if (changed & before & MSR_RING)
		uart->msr_delta |= MSR_RING_ENDED;
}

static bool write_register(struct vmm_uart *uart, unsigned reg, uint8_t value)
{
	bool divisor = uart->lcr & LCR_DLAB;

	if (reg == VMM_UART_DATA && !divisor)
		return send(uart, value);
	if (reg == VMM_UART_DATA)
		uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
	else if (reg == VMM_UART_IER && divisor)
		uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
	else if (reg == VMM_UART_IER)
		write_ier(uart, value);
	else if (reg == VMM_UART_IIR)
		write_fcr(uart, value);
	else if (reg == VMM_UART_LCR)
		uart->lcr = value;
	else if (reg == VMM_UART_MCR)
		write_mcr(uart, value);
	else if (reg == VMM_UART_SCRATCH)
		uart->scratch = value;
	return false; /* LSR and MSR are read-only */
}

bool vmm_uart_write(struct vmm_uart *uart, unsigned reg, uint8_t value)
{
	bool sent = write_register(uart, reg, value);

	update_irq(uart);
	return sent;
}

size_t vmm_uart_receive(struct vmm_uart *uart, const void *bytes, size_t count)
{
	const uint8_t *next = bytes;
	size_t taken = 0;

	if (uart->mcr & MCR_LOOP)
		return 0;
	for (; taken < count && uart->queue_count < VMM_UART_QUEUE_BYTES; taken++)
		queue_byte(uart, next[taken]);
	update_irq(uart);
	return taken;
}
