/* SPDX-License-Identifier: MIT */
/* What a nested guest stands in: its own tables, the second-stage tables, and the page it accesses.
 */
#ifndef GUEST_NESTED_WORLD_H
#define GUEST_NESTED_WORLD_H

#include <pagewalk/pagewalk.h>

#include "nested.h"

/*
 * What is reached through the part of guest-physical memory that a case may spoil: one of the
 * nested guest's tables on the way to the target, by its level, or the page itself.
 */
enum nested_subject {
	NESTED_PT,
	NESTED_PD,
	NESTED_PDPT,
	NESTED_PML4,
	NESTED_PAGE,
	NESTED_PDPTES, /* PAE paging: the page that CR3 is loaded to point into, and nothing else */
};

#define NESTED_GUEST_LEVELS 4

/* GUEST_ACCESS_READ, WRITE, FETCH and USER of abi.h, and with WRITE: */
#define NESTED_ACCESS_CHANGE   64u  /* reads and writes, by ADD */
#define NESTED_ACCESS_EXCHANGE 128u /* the same, by XCHG */
#define NESTED_CHANGES         (NESTED_ACCESS_CHANGE | NESTED_ACCESS_EXCHANGE)
#define NESTED_ACCESS_LOAD_CR3 256u /* alone, with NESTED_PDPTES and NESTED_NO_TARGET */
#define NESTED_LOAD_CR3_BYTES  3
#define NESTED_ACCESS_START    512u /* with FETCH: it is the nested guest's first instruction */

/* What one case is about. All zero but `access`: everything is allowed, in 4 KiB pages. */
struct nested_case {
	uint32_t access;
	uint8_t subject;  /* enum nested_subject */
	uint8_t leaf;     /* second-stage level of the page that maps the subject: 0, 1, 2 */
	pw_rights rights; /* of that page, for pw_map(); 0: all of them */
	uint8_t level;    /* of the second-stage entry that is then changed by hand */
	uint64_t clear, set;
	uint8_t guest_leaf;              /* level of the nested guest's page: 0, 1, 2 */
	uint8_t guest_level;             /* of the nested guest's entry that is changed, */
	uint64_t guest_clear, guest_set; /* which had P, W, U, A and, of a page, D */
	uint32_t control;                /* what the program makes of it, and: */
};

/* The nested guest's own registers. */
#define NESTED_CONTROL_NO_WP  (1u << 16)
#define NESTED_CONTROL_NO_NXE (1u << 17)
#define NESTED_CONTROL_SMEP   (1u << 18)
#define NESTED_CONTROL_SMAP   (1u << 19)

/* Entries that the nested guest's code is fetched by. */
#define NESTED_CODE_WALK 3

/* guest_leaf of a case without a target: the nested guest loads CR3 instead. */
#define NESTED_NO_TARGET NESTED_GUEST_LEVELS

struct nested_world {
	const struct nested_case *c;
	uint64_t subject; /* where it stands in guest-physical memory */
	struct pw_memory memory;
	struct pw_space second;
	struct nested_guest guest;
	unsigned code_walk_count;
	uint64_t code_walk[NESTED_CODE_WALK];       /* guest-physical, root first */
	uint64_t guest_before[NESTED_GUEST_LEVELS]; /* the target's entries, by level */
	uint64_t *spoilt, spoilt_before;            /* the second-stage entry changed by hand */
};

/*
 * Builds everything for the case. False: the library refuses to, and has been told to the outside.
 */
bool nested_world_build(struct nested_world *world, const struct nested_case *c);

/* The tables that second-stage entries stand in, from the root on, for looking at A and D. */
uint64_t (*nested_world_tables(size_t *count))[512];

/* The page that is accessed, and what it holds at first. */
extern uint64_t nested_data[512];
#define NESTED_PATTERN (UINT64_C(0x5a5a5a5a5a5a0000) | NESTED_CPUID)
#define NESTED_VALUE   UINT64_C(0x1020304050607080)

/* The nested guest's tables on the way to the target, by level. */
extern uint64_t nested_guest_tables[NESTED_GUEST_LEVELS][512];

/* MAXPHYADDR. */
uint8_t nested_address_width(void);
/* The second-stage entries of higher levels lead to everything, not to the subject alone. */
unsigned nested_last_private_level(void);
bool nested_has_smep(void);
bool nested_has_smap(void);

/* The nested guest has AMD's paging: PDPTEs are read in every walk, not loaded with CR3. */
extern const bool nested_is_amd;

/* The linear address that is accessed, and the nested guest's entry for it at that level. */
uint64_t nested_target(void);
uint64_t *nested_guest_entry(unsigned level);

/* Guest-physical: of what is accessed; of the target's entry of that level. */
uint64_t nested_page_gpa(const struct nested_world *world);
uint64_t nested_entry_gpa(const struct nested_world *world, unsigned level);

/* ---- From vmx_world.c and svm_world.c ---- */

/* All rights that a page can have, as the case's controls have it. */
pw_rights nested_second_rights(const struct nested_case *c);

/* The space of that root, and what the processor is told about it. */
enum pw_status nested_second_space(struct nested_world *world, pw_pa root);

/* The format of the root. */
const struct pw_format *nested_second_format(const struct nested_case *c);

#endif
