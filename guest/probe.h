/* SPDX-License-Identifier: MIT */
/* Makes one access on purpose and tells what the processor did about it. */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H

#include "lib.h"

struct probe_outcome {
	uint32_t vector;     /* 13, 14, or GUEST_NO_FAULT */
	uint32_t error_code; /* 0 without a fault */
	uint64_t cr2;        /* PROBE_CR2 where the processor left it alone */
	uint32_t value;      /* without a fault: what was read, or EAX after what was fetched */
};

/* CR2 before the access. */
#define PROBE_CR2 UINT64_C(0xc0ffee000)

/* What is fetched must be the instruction of the ring that fetches, or a MOV to EAX and then that.
 */
#define PROBE_CODE_RING0 0xc3 /* ret */
#define PROBE_CODE_RING3 0xf4 /* hlt, which ring 3 may not: its #GP is the way back */
#define PROBE_CODE_MOV   0xb8 /* mov $imm32, %eax */
#define PROBE_MOV_BYTES  5

/*
 * Loads GDT, TSS and IDT; the image must be mapped, .user.text for ring 3. Exceptions outside
 * probe_access() are fatal.
 */
void probe_init(void);

/*
 * `access` is one of GUEST_ACCESS_READ, WRITE and FETCH, with or without USER; four bytes at va, of
 * which WRITE makes `value`. For FETCH in ring 3 a value other than 0 says that there is a MOV.
 * READ with IMPLICIT is the processor's own read of a descriptor: at va there must be that of a
 * byte-granular data segment for ring 3, and the value is its limit. The flags are those in force,
 * AC included.
 */
struct probe_outcome probe_access(uint64_t va, uint32_t access, uint32_t value);

/*
 * Runs the code at `code`, which ring 3 must be able to reach, with va in RDI. Returns after an
 * exception; that of a HLT at `end` counts as none.
 */
void probe_in_ring3(uint64_t va, uint64_t code, uint64_t end);

#endif
