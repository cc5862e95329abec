/* SPDX-License-Identifier: MIT */
/*
 * What guests for a PC share: text on the debug port, checks, interrupts. They use only what every
 * PC has or QEMU's has too, so that they run there as well:
 * qemu-system-x86_64 -kernel FILE -debugcon stdio -device isa-debug-exit,iobase=0xf4
 */
#ifndef GUEST_PC_H
#define GUEST_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib.h"

#define MULTIBOOT_BOOT_MAGIC 0x2badb002u

#define PC_LOCAL_APIC    0xfee00000u
#define PC_APIC_ID       0x20u
#define PC_APIC_EOI      0xb0u
#define PC_APIC_SPURIOUS 0xf0u
#define PC_APIC_ICR_LOW  0x300u
#define PC_APIC_ICR_HIGH 0x310u

/* Vectors of the 8259's lines, and those that pc_route_line() gives lines of the I/O APIC. */
#define PC_PIC_VECTOR    0x20u
#define PC_IOAPIC_VECTOR 0x40u

/* Guests define it; `eax` and `ebx` as the boot loader left them. Returns pc_result(). */
int main(uint32_t eax, uint32_t ebx);

/* Where other processors arrive, in guests that start some. The initial APIC ID. */
void pc_processor_main(uint32_t id);

/* From pc_start.S: code for real mode, to be copied to a page under 1 MiB. */
extern const char pc_trampoline[], pc_trampoline_end[];

/* Decimal, or hexadecimal with 0x. */
void pc_print_number(uint64_t value);
void pc_print_hex(uint64_t value);

/* Prints what is wrong unless `good`; returns `good`. */
bool pc_check(bool good, const char *what);

/* 0, or 1 if a check failed. */
int pc_result(void);

/*
 * Loads an IDT where `vector` leads to `handler`, which runs with interrupts off and needs no IRET
 * of its own, and any other vector not set before to a triple fault. For at most PC_HANDLERS.
 */
#define PC_HANDLERS 2
typedef void (*pc_handler)(void);
void pc_set_handler(uint8_t vector, pc_handler handler);

/* Sets up both 8259: lines 0 to 15 at PC_PIC_VECTOR, all masked but those in `open`. */
void pc_init_pic(uint16_t open);
void pc_end_pic_interrupt(unsigned line);

/* Sends a pin of the I/O APIC, edge-triggered, to this processor as PC_IOAPIC_VECTOR + pin. */
void pc_init_apic(void);
void pc_route_pin(unsigned pin, bool open);

/* Waits for the next interrupt with interrupts on, which are off before and after. */
static inline void pc_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline volatile uint32_t *pc_apic(uint32_t reg)
{
	return (volatile uint32_t *)(PC_LOCAL_APIC + reg);
}

static inline void guest_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#endif
