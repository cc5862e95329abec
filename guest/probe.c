/* SPDX-License-Identifier: MIT */
/* Descriptor tables for exceptions from both rings, and the accesses that raise them. */
#include "probe.h"

#include "x86.h"

/* probe_entry.S */
void probe_read(uint64_t va);
void probe_write(uint64_t va);
void probe_fetch(uint64_t va);
void probe_handle_13(void);
void probe_handle_14(void);
extern char probe_user_read[], probe_user_read_end[];
extern char probe_user_write[], probe_user_write_end[];

/* Written by probe_entry.S. */
uint64_t probe_stack;
uint64_t probe_end;
uint64_t probe_cr2;
uint32_t probe_vector;
uint32_t probe_error_code;

#define CODE64       0x18 /* as in the VMM's GDT: CS stays as it is */
#define TSS          0x30
#define TSS_INDEX    (TSS / 8)
#define TSS_BYTES    104
#define TSS_RSP0_LOW 1 /* index of a 32-bit word. SDM vol. 3A "64-Bit Task State Segment" */
#define TSS_IO_MAP   25

/* SDM vol. 3A "Segment Descriptors"; user data and code at 0x20 and 0x28. */
static uint64_t gdt[TSS_INDEX + 2] = {
	0,
	0,
	UINT64_C(0x00cf93000000ffff),
	UINT64_C(0x00af9b000000ffff),
	UINT64_C(0x00cff3000000ffff),
	UINT64_C(0x00affb000000ffff),
};

static uint32_t tss[TSS_BYTES / 4];
static _Alignas(16) uint8_t ring0_stack[4096];

struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint16_t type;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e00 /* present, ring 0 */

static struct gate idt[15];

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

static void set_gate(unsigned vector, void (*handler)(void))
{
	uint64_t offset = (uintptr_t)handler;

	idt[vector] = (struct gate){
		.offset_0 = (uint16_t)offset,
		.selector = CODE64,
		.type = GATE_INTERRUPT,
		.offset_16 = (uint16_t)(offset >> 16),
		.offset_32 = (uint32_t)(offset >> 32),
	};
}

static void set_tss(void)
{
	uint64_t stack = (uintptr_t)ring0_stack + sizeof ring0_stack;
	uint64_t base = (uintptr_t)tss;

	tss[TSS_RSP0_LOW] = (uint32_t)stack;
	tss[TSS_RSP0_LOW + 1] = (uint32_t)(stack >> 32);
	tss[TSS_IO_MAP] = TSS_BYTES << 16; /* none */
	gdt[TSS_INDEX] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 |
			 (base >> 24 & 0xff) << 56;
	gdt[TSS_INDEX + 1] = base >> 32;
}

void probe_init(void)
{
	struct table_register gdtr = {sizeof gdt - 1, (uintptr_t)gdt};
	struct table_register idtr = {sizeof idt - 1, (uintptr_t)idt};

	set_tss();
	set_gate(13, probe_handle_13);
	set_gate(14, probe_handle_14);
	__asm__ volatile("lgdt %0" : : "m"(gdtr) : "memory");
	__asm__ volatile("lidt %0" : : "m"(idtr) : "memory");
	__asm__ volatile("ltr %w0" : : "r"(TSS) : "memory");
}

static void access_in_ring0(uint64_t va, uint32_t access)
{
	if (access & GUEST_ACCESS_WRITE)
		probe_write(va);
	else if (access & GUEST_ACCESS_FETCH)
		probe_fetch(va);
	else
		probe_read(va);
}

static void access_in_ring3(uint64_t va, uint32_t access)
{
	if (access & GUEST_ACCESS_WRITE)
		probe_in_ring3(va, (uintptr_t)probe_user_write, (uintptr_t)probe_user_write_end);
	else if (access & GUEST_ACCESS_FETCH)
		probe_in_ring3(va, va, va);
	else
		probe_in_ring3(va, (uintptr_t)probe_user_read, (uintptr_t)probe_user_read_end);
}

struct probe_outcome probe_access(uint64_t va, uint32_t access)
{
	probe_error_code = 0;
	probe_end = 0;
	x86_write_cr2(PROBE_CR2);
	if (access & GUEST_ACCESS_USER)
		access_in_ring3(va, access);
	else
		access_in_ring0(va, access);
	__asm__ volatile("" : : : "memory");
	return (struct probe_outcome){
		.vector = probe_vector,
		.error_code = probe_vector == GUEST_NO_FAULT ? 0 : probe_error_code,
		.cr2 = probe_vector == GUEST_NO_FAULT ? PROBE_CR2 : probe_cr2,
	};
}
