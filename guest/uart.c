/* SPDX-License-Identifier: MIT */
/*
 * Sends on the serial port, a byte for each interrupt, through the 8259 and then through the I/O
 * APIC. With "echo" on its command line, it then sends back a line that it receives.
 */
#include "pc.h"

#define DATA            GUEST_PORT_SERIAL
#define IER             (GUEST_PORT_SERIAL + 1)
#define IIR             (GUEST_PORT_SERIAL + 2)
#define LCR             (GUEST_PORT_SERIAL + 3)
#define MCR             (GUEST_PORT_SERIAL + 4)
#define LSR             (GUEST_PORT_SERIAL + 5)
#define IER_RECEIVED    1
#define IER_EMPTY       2
#define IIR_NONE        1
#define IIR_REASON      0x0f
#define IIR_EMPTY       2
#define LCR_8N1         3
#define MCR_DTR_RTS_IRQ 0x0b
#define LSR_RECEIVED    1
#define SERIAL_LINE     4

#define INFO_CMDLINE 16

static const char *volatile next;    /* to be sent */
static volatile uint32_t interrupts; /* since next was set */
static volatile bool line_came;
static char line[80];
static uint32_t line_bytes;

static void receive(void)
{
	while (guest_in8(LSR) & LSR_RECEIVED) {
		char byte = (char)guest_in8(DATA);

		if (byte == '\n' || line_bytes + 1 == sizeof line)
			line_came = true;
		else
			line[line_bytes++] = byte;
	}
}

static void serve(void)
{
	uint8_t reason;

	interrupts++;
	while ((reason = guest_in8(IIR) & IIR_REASON) != IIR_NONE) {
		if (reason != IIR_EMPTY)
			receive();
		else if (*next)
			guest_out8(DATA, (uint8_t)*next++);
		else
			guest_out8(IER, IER_RECEIVED);
	}
}

static void on_pic_interrupt(void)
{
	serve();
	pc_end_pic_interrupt(SERIAL_LINE);
}

static void on_apic_interrupt(void)
{
	serve();
	*pc_apic(PC_APIC_EOI) = 0;
}

static void send(const char *text)
{
	next = text;
	interrupts = 0;
	guest_out8(IER, IER_EMPTY | IER_RECEIVED);
	while (*next)
		pc_wait();
	pc_check(interrupts > 0, "sending raised an interrupt");
}

static bool has_word(const char *text, const char *word)
{
	for (; *text; text++) {
		uint32_t i = 0;

		while (word[i] && text[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

int main(uint32_t eax, uint32_t ebx)
{
	bool echo = eax == MULTIBOOT_BOOT_MAGIC &&
		    has_word(*(const char *const *)(ebx + INFO_CMDLINE), "echo");

	pc_set_handler(PC_PIC_VECTOR + SERIAL_LINE, on_pic_interrupt);
	pc_set_handler(PC_IOAPIC_VECTOR + SERIAL_LINE, on_apic_interrupt);
	pc_init_pic(1u << SERIAL_LINE);
	guest_out8(LCR, LCR_8N1);
	guest_out8(MCR, MCR_DTR_RTS_IRQ);
	send("sent through the 8259\n");
	guest_out8(IER, 0); /* the I/O APIC must see the line rise */
	pc_init_pic(0);
	pc_init_apic();
	pc_route_pin(SERIAL_LINE, true);
	send("sent through the I/O APIC\n");
	while (echo && !line_came)
		pc_wait();
	if (echo) {
		send("received: ");
		send(line);
		send("\n");
	}
	return pc_result();
}
