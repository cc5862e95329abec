/* SPDX-License-Identifier: MIT */
/* Private: what the files of the two-stage walk share. */
#ifndef PW_PRIVATE_NESTED_H
#define PW_PRIVATE_NESTED_H

#include "entry.h"
#include <pagewalk/nested.h>

/* A two-stage walk in progress. */
struct pw_pair {
	const struct pw_space *stage1, *stage2;
	pw_access access;
	/* Stage 1's answer, and its entries folded: x86 bit 9 to 11 of an exit qualification. */
	uint64_t and_fold, or_fold;
	struct pw_nested_result *r;
	struct pw_nested_trace *trace; /* NULL: nobody is told of the steps */
};

/* What a translation through stage 2 is for. */
struct pw_purpose {
	enum pw_during during;
	int level; /* as in struct pw_nested_result */
};

/*
 * Tells the tracer: that stage 1's walk begins, with a register perhaps; of an entry of it that was
 * loaded from pa; of one that would be stored to; of a walk of stage 2 by pw_translate_trace().
 */
void pw_nested_trace_begin(const struct pw_pair *pair);
void pw_nested_trace_load(
	const struct pw_pair *pair, struct pw_purpose purpose, pw_pa gpa, pw_pa pa, uint64_t entry);
void pw_nested_trace_store(
	const struct pw_pair *pair, const struct pw_trace_step *step, uint64_t marked);
void pw_nested_trace_walk(const struct pw_pair *pair, struct pw_purpose purpose, pw_pa gpa,
	pw_access access, const struct pw_trace_step *steps, size_t count);

/* pw_translate() of stage 2, traced. */
PW_NODISCARD enum pw_status pw_nested_trace_second(const struct pw_pair *pair,
	struct pw_purpose purpose, pw_pa gpa, pw_access access, struct pw_result *result);

/* The same, traced only if somebody wants to know. */
PW_INLINE enum pw_status pw_nested_second(const struct pw_pair *pair, struct pw_purpose purpose,
	pw_pa gpa, pw_access access, struct pw_result *result)
{
	if (PW_UNLIKELY(pair->trace != NULL))
		return pw_nested_trace_second(pair, purpose, gpa, access, result);
	return pw_translate(pair->stage2, gpa, access, result);
}

/* The access that stage 2 sees when an entry of a stage-1 table is read. */
pw_access pw_table_access(const struct pw_space *stage2);

/* An entry of `format` in the machine's memory at pa, loaded once. */
bool pw_machine_entry(
	const struct pw_format *format, const struct pw_memory *memory, pw_pa pa, uint64_t *entry);

/* An access of user mode: explicit, from CPL 3 or the like. */
PW_INLINE bool pw_is_by_user(pw_access access)
{
	return (access & PW_ACCESS_USER) && !(access & PW_ACCESS_IMPLICIT);
}

/* The entry that stage 1 reads in its first step is a PDPTE, to be kept in a register. */
PW_INLINE bool pw_loads_pdpte(const struct pw_space *stage1, const struct pw_space *stage2)
{
	return stage1->format == &pw_format_x86_pae && !(stage1->flags & PW_SPACE_PDPTE) &&
	       stage2->format->family == PW_FAMILY_EPT;
}

/* x86: the page that stage 1 found is a user's, by U/S folded over every entry. */
PW_INLINE bool pw_is_users_page(const struct pw_pair *pair)
{
	if (pair->stage1->format->family != PW_FAMILY_X86)
		return false;
	/* Without paging every linear address is a user-mode one (SDM, exit qualification). */
	return !pair->stage1->format->levels || (pair->and_fold >> 2 & 1);
}

/*
 * The rights that both stages grant. EPT tells user-mode linear addresses from supervisor-mode ones
 * by the page, whoever makes the access; elsewhere each mode has its own.
 */
PW_INLINE pw_grant pw_both_grants(
	const struct pw_space *stage2, pw_grant one, pw_grant two, bool users_page)
{
	unsigned user = two & 7, supervisor = two >> 4 & 7;
	bool ept = stage2->format->family == PW_FAMILY_EPT;

	if (ept)
		user = supervisor = users_page ? user : supervisor;
	user &= one;
	return (pw_grant)(user | (one >> 4 & supervisor) << 4 | (one >> 8 & supervisor) << 8 |
			  (one >> 12 & PW_U ? user | PW_U : one >> 4 & supervisor) << 12);
}

/* pw_nested_translate() of a pair, without the quick path before it; and the same of its parts. */
PW_NODISCARD enum pw_status pw_nested_walk(struct pw_pair *pair, pw_va va);
PW_NODISCARD enum pw_status pw_nested_in_full(const struct pw_space *stage1,
	const struct pw_space *stage2, pw_va va, pw_access access, struct pw_nested_result *result);

/* Sets exit, code, address and htinst from the rest of *pair->r. */
void pw_nested_report(const struct pw_pair *pair);

#endif
