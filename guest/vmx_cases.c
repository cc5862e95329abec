/* SPDX-License-Identifier: MIT */
/* Cases for EPT. SDM vol. 3C, "EPT Misconfigurations", "EPT Violations". */
#include "nested_case.h"
#include "vmx.h"

#define MISCONFIGURED 0xffffu
#define MAX_LEVEL     3

#define RD  VMX_VIOLATION_READ
#define WR  VMX_VIOLATION_WRITE
#define F   VMX_VIOLATION_FETCH
#define PR  VMX_VIOLATION_READABLE
#define PW  VMX_VIOLATION_WRITABLE
#define PX  VMX_VIOLATION_EXECUTABLE
#define PUX VMX_VIOLATION_USER_EXECUTE

/*
 * What becomes of a read, a write, a fetch from a supervisor's page and one from a user's, under an
 * entry with these rights: 0 if it goes through, MISCONFIGURED, or the exit qualification.
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
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

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

static unsigned leaf_levels(void)
{
	if (!(vmx_capabilities.ept & VMX_EPT_2M))
		return 1;
	return vmx_capabilities.ept & VMX_EPT_1G ? 3 : 2;
}

static void expect(const struct nested_case *c, unsigned outcome, enum nested_place place)
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
		if (place == NESTED_AT_PAGE)
			vector.qualification |= VMX_VIOLATION_FINAL;
	}
	nested_case_run(c, &vector);
}

/* R is missing where the processor insists on it. */
static bool is_unsupported(unsigned rights)
{
	return rights && !(rights & EPT_R) && !(vmx_capabilities.ept & VMX_EPT_EXECUTE_ONLY);
}

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
			if (is_unsupported(vectors[k].rights))
				outcome = MISCONFIGURED;
			expect(c, outcome, NESTED_AT_PAGE);
		}
	}
}

static void for_each_place(struct nested_case *c, void (*try)(struct nested_case *c))
{
	for (c->leaf = 0; c->leaf < leaf_levels(); c->leaf++)
		for (c->level = c->leaf; c->level <= MAX_LEVEL; c->level++)
			try(c);
}

static void try_page(struct nested_case *c)
{
	if (c->control & VMX_CONTROL_MODE_BASED)
		try_rights(c, mode_based_vectors, COUNT(mode_based_vectors));
	else
		try_rights(c, plain_vectors, COUNT(plain_vectors));
}

/* ---- The nested guest's tables ---- */

static void try_table_rights(struct nested_case *c, unsigned rights)
{
	bool readable = rights & EPT_R, writable = rights & EPT_W;
	bool always_writes = c->control & VMX_CONTROL_AD;
	bool page = c->subject == c->guest_leaf;
	bool updates = c->guest_clear & PTE_ACCESSED ||
		       (page && c->guest_clear & PTE_DIRTY && c->access & GUEST_ACCESS_WRITE);
	enum nested_place place = NESTED_AT_ENTRY;
	unsigned outcome = 0;

	if ((writable && !readable) || is_unsupported(rights))
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
	expect(c, outcome, place);
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
		for_each_place(&c, try);
		if (c.subject != NESTED_PD && c.subject != NESTED_PDPT)
			continue;
		c.guest_leaf = c.subject; /* its entry is a page */
		for_each_place(&c, try);
	}
}

/* ---- Misconfigurations and what is none ---- */

static bool is_reserved(unsigned bit, unsigned level, unsigned leaf)
{
	unsigned width = nested_address_width();

	if (bit >= width && bit < 52)
		return true;
	if (level == 3)
		return bit >= 3 && bit <= 7;
	if (level > leaf)
		return bit >= 3 && bit <= 6;
	return bit >= 12 && bit < 12 + 9 * level;
}

static void try_reserved(struct nested_case *c)
{
	c->guest_clear = 0;
	/* One access of each outcome: what it is does not matter here. */
	for (unsigned i = 0; i < COUNT(accesses); i += 4) {
		c->access = accesses[i].access;
		for (unsigned bit = 3; bit < 52; bit++) {
			if (!is_reserved(bit, c->level, c->leaf))
				continue;
			c->set = UINT64_C(1) << bit;
			c->clear = 0;
			expect(c, MISCONFIGURED, NESTED_AT_PAGE);
			c->clear = EPT_RWX | EPT_XU;
			expect(c, plain_vectors[0].outcome[accesses[i].column], NESTED_AT_PAGE);
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
		expect(c, 0, NESTED_AT_PAGE);
	}
}

static void try_types(void)
{
	struct nested_case c = {.subject = NESTED_PAGE, .access = GUEST_ACCESS_WRITE};

	for (c.leaf = 0; c.leaf < leaf_levels(); c.leaf++)
		for (unsigned type = 0; type < 16; type++) {
			unsigned alone = type & 7;
			bool bad = alone == 2 || alone == 3 || alone == 7;

			c.level = c.leaf;
			c.clear = UINT64_C(15) << 3;
			c.set = (uint64_t)type << 3;
			expect(&c, bad ? MISCONFIGURED : 0, NESTED_AT_PAGE);
		}
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
		if (bit != 12 && is_reserved(bit, c->level, c->leaf))
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

	nested_sweep_built(rights, COUNT(rights) - !execute_only, leaf_levels(), control);
	if (control & VMX_CONTROL_MODE_BASED)
		nested_sweep_built(mode_based, COUNT(mode_based) - (execute_only ? 0 : 2),
			leaf_levels(), control);
}

static void try_controls(uint32_t control, const char *const groups[4])
{
	const char *pages = groups[0];
	struct nested_case c = {.subject = NESTED_PAGE, .control = control};

	if (control & VMX_CONTROL_AD && !(vmx_capabilities.ept & VMX_EPT_AD)) {
		nested_skip(pages, "the processor sets no Accessed and Dirty in EPT");
		return;
	}
	if (control & VMX_CONTROL_MODE_BASED && !vmx_capabilities.mode_based) {
		nested_skip(pages, "the processor has no mode-based execute control");
		return;
	}
	nested_group(pages);
	for (c.guest_leaf = 0; c.guest_leaf < 3; c.guest_leaf++)
		for_each_place(&c, try_page);
	nested_group(groups[1]);
	for_each_table(control, try_table);
	nested_group(groups[2]);
	try_built(control);
	nested_group(groups[3]);
	nested_sweep_random(leaf_levels(), control, spoil);
}

void nested_cases(void)
{
	static const struct {
		uint32_t control;
		const char *groups[4];
	} ways[] = {
		{0, {"rights of pages", "rights of tables", "pages as built", "random cases"}},
		{VMX_CONTROL_AD, {"A/D on: rights of pages", "A/D on: rights of tables",
					 "A/D on: pages as built", "A/D on: random cases"}},
		{VMX_CONTROL_MODE_BASED, {"mode-based execute: rights of pages",
						 "mode-based execute: rights of tables",
						 "mode-based execute: pages as built",
						 "mode-based execute: random cases"}},
		{VMX_CONTROL_AD | VMX_CONTROL_MODE_BASED,
			{"A/D on, mode-based execute: rights of pages",
				"A/D on, mode-based execute: rights of tables",
				"A/D on, mode-based execute: pages as built",
				"A/D on, mode-based execute: random cases"}},
	};
	struct nested_case page = {.subject = NESTED_PAGE};

	nested_print("IA32_VMX_EPT_VPID_CAP %x, mode-based execute control %u\n",
		vmx_capabilities.ept, (uint64_t)vmx_capabilities.mode_based);
	for (unsigned i = 0; i < COUNT(ways); i++)
		try_controls(ways[i].control, ways[i].groups);
	nested_group("reserved bits");
	for_each_place(&page, try_reserved);
	nested_group("ignored bits");
	for_each_place(&page, try_ignored);
	nested_group("memory types");
	try_types();
}
