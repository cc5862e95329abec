/* SPDX-License-Identifier: MIT */
/* What guests for a PC share. */
#include "pc.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE  0xa0
#define PIC_EOI    0x20

#define IO_APIC        0xfec00000u
#define IO_APIC_SELECT 0x00u
#define IO_APIC_WINDOW 0x10u
#define IO_APIC_PIN    0x10u /* two registers a pin */
#define PIN_MASKED     (1u << 16)

#define APIC_ENABLED    (1u << 8)
#define VECTOR_SPURIOUS 0xffu
#define IDT_ENTRIES     256
#define GATE_INTERRUPT  0x8e00u /* present, ring 0, 32-bit */
#define CODE_SELECTOR   0x08u

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t type;
	uint16_t offset_high;
};

/* pc_start.S: where each handler's interrupt comes in. */
extern const uint32_t pc_entries[PC_HANDLERS];
pc_handler pc_handlers[PC_HANDLERS];

static struct gate idt[IDT_ENTRIES];
static int failed;

void pc_print_number(uint64_t value)
{
	/* Not 64 bits: the division would be a call into gcc's library. */
	uint32_t rest = (uint32_t)value;
	char text[11];
	unsigned at = sizeof text;

	text[--at] = '\0';
	do {
		text[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	guest_puts(text + at);
}

void pc_print_hex(uint64_t value)
{
	char text[17];
	unsigned at = sizeof text;

	text[--at] = '\0';
	do {
		text[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	guest_puts("0x");
	guest_puts(text + at);
}

bool pc_check(bool good, const char *what)
{
	if (!good) {
		guest_puts("WRONG: ");
		guest_puts(what);
		guest_puts("\n");
		failed = 1;
	}
	return good;
}

int pc_result(void)
{
	return failed;
}

void pc_set_handler(uint8_t vector, pc_handler handler)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint32_t base;
	} pointer = {sizeof idt - 1, (uint32_t)idt};
	static unsigned used;
	uint32_t entry;

	if (!pc_check(used < PC_HANDLERS, "there is room for the handler"))
		return;
	pc_handlers[used] = handler;
	entry = pc_entries[used++];
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = CODE_SELECTOR,
		.type = GATE_INTERRUPT,
		.offset_high = (uint16_t)(entry >> 16),
	};
	__asm__ volatile("lidt %0" : : "m"(pointer), "m"(idt));
}

/* 8259A data sheet: ICW1 to ICW4, then the mask. */
void pc_init_pic(uint16_t open)
{
	guest_out8(PIC_MASTER, 0x11);
	guest_out8(PIC_SLAVE, 0x11);
	guest_out8(PIC_MASTER + 1, PC_PIC_VECTOR);
	guest_out8(PIC_SLAVE + 1, PC_PIC_VECTOR + 8);
	guest_out8(PIC_MASTER + 1, 1u << 2);
	guest_out8(PIC_SLAVE + 1, 2);
	guest_out8(PIC_MASTER + 1, 1);
	guest_out8(PIC_SLAVE + 1, 1);
	guest_out8(PIC_MASTER + 1, (uint8_t)~open);
	guest_out8(PIC_SLAVE + 1, (uint8_t)(~open >> 8));
}

void pc_end_pic_interrupt(unsigned line)
{
	if (line >= 8)
		guest_out8(PIC_SLAVE, PIC_EOI);
	guest_out8(PIC_MASTER, PIC_EOI);
}

void pc_init_apic(void)
{
	*pc_apic(PC_APIC_SPURIOUS) = APIC_ENABLED | VECTOR_SPURIOUS;
}

static void write_io_apic(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(IO_APIC + IO_APIC_SELECT) = reg;
	*(volatile uint32_t *)(IO_APIC + IO_APIC_WINDOW) = value;
}

void pc_route_pin(unsigned pin, bool open)
{
	write_io_apic(IO_APIC_PIN + 2 * pin + 1, *pc_apic(PC_APIC_ID));
	write_io_apic(IO_APIC_PIN + 2 * pin, (PC_IOAPIC_VECTOR + pin) | (open ? 0 : PIN_MASKED));
}
