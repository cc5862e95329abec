/* SPDX-License-Identifier: MIT */
/*
 * A small hypervisor among the guests, in two programs: `vmx` builds EPT for its nested guests, and
 * `svm` nested page tables. Each builds tables with libpagewalk, foretells by its two-stage walk
 * what an access will come to, lets a nested guest make it, and compares what the processor did.
 *
 * Host-physical addresses are those of the program itself, which lies below 1 GiB. In the nested
 * guest's physical memory it appears twice, at NESTED_PLAIN and at the world's `subject`, of which
 * only the latter is spoilt; and in its linear addresses at NESTED_CODE, and at NESTED_TARGET what
 * is to be accessed. The low 30 bits of all of them agree, so that every page size fits.
 */
#ifndef GUEST_NESTED_H
#define GUEST_NESTED_H

#include "lib.h"
#include "x86.h"

#define NESTED_PLAIN  (UINT64_C(1) << 30)
#define NESTED_CODE   (UINT64_C(5) << 30)
#define NESTED_TARGET (UINT64_C(1) << 39)

/* ---- nested_start.S ---- */

extern char nested_read[], nested_write[], nested_change[], nested_exchange[], nested_fetch[];
extern char nested_load_cr3[];
#define NESTED_CPUID 0xa20f /* the instruction that ends a nested guest */

/* The hypervisor's own paging, which nested page tables follow: 4 or 5 levels. */
void nested_set_levels(bool five);

/* ---- nested_lib.c ---- */

/* Descriptor tables; the command line that the boot loader tells, if it is one. */
void nested_init(uint32_t magic, uint32_t information);

/* The command line holds the word. */
bool nested_has_word(const char *word);

/* "%s" text, "%x" hexadecimal with 0x, "%u" decimal, both of 64 bits. */
void nested_print(const char *format, ...);

/* One check more that came out well, or did not. */
void nested_count(bool good);
/* A check that this processor cannot make, with the reason. */
void nested_skip(const char *what, const char *why);
/* One that came out as a known fault of an emulator has it. */
void nested_count_deviation(const char *name);
/* Prints the sums; returns the program's code: 0 passed, 1 failed, or that nothing could be asked.
 */
#define NESTED_CODE_SKIPPED 77
uint32_t nested_result(void);

/* Ends the program, by all means that a machine may have. */
_Noreturn void nested_end(uint32_t code);

/* ---- vmx.c, svm.c: the processor ---- */

struct nested_guest {
	uint64_t rip, rax, rdi;
	uint64_t cr0, cr3, cr4, efer; /* as the nested guest sees them */
	uint64_t pdpte[4];            /* with PAE paging */
	bool user;                    /* in ring 3 */
};

enum nested_end_kind {
	NESTED_DONE,          /* it came to its CPUID */
	NESTED_VIOLATION,     /* EPT violation, nested page fault */
	NESTED_MISCONFIGURED, /* EPT misconfiguration */
	NESTED_EXCEPTION,     /* in the nested guest, intercepted */
	NESTED_OTHER,
};

struct nested_exit {
	enum nested_end_kind kind;
	uint64_t reason;        /* basic exit reason; EXITCODE */
	uint64_t qualification; /* exit qualification; EXITINFO1; an exception's error code */
	uint64_t gpa;           /* guest-physical address; EXITINFO2; CR2 of a page fault */
	uint64_t gla;           /* VMX: guest-linear address, */
	bool has_gla;           /* where the qualification says that there is one */
	uint32_t vector;
	uint64_t rax, rip;
};

/* Switches virtualisation on. False, having told why: it cannot be had. */
bool nested_cpu_init(void);

/* Runs the guest until it leaves, with nothing cached from before. */
void nested_cpu_run(const struct nested_guest *guest, struct nested_exit *end);

#endif
