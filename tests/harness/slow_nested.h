/* SPDX-License-Identifier: MIT */
/*
 * The slow twin of the two-stage walk: the single-stage twin, asked again for every address that a
 * table of stage 1 has, and the reports of each architecture, written down from the manuals. It
 * shares no code with the library.
 */
#ifndef SLOW_NESTED_H
#define SLOW_NESTED_H

#include "slow_walk.h"

struct slow_pair {
	struct slow_config one, two;
	bool ept_advanced; /* IA32_VMX_EPT_VPID_CAP bit 22 */
	bool ept_shadow;   /* EPTP bit 7 */
	bool npt_smep;     /* of the host */
};

enum slow_during {
	SLOW_FINAL,
	SLOW_TABLE,
	SLOW_UPDATE,
	SLOW_PDPTE
};

enum slow_exit {
	SLOW_EXIT_NONE,
	SLOW_EXIT_GUEST,
	SLOW_EXIT_VIOLATION,
	SLOW_EXIT_MISCONFIGURATION,
	SLOW_EXIT_NPF,
	SLOW_EXIT_ARM,
	SLOW_EXIT_RISCV,
};

struct slow_nested_result {
	int stage; /* that refused; 0: none */
	enum slow_status status;
	enum slow_during during;
	int level;
	uint64_t gpa, pa, page_size;
	struct slow_rights user, supervisor; /* of both stages together */
	enum slow_exit exit;
	uint64_t code, known;
	bool address_known;
	uint64_t address;
	uint32_t htinst;
};

void slow_nested(const struct slow_pair *pair, const struct slow_memory *machine, uint64_t va,
	const struct slow_access *access, struct slow_nested_result *result);

/* The entries that a walk of one stage reads, root first. */
struct slow_reads {
	unsigned count;
	struct {
		uint64_t pa; /* as the tables have it */
		uint64_t to; /* where it was read */
		int level;
	} read[8];
};

/* A walk of a single stage that notes what it reads. */
void slow_walk_noting(const struct slow_config *config, const struct slow_memory *memory,
	uint64_t va, struct slow_result *result, struct slow_reads *reads);

#endif
