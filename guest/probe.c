/* SPDX-License-Identifier: MIT */
/* Descriptor tables for exceptions from both rings, and the accesses that raise them. */
#include "probe.h"

#include "x86.h"

/* probe_entry.S: each with what it needs in the variables below. */
void probe_read(void);
void probe_write(void);
void probe_fetch(void);
void probe_descriptor(void);
void probe_enter_ring3(void);
void probe_handle_13(void);
void probe_handle_14(void);
extern char probe_user_read[], probe_user_read_end[];
extern char probe_user_write[], probe_user_write_end[];
extern char probe_user_descriptor[], probe_user_descriptor_end[];

uintptr_t probe_va;
uintptr_t probe_code;
uintptr_t probe_end;
uint32_t probe_value;

/* Written by probe_entry.S. */
uintptr_t probe_stack;
uintptr_t probe_cr2;
uint32_t probe_vector;
uint32_t probe_error_code;

/* As in the VMM's GDT, so that CS stays as it is; user data and code at 0x20 and 0x28. */
#define CODE32    0x08
#define DATA      0x10
#define CODE64    0x18
#define USER_DATA 0x23
#define TSS       0x30
#define LDT       0x40
#define TSS_BYTES 104

#ifdef __x86_64__
#define CODE            CODE64
#define USER_CODE_LIMIT UINT64_C(0x00affb000000ffff)
#else
#define CODE            CODE32
#define USER_CODE_LIMIT UINT64_C(0x00cffb000000ffff)
#endif

/* Types of system segments. SDM vol. 3A "System Descriptor Types"; present. */
#define TYPE_LDT UINT64_C(0x82)
#define TYPE_TSS UINT64_C(0x89)

/* SDM vol. 3A "Segment Descriptors". */
static uint64_t gdt[LDT / 8 + 2] = {
	0,
	UINT64_C(0x00cf9b000000ffff),
	UINT64_C(0x00cf93000000ffff),
	UINT64_C(0x00af9b000000ffff),
	UINT64_C(0x00cff3000000ffff),
	USER_CODE_LIMIT,
};

static uint32_t tss[TSS_BYTES / 4];
static _Alignas(16) uint8_t ring0_stack[4096];

struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint16_t type;
	uint16_t offset_16;
#ifdef __x86_64__
	uint32_t offset_32;
	uint32_t reserved;
#endif
};

#define GATE_INTERRUPT 0x8e00 /* present, ring 0 */

static struct gate idt[15];

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uintptr_t base;
};

static void set_gate(unsigned vector, void (*handler)(void))
{
	uintptr_t offset = (uintptr_t)handler;

	idt[vector] = (struct gate){
		.offset_0 = (uint16_t)offset,
		.selector = CODE,
		.type = GATE_INTERRUPT,
		.offset_16 = (uint16_t)(offset >> 16),
#ifdef __x86_64__
		.offset_32 = (uint32_t)(offset >> 32),
#endif
	};
}

static void set_system_segment(unsigned selector, uint64_t type, uint64_t base, uint64_t limit)
{
	volatile uint64_t *descriptor = &gdt[selector / 8];

	descriptor[0] = limit | (base & 0xffffff) << 16 | type << 40 | (base >> 24 & 0xff) << 56;
	descriptor[1] = base >> 32;
}

/* Where ring 3's exceptions find a stack. SDM vol. 3A "Task-State Segment", 32-bit and 64-bit. */
static void set_tss(void)
{
	uintptr_t stack = (uintptr_t)ring0_stack + sizeof ring0_stack;

	tss[1] = (uint32_t)stack;
#ifdef __x86_64__
	tss[2] = (uint32_t)(stack >> 32);
#else
	tss[2] = DATA;
#endif
	tss[25] = TSS_BYTES << 16; /* no I/O map */
	set_system_segment(TSS, TYPE_TSS, (uintptr_t)tss, TSS_BYTES - 1);
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
#ifndef __x86_64__
	/* One that both rings may use: going to ring 3 takes segments away that only ring 0 may. */
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(USER_DATA) : "memory");
#endif
}

/* The LDT lies at the address that is to be accessed: so does its first descriptor. */
static void load_ldt(uint64_t va)
{
	set_system_segment(LDT, TYPE_LDT, va, 7);
	__asm__ volatile("lldt %w0" : : "r"(LDT) : "memory");
}

static void access_in_ring0(uint32_t access)
{
	if (access & GUEST_ACCESS_IMPLICIT)
		probe_descriptor();
	else if (access & GUEST_ACCESS_WRITE)
		probe_write();
	else if (access & GUEST_ACCESS_FETCH)
		probe_fetch();
	else
		probe_read();
}

void probe_in_ring3(uint64_t va, uint64_t code, uint64_t end)
{
	probe_va = (uintptr_t)va;
	probe_code = (uintptr_t)code;
	probe_end = (uintptr_t)end;
	probe_enter_ring3();
}

/* Where its HLT stands. */
static uint64_t end_of_fetched(uint64_t va, uint32_t value)
{
	return value ? va + PROBE_MOV_BYTES : va;
}

static void access_in_ring3(uint64_t va, uint32_t access, uint32_t value)
{
	if (access & GUEST_ACCESS_IMPLICIT)
		probe_in_ring3(
			va, (uintptr_t)probe_user_descriptor, (uintptr_t)probe_user_descriptor_end);
	else if (access & GUEST_ACCESS_WRITE)
		probe_in_ring3(va, (uintptr_t)probe_user_write, (uintptr_t)probe_user_write_end);
	else if (access & GUEST_ACCESS_FETCH)
		probe_in_ring3(va, va, end_of_fetched(va, value));
	else
		probe_in_ring3(va, (uintptr_t)probe_user_read, (uintptr_t)probe_user_read_end);
}

struct probe_outcome probe_access(uint64_t va, uint32_t access, uint32_t value)
{
	probe_va = (uintptr_t)va;
	probe_value = value;
	probe_error_code = 0;
	probe_end = 0;
	if (access & GUEST_ACCESS_IMPLICIT)
		load_ldt(va);
	x86_write_cr2(PROBE_CR2);
	if (access & GUEST_ACCESS_USER)
		access_in_ring3(va, access, value);
	else
		access_in_ring0(access);
	__asm__ volatile("" : : : "memory");
	return (struct probe_outcome){
		.vector = probe_vector,
		.error_code = probe_vector == GUEST_NO_FAULT ? 0 : probe_error_code,
		.cr2 = probe_vector == GUEST_NO_FAULT ? PROBE_CR2 : probe_cr2,
		.value = probe_vector == GUEST_NO_FAULT ? probe_value : 0,
	};
}
