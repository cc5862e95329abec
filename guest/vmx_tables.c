/* SPDX-License-Identifier: MIT */
/* Cases for the nested guest's own tables and PDPTEs. SDM vol. 3C, "EPT Violations". */
#include "vmx_cases.h"

static void try_table_rights(struct nested_case *c, unsigned rights)
{
	bool readable = rights & EPT_R, writable = rights & EPT_W;
	bool always_writes = c->control & VMX_CONTROL_AD;
	bool page = c->subject == c->guest_leaf;
	bool updates = c->guest_clear & PTE_ACCESSED ||
		       (page && c->guest_clear & PTE_DIRTY && c->access & GUEST_ACCESS_WRITE);
	enum nested_place place = NESTED_AT_ENTRY;
	unsigned outcome = 0;

	if ((writable && !readable) || vmx_is_unsupported(rights))
		outcome = MISCONFIGURED;
	else if (!readable)
		outcome = RD | (always_writes ? WR : 0);
	else if (!writable && (always_writes || updates))
		outcome = RD | WR;
	if (outcome && outcome != MISCONFIGURED)
		outcome |= (rights & EPT_RWX) << 3;
	/* The way to the code leads through the PML4 too, and its entry there has its flags. */
	if (c->subject == NESTED_PML4 && (!readable || always_writes))
		place = NESTED_AT_CODE_ENTRY;
	c->clear = EPT_RWX;
	c->set = rights;
	vmx_expect(c, outcome, place);
}

static void try_table(struct nested_case *c)
{
	static const uint64_t missing[] = {0, PTE_ACCESSED, PTE_DIRTY, PTE_ACCESSED | PTE_DIRTY};
	static const uint32_t ways[] = {GUEST_ACCESS_READ, GUEST_ACCESS_WRITE, GUEST_ACCESS_FETCH};

	for (unsigned i = 0; i < COUNT(ways); i++)
		for (unsigned k = 0; k < COUNT(missing); k++)
			for (unsigned rights = 0; rights < 8; rights++) {
				c->access = ways[i];
				c->guest_level = c->subject;
				c->guest_clear = missing[k];
				try_table_rights(c, rights);
			}
}

static void for_each_table(uint32_t control, void (*try)(struct nested_case *c))
{
	struct nested_case c = {.control = control};

	for (c.subject = NESTED_PT; c.subject <= NESTED_PML4; c.subject++) {
		c.guest_leaf = 0;
		vmx_for_each_place(&c, try);
		if (c.subject != NESTED_PD && c.subject != NESTED_PDPT)
			continue;
		c.guest_leaf = c.subject; /* its entry is a page */
		vmx_for_each_place(&c, try);
	}
}

/*
 * MOV to CR3 with PAE paging loads four PDPTEs: a read, even with A/D on, and of no linear address.
 * SDM vol. 3A, "PDPTE Registers"; 3C, "Exit Qualification for EPT Violations".
 */
static void try_pdptes(struct nested_case *c)
{
	static const uint64_t reserved[] = {
		UINT64_C(1) << 1, UINT64_C(1) << 2, UINT64_C(1) << 8, UINT64_C(1) << 51};
	const struct nested_vector protection = {.kind = NESTED_EXCEPTION, .vector = 13};

	if (c->level == 3)
		return; /* it leads to everything else too */
	for (unsigned rights = 0; rights < 8; rights++) {
		struct nested_vector vector = {.kind = NESTED_DONE, .place = NESTED_AT_SUBJECT};

		if ((rights & (EPT_R | EPT_W)) == EPT_W || vmx_is_unsupported(rights)) {
			vector.kind = NESTED_MISCONFIGURED;
		} else if (!(rights & EPT_R)) {
			vector.kind = NESTED_VIOLATION;
			vector.qualification = RD | rights << 3;
		}
		c->clear = EPT_RWX;
		c->set = rights;
		nested_case_run(c, &vector);
	}
	c->clear = c->set = 0;
	for (c->guest_level = 0; c->guest_level < 4; c->guest_level++)
		for (unsigned i = 0; i < COUNT(reserved); i++) {
			c->guest_set = reserved[i] | PTE_PRESENT;
			nested_case_run(c, &protection);
		}
	c->guest_level = c->guest_set = 0;
}

void vmx_try_tables(uint32_t control)
{
	struct nested_case c = {.subject = NESTED_PDPTES,
		.access = NESTED_ACCESS_LOAD_CR3,
		.guest_leaf = NESTED_NO_TARGET,
		.control = control};

	for_each_table(control, try_table);
	vmx_for_each_place(&c, try_pdptes);
}
