/* SPDX-License-Identifier: MIT */
/* Counts ticks of the timer, through the 8259 and then through the I/O APIC, and halts between. */
#include "pc.h"

#define PIT_CHANNEL_0   0x40
#define PIT_COMMAND     0x43
#define PIT_RATE        0x34 /* channel 0, both bytes, mode 2: a pulse each time it runs out */
#define PIT_COUNT_1_KHZ 1193 /* of 1.193182 MHz */

#define TICKS      20
#define TIMER_LINE 0
#define TIMER_PIN  2 /* on the I/O APIC */

static volatile uint32_t ticks;

static void on_pic_tick(void)
{
	ticks++;
	pc_end_pic_interrupt(TIMER_LINE);
}

static void on_apic_tick(void)
{
	ticks++;
	*pc_apic(PC_APIC_EOI) = 0;
}

static void count_ticks(const char *through)
{
	ticks = 0;
	while (ticks < TICKS)
		pc_wait();
	/* On a slow host more may have come by now: only that so many came is certain. */
	pc_print_number(TICKS);
	guest_puts(" ticks through ");
	guest_puts(through);
	guest_puts("\n");
}

int main(uint32_t eax, uint32_t ebx)
{
	(void)eax;
	(void)ebx;
	pc_set_handler(PC_PIC_VECTOR + TIMER_LINE, on_pic_tick);
	pc_set_handler(PC_IOAPIC_VECTOR + TIMER_PIN, on_apic_tick);
	pc_init_pic(1u << TIMER_LINE);
	guest_out8(PIT_COMMAND, PIT_RATE);
	guest_out8(PIT_CHANNEL_0, PIT_COUNT_1_KHZ & 0xff);
	guest_out8(PIT_CHANNEL_0, PIT_COUNT_1_KHZ >> 8);
	count_ticks("the 8259");
	pc_init_pic(0);
	pc_init_apic();
	pc_route_pin(TIMER_PIN, true);
	count_ticks("the I/O APIC");
	return pc_result();
}
