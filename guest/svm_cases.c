/* SPDX-License-Identifier: MIT */
/* Cases for nested page tables. APM vol. 2, "Nested Paging", "Nested versus Guest Page Faults". */
#include "nested_case.h"
#include "svm.h"

#define CODE_READ  SVM_FAULT_USER
#define CODE_WRITE (SVM_FAULT_USER | SVM_FAULT_WRITE)

#define CPUID_7_ECX_PKU  (1u << 3)
#define CPUID_7_ECX_LA57 (1u << 16)

static unsigned leaf_levels(void)
{
	return x86_extended_edx() & CPUID_EDX_1G ? 3 : 2;
}

/* What the error code says of the access itself. */
static uint64_t access_code(const struct nested_case *c)
{
	if (c->access & GUEST_ACCESS_WRITE)
		return CODE_WRITE;
	if (!(c->access & GUEST_ACCESS_FETCH))
		return CODE_READ;
	return CODE_READ | (c->control & SVM_CONTROL_NO_NXE && !(c->control & SVM_CONTROL_SMEP)
					   ? 0
					   : SVM_FAULT_FETCH);
}

static void expect_done(const struct nested_case *c)
{
	const struct nested_vector vector = {.kind = NESTED_DONE};

	nested_case_run(c, &vector);
}

/* A fault with these bits beside those that tell the access. */
static void expect_fault(const struct nested_case *c, uint64_t bits)
{
	struct nested_vector vector = {.kind = NESTED_VIOLATION};

	if (c->subject == NESTED_PAGE) {
		vector.qualification = SVM_FAULT_FINAL | access_code(c) | bits;
		vector.place = NESTED_AT_PAGE;
	} else {
		vector.qualification = SVM_FAULT_TABLE | CODE_WRITE | bits;
		vector.place = c->subject == NESTED_PML4 ? NESTED_AT_CODE_ENTRY : NESTED_AT_ENTRY;
	}
	nested_case_run(c, &vector);
}

static const uint32_t accesses[] = {
	GUEST_ACCESS_READ,
	GUEST_ACCESS_WRITE,
	GUEST_ACCESS_WRITE | NESTED_ACCESS_CHANGE,
	GUEST_ACCESS_WRITE | NESTED_ACCESS_EXCHANGE,
	GUEST_ACCESS_FETCH,
	GUEST_ACCESS_READ | GUEST_ACCESS_USER,
	GUEST_ACCESS_WRITE | GUEST_ACCESS_USER,
	GUEST_ACCESS_FETCH | GUEST_ACCESS_USER,
};
#define ACCESSES (sizeof accesses / sizeof accesses[0])

/* Each right taken away at each level of each page size. */
static void try_rights(const struct nested_case *base)
{
	struct nested_case c = *base;
	bool table = c.subject != NESTED_PAGE;
	bool write = table || c.access & GUEST_ACCESS_WRITE;
	bool fetch = !table && c.access & GUEST_ACCESS_FETCH;

	expect_done(&c);
	c.clear = PTE_PRESENT;
	expect_fault(&c, 0);
	c.clear = PTE_USER;
	expect_fault(&c, SVM_FAULT_PRESENT);
	c.clear = PTE_WRITE;
	if (write)
		expect_fault(&c, SVM_FAULT_PRESENT);
	else
		expect_done(&c);
	c.clear = 0;
	c.set = PTE_NO_EXECUTE;
	if (c.control & SVM_CONTROL_NO_NXE)
		expect_fault(&c, SVM_FAULT_PRESENT | SVM_FAULT_RESERVED);
	else if (fetch)
		expect_fault(&c, SVM_FAULT_PRESENT);
	else
		expect_done(&c);
}

static bool is_reserved(unsigned bit, unsigned level, unsigned leaf)
{
	unsigned width = nested_address_width();

	if (bit >= width && bit < 52)
		return true;
	if (level >= 3)
		return bit == 7 || bit == 8;
	/* Bit 12 of a huge page is PAT. */
	return level == leaf && level > 0 && bit > 12 && bit < 12 + 9 * level;
}

/* Each bit that is reserved; then the same bit in an entry that is not present. */
static void try_reserved(const struct nested_case *base)
{
	struct nested_case c = *base;

	for (unsigned bit = 3; bit < 63; bit++) {
		if (!is_reserved(bit, c.level, c.leaf))
			continue;
		c.set = UINT64_C(1) << bit;
		c.clear = 0;
		expect_fault(&c, SVM_FAULT_PRESENT | SVM_FAULT_RESERVED);
		c.clear = PTE_PRESENT;
		expect_fault(&c, 0);
	}
}

/* Bits that mean nothing to the processor, or nothing here. */
static void try_ignored(const struct nested_case *base)
{
	struct nested_case c = *base;

	for (unsigned bit = 9; bit < 63; bit++) {
		if (bit == 12)
			bit = 52;
		c.set = UINT64_C(1) << bit;
		expect_done(&c);
	}
}

static void for_each_place(const struct nested_case *base, void (*try)(const struct nested_case *c))
{
	struct nested_case c = *base;

	for (c.leaf = 0; c.leaf < leaf_levels(); c.leaf++)
		for (c.level = c.leaf; c.level <= nested_last_private_level(); c.level++)
			try(&c);
}

static void for_each_access(uint32_t control, void (*try)(const struct nested_case *c))
{
	struct nested_case c = {.subject = NESTED_PAGE, .control = control};

	for (unsigned i = 0; i < ACCESSES; i++) {
		c.access = accesses[i];
		for_each_place(&c, try);
	}
}

static void for_each_table(uint32_t control, void (*try)(const struct nested_case *c))
{
	struct nested_case c = {.control = control};

	/* A read, and two writes of different kind and ring: the access is not what stops here. */
	for (unsigned i = 0; i < ACCESSES; i += 3) {
		c.access = accesses[i];
		for (c.subject = NESTED_PT; c.subject <= NESTED_PML4; c.subject++)
			for_each_place(&c, try);
	}
}

/* PAE paging: PDPTEs are read in each walk, as any entry is. APM vol. 2, "Legacy PAE Mode". */
static void try_pdptes(const struct nested_case *base)
{
	static const uint64_t bits[] = {PTE_PRESENT, PTE_WRITE, PTE_USER};
	struct nested_case c = *base;
	struct nested_vector vector = {.kind = NESTED_DONE, .place = NESTED_AT_SUBJECT};

	if (c.level == 3)
		return; /* it leads to everything else too */
	nested_case_run(&c, &vector);
	vector.kind = NESTED_VIOLATION;
	for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++) {
		c.clear = bits[i];
		vector.qualification = SVM_FAULT_TABLE | CODE_WRITE |
				       (bits[i] == PTE_PRESENT ? 0 : SVM_FAULT_PRESENT);
		nested_case_run(&c, &vector);
	}
}

/* For random cases. */
static void spoil(struct nested_case *c)
{
	uint64_t chance = nested_random();
	unsigned bit = chance >> 32 & 63;

	switch (chance & 7) {
	case 0: /* not present, the rest of it anything */
		c->clear = PTE_PRESENT;
		c->set = nested_random() & ~PTE_PRESENT;
		break;
	case 1:
		c->clear = PTE_WRITE;
		break;
	case 2:
		c->clear = PTE_USER;
		break;
	case 3:
		c->set = PTE_NO_EXECUTE;
		break;
	case 4:
		if (bit > 8 && is_reserved(bit, c->level, c->leaf))
			c->set = UINT64_C(1) << bit;
		break;
	default: /* ignored bits */
		c->set = nested_random() & (PTE_SOFTWARE | PTE_ACCESSED);
	}
}

/* Under each state of registers that might change what the nested tables mean. */
static void try_registers(void)
{
	static const struct {
		const char *pages, *tables;
		uint32_t control;
	} hosts[] = {
		{"rights of pages", "rights of tables", 0},
		{"rights of pages, NXE off", "rights of tables, NXE off", SVM_CONTROL_NO_NXE},
		{"rights of pages, SMEP on", "rights of tables, SMEP on", SVM_CONTROL_SMEP},
		{"rights of pages, NXE off, SMEP on", "rights of tables, NXE off, SMEP on",
			SVM_CONTROL_NO_NXE | SVM_CONTROL_SMEP},
		{"rights of pages, WP off", "rights of tables, WP off", SVM_CONTROL_NO_WP},
		{"rights of pages, protection keys", "rights of tables, protection keys",
			SVM_CONTROL_KEYS},
		{"rights of pages, the guest's NXE off", "rights of tables, the guest's NXE off",
			NESTED_CONTROL_NO_NXE},
	};

	for (unsigned i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		if (hosts[i].control & SVM_CONTROL_SMEP && !nested_has_smep()) {
			nested_skip(hosts[i].pages, "CPUID Fn7 EBX bit 7 (SMEP) is 0");
			continue;
		}
		if (hosts[i].control & SVM_CONTROL_KEYS && !(x86_cpuid(7).ecx & CPUID_7_ECX_PKU)) {
			nested_skip(hosts[i].pages, "CPUID Fn7 ECX bit 3 (PKU) is 0");
			continue;
		}
		nested_group(hosts[i].pages);
		for_each_access(hosts[i].control, try_rights);
		nested_group(hosts[i].tables);
		for_each_table(hosts[i].control, try_rights);
	}
}

/* The page that the nested guest begins in. */
static void try_first(const struct nested_case *base)
{
	struct nested_case c = *base;

	try_rights(&c);
	c.access |= GUEST_ACCESS_USER;
	try_rights(&c);
}

/*
 * Guest-mode execute trap: the supervisor fetches from pages without U, and from no other. Nothing
 * else changes, so the code's own pages, which have U, are out of its reach. APM vol. 2, "Guest
 * Mode Execute Trap Extension".
 */
static void try_gmet_fetches(const struct nested_case *base)
{
	struct nested_case c = *base;

	expect_fault(&c, SVM_FAULT_PRESENT);
	c.clear = PTE_USER;
	expect_done(&c);
	c.set = PTE_NO_EXECUTE;
	expect_fault(&c, SVM_FAULT_PRESENT);
	c.clear = PTE_PRESENT;
	c.set = 0;
	expect_fault(&c, 0);
	c.access |= GUEST_ACCESS_USER;
	try_rights(&c);
}

static void try_gmet(void)
{
	struct nested_case c = {.subject = NESTED_PAGE,
		.access = GUEST_ACCESS_FETCH | NESTED_ACCESS_START,
		.control = SVM_CONTROL_GMET};

	if (!(x86_cpuid(CPUID_SVM).edx & CPUID_SVM_EDX_GMET)) {
		nested_skip("guest-mode execute trap", "CPUID Fn8000_000A EDX bit 17 is 0");
		return;
	}
	nested_group("guest-mode execute trap: fetches");
	for_each_place(&c, try_gmet_fetches);
	nested_group("guest-mode execute trap: data of users");
	for (unsigned i = 0; i < ACCESSES; i++) {
		c.access = accesses[i];
		if (c.access & GUEST_ACCESS_USER)
			for_each_place(&c, try_rights);
	}
}

static void try_vectors(void)
{
	static const struct nested_case first = {
		.subject = NESTED_PAGE, .access = GUEST_ACCESS_FETCH | NESTED_ACCESS_START};
	static const struct nested_case pdptes = {.subject = NESTED_PDPTES,
		.access = NESTED_ACCESS_LOAD_CR3,
		.guest_leaf = NESTED_NO_TARGET};

	try_registers();
	nested_group("PDPTEs");
	for_each_place(&pdptes, try_pdptes);
	nested_group("reserved bits of pages");
	for_each_access(0, try_reserved);
	nested_group("reserved bits of tables");
	for_each_table(0, try_reserved);
	nested_group("reserved bits, NXE off");
	for_each_access(SVM_CONTROL_NO_NXE, try_reserved);
	nested_group("fetches by the first instruction");
	for_each_place(&first, try_first);
	try_gmet();
	nested_group("ignored bits");
	for_each_access(0, try_ignored);
}

/* Five levels: the hypervisor's own paging decides. */
static void try_five_levels(void)
{
	if (!(x86_cpuid(7).ecx & CPUID_7_ECX_LA57)) {
		nested_skip("five levels", "CPUID Fn7 ECX bit 16 (LA57) is 0");
		return;
	}
	nested_set_levels(true);
	if (!nested_has_word("quick")) {
		nested_group("five levels: rights of pages");
		for_each_access(0, try_rights);
	}
	nested_group("five levels: random cases");
	nested_sweep_random(leaf_levels(), 0, spoil);
	nested_set_levels(false);
}

void nested_cases(void)
{
	static const pw_rights rights[] = {PW_R, PW_R | PW_W, PW_R | PW_X, PW_R | PW_W | PW_X};

	if (!nested_has_word("quick"))
		try_vectors();
	nested_group("pages as the library builds them");
	nested_sweep_built(rights, sizeof rights / sizeof rights[0], leaf_levels(), 0);
	nested_group("random cases");
	nested_sweep_random(leaf_levels(), 0, spoil);
	nested_group("random cases, NXE off");
	nested_sweep_random(leaf_levels(), SVM_CONTROL_NO_NXE, spoil);
	try_five_levels();
}
