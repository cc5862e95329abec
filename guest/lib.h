/* SPDX-License-Identifier: MIT */
/*
 * What guests share: ports, text, calls to the VMM and checks. Ring 0 may be emulated instruction
 * by instruction on the host that runs us, so loops are short and everything talks by port I/O.
 */
#ifndef GUEST_LIB_H
#define GUEST_LIB_H

#include <stdbool.h>

#include "abi.h"

/* Ends the guest: GUEST_CALL_DONE, then HLT for a VMM that does not listen. */
_Noreturn void guest_done(uint32_t code);

/* Makes the call; the label may be NULL. Returns the VMM's answer. */
uint32_t guest_make_call(struct guest_call *call, uint32_t number, const char *label);

/* GUEST_CALL_START; returns the size of guest RAM. */
uint64_t guest_begin(void);

void guest_puts(const char *text);

/* GUEST_CALL_FAILURE; the guest goes on, and guest_failures() counts it. */
void guest_fail(const char *file, uint32_t line, uint64_t got, uint64_t wanted);
uint32_t guest_failures(void);

/* Report unless got == wanted; true if they are equal. */
#define GUEST_EXPECT_EQ(got, wanted) guest_expect_eq(__FILE__, __LINE__, (got), (wanted))
bool guest_expect_eq(const char *file, uint32_t line, uint64_t got, uint64_t wanted);

/* Compilers may turn copies, comparisons and initialisers into calls of these. */
void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

static inline void guest_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void guest_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t guest_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#endif
