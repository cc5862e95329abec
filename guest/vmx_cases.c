/* SPDX-License-Identifier: MIT */
/* Cases for EPT: what they share, random ones, and all of them in order. */
#include "vmx_cases.h"

unsigned vmx_leaf_levels(void)
{
	if (!(vmx_capabilities.ept & VMX_EPT_2M))
		return 1;
	return vmx_capabilities.ept & VMX_EPT_1G ? 3 : 2;
}

bool vmx_is_unsupported(unsigned rights)
{
	return rights && !(rights & EPT_R) && !(vmx_capabilities.ept & VMX_EPT_EXECUTE_ONLY);
}

bool vmx_is_reserved(unsigned bit, unsigned level, unsigned leaf)
{
	unsigned width = nested_address_width();

	if (bit >= width && bit < 52)
		return true;
	if (level >= 3)
		return bit >= 3 && bit <= 7;
	/* A page of a size that the processor does not have. */
	if (level > leaf)
		return bit >= 3 && bit <= (level >= vmx_leaf_levels() ? 7 : 6);
	return bit >= 12 && bit < 12 + 9 * level;
}

void vmx_expect(const struct nested_case *c, unsigned outcome, enum nested_place place)
{
	struct nested_vector vector = {.kind = NESTED_DONE};

	if (outcome == MISCONFIGURED) {
		vector = (struct nested_vector){.kind = NESTED_MISCONFIGURED, .place = place};
	} else if (outcome) {
		vector = (struct nested_vector){
			.kind = NESTED_VIOLATION,
			.qualification = outcome | VMX_VIOLATION_LINEAR,
			.place = place,
		};
		if (place == NESTED_AT_PAGE ||
			(place == NESTED_AT_ABOVE && c->guest_level == c->guest_leaf))
			vector.qualification |= VMX_VIOLATION_FINAL;
	}
	nested_case_run(c, &vector);
}

void vmx_for_each_place(struct nested_case *c, void (*try)(struct nested_case *c))
{
	for (c->leaf = 0; c->leaf < vmx_leaf_levels(); c->leaf++)
		for (c->level = c->leaf; c->level <= nested_last_private_level(); c->level++)
			try(c);
}

/* For random cases. */
static void spoil(struct nested_case *c)
{
	uint64_t chance = nested_random();
	unsigned bit = chance >> 32 & 63;

	switch (chance & 7) {
	case 0: /* not present, the rest of it anything */
		c->clear = EPT_RWX | EPT_XU;
		c->set = nested_random() & ~c->clear;
		break;
	case 1:
	case 2:
	case 3:
		c->clear = EPT_RWX | EPT_XU;
		c->set = nested_random() & c->clear;
		break;
	case 4:
		if (bit != 12 && vmx_is_reserved(bit, c->level, c->leaf))
			c->set = UINT64_C(1) << bit;
		break;
	case 5:
		if (c->level == c->leaf) {
			c->clear = EPT_TYPE;
			c->set = nested_random() & EPT_TYPE;
		}
		break;
	default:
		c->set = nested_random() & EPT_IGNORED;
	}
}

/* What pw_map() can be asked for; execute-only pages where the processor knows them. */
static void try_built(uint32_t control)
{
	static const pw_rights rights[] = {
		PW_R, PW_R | PW_W, PW_R | PW_X, PW_R | PW_W | PW_X, PW_X};
	static const pw_rights mode_based[] = {PW_R | PW_U, PW_R | PW_W | PW_U,
		PW_R | PW_W | PW_X | PW_U, PW_R | PW_X | PW_U, PW_X | PW_U, PW_U};
	bool execute_only = vmx_capabilities.ept & VMX_EPT_EXECUTE_ONLY;

	nested_sweep_built(rights, COUNT(rights) - !execute_only, vmx_leaf_levels(), control);
	if (control & VMX_CONTROL_MODE_BASED)
		nested_sweep_built(mode_based, COUNT(mode_based) - (execute_only ? 0 : 2),
			vmx_leaf_levels(), control);
}

/* What the processor lacks for these controls; NULL: nothing. */
static const char *missing(uint32_t control)
{
	if (control & VMX_CONTROL_AD && !(vmx_capabilities.ept & VMX_EPT_AD))
		return "IA32_VMX_EPT_VPID_CAP bit 21 (Accessed and Dirty) is 0";
	if (control & VMX_CONTROL_MODE_BASED && !vmx_capabilities.mode_based)
		return "IA32_VMX_PROCBASED_CTLS2 bit 54 (mode-based execute control) is 0";
	if (control & VMX_CONTROL_FIVE && !(vmx_capabilities.ept & VMX_EPT_WALK_5))
		return "IA32_VMX_EPT_VPID_CAP bit 7 (page-walk length 5) is 0";
	return NULL;
}

static void try_controls(uint32_t control, const char *const groups[4])
{
	const char *pages = groups[0], *why = missing(control);

	if (why) {
		nested_skip(pages, why);
		return;
	}
	if (!nested_has_word("quick")) {
		nested_group(pages);
		vmx_try_pages(control);
		nested_group(groups[1]);
		vmx_try_tables(control);
	}
	nested_group(groups[2]);
	try_built(control);
	nested_group(groups[3]);
	nested_sweep_random(vmx_leaf_levels(), control, spoil);
}

/* Vectors that need a processor of another kind. */
static void tell_what_cannot_be_asked(void)
{
	if (vmx_capabilities.ept & VMX_EPT_EXECUTE_ONLY)
		nested_skip("execute-only pages refused", "IA32_VMX_EPT_VPID_CAP bit 0 is 1");
	if (vmx_capabilities.ept & VMX_EPT_1G)
		nested_skip("1 GiB pages refused", "IA32_VMX_EPT_VPID_CAP bit 17 is 1");
	if (!(vmx_capabilities.ept & VMX_EPT_ADVANCED))
		nested_skip(
			"advanced information (bits 9 to 11)", "IA32_VMX_EPT_VPID_CAP bit 22 is 0");
}

void nested_cases(void)
{
	static const struct {
		uint32_t control;
		const char *groups[4];
	} ways[] = {
		{0, {"rights of pages", "rights of tables and PDPTEs", "pages as built",
			    "random cases"}},
		{VMX_CONTROL_AD, {"A/D on: rights of pages", "A/D on: rights of tables and PDPTEs",
					 "A/D on: pages as built", "A/D on: random cases"}},
		{VMX_CONTROL_MODE_BASED, {"mode-based execute: rights of pages",
						 "mode-based execute: rights of tables and PDPTEs",
						 "mode-based execute: pages as built",
						 "mode-based execute: random cases"}},
		{VMX_CONTROL_AD | VMX_CONTROL_MODE_BASED,
			{"A/D on, mode-based execute: rights of pages",
				"A/D on, mode-based execute: rights of tables and PDPTEs",
				"A/D on, mode-based execute: pages as built",
				"A/D on, mode-based execute: random cases"}},
		{VMX_CONTROL_AD | VMX_CONTROL_FIVE,
			{"five levels: rights of pages", "five levels: rights of tables and PDPTEs",
				"five levels: pages as built", "five levels: random cases"}},
	};

	nested_print("IA32_VMX_EPT_VPID_CAP %x, mode-based execute control %u\n",
		vmx_capabilities.ept, (uint64_t)vmx_capabilities.mode_based);
	for (unsigned i = 0; i < COUNT(ways); i++)
		try_controls(ways[i].control, ways[i].groups);
	if (nested_has_word("quick"))
		return;
	vmx_try_misconfigurations();
	vmx_try_wide_addresses();
	tell_what_cannot_be_asked();
}
