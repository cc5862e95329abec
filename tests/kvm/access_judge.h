/* SPDX-License-Identifier: MIT */
/*
 * Hands the guest `access` batches of accesses, foretells each with the walker from guest memory
 * and registers as they are when the guest is about to make it, and compares with what the
 * processor did: fault or not, error code, CR2, which bytes were read or written, and the flags in
 * the tables.
 */
#ifndef TESTS_KVM_ACCESS_JUDGE_H
#define TESTS_KVM_ACCESS_JUDGE_H

#include "access_groups.h"
#include "machine.h"

enum judge_layout {
	JUDGE_NONE, /* no paging */
	JUDGE_32,
	JUDGE_PAE,
	JUDGE_4_LEVEL,
	JUDGE_5_LEVEL,
};

/* Known and explained. Each is masked on the hosts that have it, counted, and masked nowhere else.
 */
enum judge_deviation {
	JUDGE_RESERVED_WITHOUT_P,  /* the fault of a reserved bit does not have P in its code */
	JUDGE_IMPLICIT_OBEYS_AC,   /* AC opens SMAP for the CPU's own accesses too, in ring 0 */
	JUDGE_IMPLICIT_3_OBEYS_AC, /* and in ring 3 */
	JUDGE_PDPTE_ACCESSED,      /* Accessed is set in a PAE PDPTE, which has no such bit, */
	JUDGE_GIB_ACCESSED,        /* and in the entry of a 1 GiB page that is then refused */
	JUDGE_DEVIATIONS
};

/* What the walker says of one access. */
struct judge_forecast {
	uint64_t ordinal; /* of its case in the group */
	unsigned slot;    /* whose PDE and PTE it goes through */
	uint32_t vector, error_code, value;
	unsigned frame;
	bool reserved;
	enum judge_deviation implicit_ac; /* why SMAP may not refuse it, or JUDGE_DEVIATIONS */
};

#define JUDGE_FEATURES    14
#define JUDGE_TABLE_PAGES 16

struct judge {
	struct machine *machine;
	struct model_group group; /* a copy, without what this CPU has not */
	enum judge_layout layout;
	bool one_pde;                    /* the slots differ in their PTE only */
	const char *emulator;            /* that KVM runs on, or NULL; */
	bool deviates[JUDGE_DEVIATIONS]; /* what is to be expected of it */
	uint64_t wanted, combinations, ordinal;
	uint64_t block, stride; /* of so many combinations, one block in so many is tried */
	struct model_cursor cursor;
	bool begun, exhausted;

	struct guest_batch *batch; /* in guest RAM */
	struct judge_forecast forecast[GUEST_BATCH_ACCESSES];
	struct model_case shown; /* of the batch's first case */
	uint64_t tables_pa[JUDGE_TABLE_PAGES];
	unsigned tables_count;
	uint64_t tables[JUDGE_TABLE_PAGES][512];     /* copies, marked as the walker would */
	uint64_t may_differ[JUDGE_TABLE_PAGES][512]; /* bits that the CPU may set or not */
	uint32_t written[GUEST_BATCH_ACCESSES];      /* by frame */

	uint64_t judged, faults, batches, wrong;
	uint64_t feature[JUDGE_FEATURES];
	uint64_t deviation[JUDGE_DEVIATIONS];
};

/* Prepares `wanted` accesses, or a little more, out of the group's combinations. */
void judge_begin(struct judge *judge, struct machine *machine, const struct model_group *group,
	enum judge_layout layout, uint64_t wanted);

/* For vmm_calls.handler, with the judge as ctx. */
enum vmm_status judge_call(void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call);

/* Prints what was judged. */
void judge_report(const struct judge *judge);

/* ---- Between access_judge.c, access_fill.c and access_compare.c ---- */

#define JUDGE_FRAMES     UINT64_C(0x400000)
#define JUDGE_FRAME(n)   (JUDGE_FRAMES + 0x1000 * (uint64_t)(n))
#define JUDGE_READ_AT    0x20
#define JUDGE_WRITE_AT   0x30
#define JUDGE_CODE0_AT   0x00
#define JUDGE_CODE3_AT   0x10
#define JUDGE_SEGMENT_AT 0x40

/* Writes what the accesses find: a pattern, code for either ring, a descriptor; in each frame. */
void judge_write_frames(const struct judge *judge);

/* The next batch. False: that was all. */
bool judge_fill(struct judge *judge);
void judge_foretell(struct judge *judge, struct vmm_vcpu *vcpu);
void judge_compare(struct judge *judge);

/* A failure about access `n` of the batch, or about the whole batch. */
void judge_complain(
	struct judge *judge, unsigned n, const char *what, uint64_t walker, uint64_t cpu);

#endif
