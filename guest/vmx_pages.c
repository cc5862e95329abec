/* SPDX-License-Identifier: MIT */
/* Cases for what the nested guest accesses. SDM vol. 3C, "EPT Misconfigurations", "EPT Violations".
 */
#include "vmx_cases.h"

/*
 * What becomes of a read, a write, a fetch from a supervisor's page and one from a user's, under an
 * entry with these rights: outcomes as vmx_expect() takes them.
 */
struct rights_vector {
	uint16_t rights;
	uint16_t outcome[4];
};

static const struct rights_vector plain_vectors[] = {
	{0, {RD, WR, F, F}},
	{EPT_R, {0, WR | PR, F | PR, F | PR}},
	{EPT_W, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_R | EPT_W, {0, 0, F | PR | PW, F | PR | PW}},
	{EPT_X, {RD | PX, WR | PX, 0, 0}},
	{EPT_R | EPT_X, {0, WR | PR | PX, 0, 0}},
	{EPT_W | EPT_X, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_RWX, {0, 0, 0, 0}},
};

static const struct rights_vector mode_based_vectors[] = {
	{0, {RD, WR, F, F}},
	{EPT_R, {0, WR | PR, F | PR, F | PR}},
	{EPT_W, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_R | EPT_W, {0, 0, F | PR | PW, F | PR | PW}},
	{EPT_X, {RD | PX, WR | PX, 0, F | PX}},
	{EPT_R | EPT_X, {0, WR | PR | PX, 0, F | PR | PX}},
	{EPT_W | EPT_X, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_RWX, {0, 0, 0, F | PR | PW | PX}},
	{EPT_XU, {RD | PUX, WR | PUX, F | PUX, 0}},
	{EPT_R | EPT_XU, {0, WR | PR | PUX, F | PR | PUX, 0}},
	{EPT_W | EPT_XU, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_R | EPT_W | EPT_XU, {0, 0, F | PR | PW | PUX, 0}},
	{EPT_X | EPT_XU, {RD | PX | PUX, WR | PX | PUX, 0, 0}},
	{EPT_R | EPT_X | EPT_XU, {0, WR | PR | PX | PUX, 0, 0}},
	{EPT_W | EPT_X | EPT_XU, {MISCONFIGURED, MISCONFIGURED, MISCONFIGURED, MISCONFIGURED}},
	{EPT_RWX | EPT_XU, {0, 0, 0, 0}},
};

/* Accesses to the page, and which outcome of a vector is theirs. */
static const struct {
	uint32_t access;
	bool supervisor_page;
	uint8_t column;
} accesses[] = {
	{GUEST_ACCESS_READ, true, 0},
	{GUEST_ACCESS_READ, false, 0},
	{GUEST_ACCESS_READ | GUEST_ACCESS_USER, false, 0},
	{GUEST_ACCESS_WRITE, true, 1},
	{GUEST_ACCESS_WRITE, false, 1},
	{GUEST_ACCESS_WRITE | GUEST_ACCESS_USER, false, 1},
	{GUEST_ACCESS_WRITE | NESTED_ACCESS_CHANGE, true, 1},
	{GUEST_ACCESS_WRITE | NESTED_ACCESS_EXCHANGE, true, 1},
	{GUEST_ACCESS_FETCH, true, 2},
	{GUEST_ACCESS_FETCH, false, 3},
	{GUEST_ACCESS_FETCH | GUEST_ACCESS_USER, false, 3},
};

static void try_rights(struct nested_case *c, const struct rights_vector *vectors, unsigned count)
{
	for (unsigned i = 0; i < COUNT(accesses); i++) {
		c->access = accesses[i].access;
		c->guest_level = c->guest_leaf;
		c->guest_clear = accesses[i].supervisor_page ? PTE_USER : 0;
		for (unsigned k = 0; k < count; k++) {
			unsigned outcome = vectors[k].outcome[accesses[i].column];

			c->clear = EPT_RWX | EPT_XU;
			c->set = vectors[k].rights;
			if (vmx_is_unsupported(vectors[k].rights))
				outcome = MISCONFIGURED;
			vmx_expect(c, outcome, NESTED_AT_PAGE);
		}
	}
}

static void try_page(struct nested_case *c)
{
	if (c->control & VMX_CONTROL_MODE_BASED)
		try_rights(c, mode_based_vectors, COUNT(mode_based_vectors));
	else
		try_rights(c, plain_vectors, COUNT(plain_vectors));
}

void vmx_try_pages(uint32_t control)
{
	struct nested_case c = {.subject = NESTED_PAGE, .control = control};

	for (c.guest_leaf = 0; c.guest_leaf < 3; c.guest_leaf++)
		vmx_for_each_place(&c, try_page);
}

static void try_reserved(struct nested_case *c)
{
	c->guest_clear = 0;
	/* One access of each outcome: what it is does not matter here. */
	for (unsigned i = 0; i < COUNT(accesses); i += 4) {
		c->access = accesses[i].access;
		for (unsigned bit = 3; bit < 52; bit++) {
			if (!vmx_is_reserved(bit, c->level, c->leaf))
				continue;
			c->set = UINT64_C(1) << bit;
			c->clear = 0;
			vmx_expect(c, MISCONFIGURED, NESTED_AT_PAGE);
			c->clear = EPT_RWX | EPT_XU;
			vmx_expect(c, plain_vectors[0].outcome[accesses[i].column], NESTED_AT_PAGE);
		}
	}
}

static void try_ignored(struct nested_case *c)
{
	c->guest_clear = c->clear = 0;
	c->access = GUEST_ACCESS_WRITE;
	for (unsigned bit = 7; bit < 64; bit++) {
		if (bit == 7 && c->level != 0)
			continue; /* a huge page, or reserved */
		if (bit == 12)
			bit = 52;
		c->set = UINT64_C(1) << bit;
		vmx_expect(c, 0, NESTED_AT_PAGE);
	}
}

static void try_types(void)
{
	struct nested_case c = {.subject = NESTED_PAGE, .access = GUEST_ACCESS_WRITE};

	for (c.leaf = 0; c.leaf < vmx_leaf_levels(); c.leaf++)
		for (unsigned type = 0; type < 16; type++) {
			unsigned alone = type & 7;
			bool bad = alone == 2 || alone == 3 || alone == 7;

			c.level = c.leaf;
			c.clear = UINT64_C(15) << 3;
			c.set = (uint64_t)type << 3;
			vmx_expect(&c, bad ? MISCONFIGURED : 0, NESTED_AT_PAGE);
		}
}

void vmx_try_misconfigurations(void)
{
	struct nested_case page = {.subject = NESTED_PAGE};

	nested_group("reserved bits");
	vmx_for_each_place(&page, try_reserved);
	nested_group("ignored bits");
	vmx_for_each_place(&page, try_ignored);
	nested_group("memory types");
	try_types();
}

/*
 * Guest-physical addresses beyond what four levels translate: a violation, whatever the tables say.
 * SDM vol. 3C, "EPT Translation Mechanism".
 */
static void try_wide(struct nested_case *c)
{
	for (unsigned i = 0; i < COUNT(accesses); i++) {
		unsigned column = accesses[i].column;

		c->access = accesses[i].access;
		if (accesses[i].supervisor_page)
			continue;
		for (unsigned bit = 48; bit < nested_address_width(); bit++) {
			c->guest_set = UINT64_C(1) << bit;
			c->guest_level = 0;
			vmx_expect(c, plain_vectors[0].outcome[column], NESTED_AT_ABOVE);
			for (c->guest_level = 1; c->guest_level < 3; c->guest_level++)
				vmx_expect(c, RD | (c->control & VMX_CONTROL_AD ? WR : 0),
					NESTED_AT_ABOVE);
		}
	}
}

void vmx_try_wide_addresses(void)
{
	static const char name[] = "guest-physical addresses beyond 48 bits";
	struct nested_case c = {.subject = NESTED_PAGE};

	if (nested_address_width() <= 48) {
		nested_skip(name, "CPUID Fn8000_0008 EAX[7:0] (MAXPHYADDR) is 48 or less");
		return;
	}
	nested_group(name);
	try_wide(&c);
	if (vmx_capabilities.ept & VMX_EPT_AD) {
		c.control = VMX_CONTROL_AD;
		try_wide(&c);
	}
}
