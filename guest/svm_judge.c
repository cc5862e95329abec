/* SPDX-License-Identifier: MIT */
/* What a nested page fault says for sure, and what emulators say instead. */
#include "nested_case.h"
#include "svm.h"

const bool nested_is_amd = true;

const uint64_t nested_vector_mask = ~UINT64_C(0);

uint64_t nested_second_accessed(const struct nested_case *c)
{
	(void)c;
	return PTE_ACCESSED;
}

uint64_t nested_second_dirty(const struct nested_case *c)
{
	(void)c;
	return PTE_DIRTY;
}

uint64_t nested_defined(const struct nested_case *c, const struct nested_exit *end)
{
	/* With the trap, U of a fetch differs among processors (AMD's erratum 1218). */
	if (c->control & SVM_CONTROL_GMET && c->access & GUEST_ACCESS_FETCH &&
		end->qualification & SVM_FAULT_FINAL)
		return ~(uint64_t)SVM_FAULT_USER;
	return ~UINT64_C(0);
}

/* QEMU without acceleration. Bits of the error code that it leaves out, each with its reason. */
static const char *left_out_by_tcg(const struct nested_case *c, uint64_t wanted, uint64_t got)
{
	uint64_t left_out = wanted & ~got;
	const char *why = NULL;

	if (got & ~wanted)
		return NULL;
	if (left_out & SVM_FAULT_PRESENT && wanted & SVM_FAULT_RESERVED) {
		left_out &= ~SVM_FAULT_PRESENT;
		why = "tcg: faults for reserved bits come without P";
	}
	if (left_out & SVM_FAULT_WRITE && wanted & SVM_FAULT_FINAL && c->access & NESTED_CHANGES) {
		left_out &= ~SVM_FAULT_WRITE;
		why = "tcg: what is changed is first read, and the fault is that of a read";
	}
	if (left_out & SVM_FAULT_FETCH && c->control & SVM_CONTROL_NO_NXE) {
		left_out &= ~SVM_FAULT_FETCH;
		why = "tcg: with NXE off, SMEP does not tell fetches from reads";
	}
	return left_out ? NULL : why;
}

const char *nested_deviation(const struct nested_world *world, const struct nested_wanted *wanted,
	const struct nested_exit *end)
{
	const struct nested_case *c = world->c;
	uint64_t code = wanted->qualification;

	/* A page fault within the nested guest. */
	if (wanted->kind == NESTED_EXCEPTION && end->kind == NESTED_EXCEPTION &&
		end->gpa == wanted->gpa && end->vector == wanted->vector && nested_has_word("tcg"))
		return left_out_by_tcg(c, code, end->qualification);
	if (wanted->kind != NESTED_VIOLATION)
		return NULL;
	/* The manual does not say whether a fault on a table's entry tells the entry's address. */
	if (end->kind == NESTED_VIOLATION && end->qualification == code && code & SVM_FAULT_TABLE &&
		end->gpa == (wanted->gpa & ~UINT64_C(4095)))
		return "EXITINFO2 tells the table, not the entry";
	if (end->kind == NESTED_VIOLATION && end->gpa == wanted->gpa && nested_has_word("tcg"))
		return left_out_by_tcg(c, code, end->qualification);
	if (end->kind == NESTED_VIOLATION && end->gpa == wanted->gpa && nested_has_word("bochs") &&
		end->qualification == (code | SVM_FAULT_FETCH) && c->control & SVM_CONTROL_NO_NXE)
		return "bochs: fetches are told from reads, NXE or not";
	if (end->kind == NESTED_DONE && code & SVM_FAULT_RESERVED && c->level == 3 &&
		c->set == PTE_GLOBAL && (nested_has_word("tcg") || nested_has_word("bochs")))
		return "tcg, bochs: bit 8 of a PML4E is not reserved";
	return NULL;
}
