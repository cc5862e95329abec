/* SPDX-License-Identifier: MIT */
/* What an exit for an EPT violation says for sure, and what emulators say instead. */
#include "nested_case.h"
#include "vmx.h"

const bool nested_is_amd = false;

/* Vectors do not speak of the advanced information. */
const uint64_t nested_vector_mask = ~(uint64_t)VMX_VIOLATION_ADVANCED;

uint64_t nested_second_accessed(const struct nested_case *c)
{
	return c->control & VMX_CONTROL_AD ? EPT_ACCESSED : 0;
}

uint64_t nested_second_dirty(const struct nested_case *c)
{
	return c->control & VMX_CONTROL_AD ? EPT_DIRTY : 0;
}

/* SDM vol. 3C, "Exit Qualification for EPT Violations". */
uint64_t nested_defined(const struct nested_case *c, const struct nested_exit *end)
{
	const uint64_t final = VMX_VIOLATION_LINEAR | VMX_VIOLATION_FINAL;
	uint64_t defined = VMX_VIOLATION_READ | VMX_VIOLATION_WRITE | VMX_VIOLATION_FETCH |
			   VMX_VIOLATION_READABLE | VMX_VIOLATION_WRITABLE |
			   VMX_VIOLATION_EXECUTABLE | VMX_VIOLATION_LINEAR;

	if (end->qualification & VMX_VIOLATION_LINEAR)
		defined |= VMX_VIOLATION_FINAL;
	if (c->control & VMX_CONTROL_MODE_BASED)
		defined |= VMX_VIOLATION_USER_EXECUTE;
	if (vmx_capabilities.ept & VMX_EPT_ADVANCED && (end->qualification & final) == final)
		defined |= VMX_VIOLATION_ADVANCED;
	/* Whether what is changed is also said to be read, each processor has its own way. */
	if (c->access & NESTED_CHANGES && end->qualification & VMX_VIOLATION_FINAL)
		defined &= ~(uint64_t)VMX_VIOLATION_READ;
	return defined;
}

/* It takes the address of a huge page from bit 13 on, as that of an ordinary one with a PAT bit. */
static bool is_bit_12_of_huge_page(const struct nested_world *world)
{
	const struct nested_case *c = world->c;

	return c->level == c->leaf && c->leaf > 0 && world->spoilt_before & UINT64_C(1) << 12;
}

/*
 * Bochs sets Accessed and Dirty in a guest's tables without asking EPT for the right to write. What
 * comes of that is foretold with those flags set already, which needs no write.
 */
static bool is_as_without_updates(const struct nested_world *world, const struct nested_exit *end)
{
	uint64_t before[NESTED_GUEST_LEVELS];
	struct nested_wanted wanted;

	for (unsigned level = world->c->guest_leaf; level < NESTED_GUEST_LEVELS; level++) {
		before[level] = *nested_guest_entry(level);
		*nested_guest_entry(level) |= PTE_ACCESSED | PTE_DIRTY;
	}
	wanted = nested_foretell(world);
	for (unsigned level = world->c->guest_leaf; level < NESTED_GUEST_LEVELS; level++)
		*nested_guest_entry(level) = before[level];
	return nested_is_as_wanted(world->c, &wanted, end);
}

/* Bochs. What is wanted is a violation at an entry of the nested guest's tables. */
static const char *bochs_at_table(const struct nested_world *world,
	const struct nested_wanted *wanted, const struct nested_exit *end)
{
	bool always_writes = world->c->control & VMX_CONTROL_AD;

	if (!always_writes && wanted->qualification & VMX_VIOLATION_READABLE &&
		is_as_without_updates(world, end))
		return "bochs: setting flags in a guest's table needs no right to write";
	if (end->kind == NESTED_VIOLATION && always_writes && end->gpa == wanted->gpa &&
		end->qualification == (wanted->qualification & ~(uint64_t)VMX_VIOLATION_READ))
		return "bochs: with A/D on, accesses to a guest's table are told as writes alone";
	return NULL;
}

const char *nested_deviation(const struct nested_world *world, const struct nested_wanted *wanted,
	const struct nested_exit *end)
{
	if (!nested_has_word("bochs"))
		return NULL;
	if (wanted->kind == NESTED_MISCONFIGURED && end->kind == NESTED_DONE &&
		is_bit_12_of_huge_page(world))
		return "bochs: bit 12 of a huge page is not reserved";
	if (wanted->kind != NESTED_VIOLATION || wanted->qualification & VMX_VIOLATION_FINAL)
		return NULL;
	return bochs_at_table(world, wanted, end);
}
