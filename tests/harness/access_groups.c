/* SPDX-License-Identifier: MIT */
#include "access_choices.h"

/* ---- What to choose from ---- */

static const struct model_setting any_access[] = {
	{"write", MODEL_ACCESS, PW_ACCESS_READ ^ PW_ACCESS_WRITE},
	{"fetch", MODEL_ACCESS, PW_ACCESS_READ ^ PW_ACCESS_FETCH},
	{"regardless", MODEL_ACCESS, PW_ACCESS_READ ^ PW_ACCESS_ANY},
};

/* One reserved bit at a time, as kvm-unit-tests has it; bit 36 is the first above MAXPHYADDR. */
static const struct model_setting reserved_bits[] = {
	{"pte.51", MODEL_PTE, BIT_N(51)},
	{"pde.51", MODEL_PDE, BIT_N(51)},
	{"pde.13", MODEL_PDE, BIT_N(13)},
	{"pte.36", MODEL_PTE, BIT_N(36)},
	{"pde.36", MODEL_PDE, BIT_N(36)},
};

static const struct model_setting reserved_bits_pae[] = {
	{"pte.51", MODEL_PTE, BIT_N(51)},
	{"pte.52", MODEL_PTE, BIT_N(52)},
	{"pte.62", MODEL_PTE, BIT_N(62)},
	{"pde.13", MODEL_PDE, BIT_N(13)},
	{"pde.36", MODEL_PDE, BIT_N(36)},
	{"pde.62", MODEL_PDE, BIT_N(62)},
	{"pdpte.5", MODEL_PDPTE, BIT_N(5)},
	{"pdpte.rw", MODEL_PDPTE, MODEL_W},
	{"pdpte.36", MODEL_PDPTE, BIT_N(36)},
	{"pdpte.nx", MODEL_PDPTE, MODEL_NX},
};

static const struct model_setting pse36_bits[] = {
	{"pde.12", MODEL_PDE, BIT_N(12)}, /* PAT */
	{"pde.13", MODEL_PDE, BIT_N(13)},
	{"pde.16", MODEL_PDE, BIT_N(16)},
	{"pde.17", MODEL_PDE, BIT_N(17)},
	{"pde.20", MODEL_PDE, BIT_N(20)},
	{"pde.21", MODEL_PDE, BIT_N(21)},
};

static const struct model_setting pdpte_bits[] = {
	{"pdpte.8", MODEL_PDPTE, BIT_N(8)}, /* ignored in a table entry */
	{"pdpte.12", MODEL_PDPTE, BIT_N(12)},
	{"pdpte.13", MODEL_PDPTE, BIT_N(13)},
	{"pdpte.29", MODEL_PDPTE, BIT_N(29)},
};

static const struct model_setting some_widths[] = {
	{"width=40", MODEL_WIDTH, 36 ^ 40},
	{"width=52", MODEL_WIDTH, 36 ^ 52},
};

static const struct model_setting widths[] = {
	{"width=32", MODEL_WIDTH, 36 ^ 32},
	{"width=37", MODEL_WIDTH, 36 ^ 37},
	{"width=40", MODEL_WIDTH, 36 ^ 40},
	{"width=41", MODEL_WIDTH, 36 ^ 41},
	{"width=46", MODEL_WIDTH, 36 ^ 46},
	{"width=51", MODEL_WIDTH, 36 ^ 51},
	{"width=52", MODEL_WIDTH, 36 ^ 52},
};

static const struct model_setting pte_keys[] = {
	{"pte.key=1", MODEL_PTE, UINT64_C(1) << 59},
	{"pte.key=14", MODEL_PTE, UINT64_C(14) << 59},
	{"pte.key=15", MODEL_PTE, UINT64_C(15) << 59},
};

static const struct model_setting pde_keys[] = {
	{"pde.key=1", MODEL_PDE, UINT64_C(1) << 59},
	{"pde.key=15", MODEL_PDE, UINT64_C(15) << 59},
};

/* AD is bit 2n, WD bit 2n + 1 of key n. */
static const struct model_setting pkru_bits[] = {
	{"pkru.1.ad", MODEL_PKRU, BIT_N(2)},
	{"pkru.1.wd", MODEL_PKRU, BIT_N(3)},
	{"pkru.1.ad+wd", MODEL_PKRU, BIT_N(2) | BIT_N(3)},
	{"pkru.0.wd,14.ad,15.wd", MODEL_PKRU, BIT_N(1) | BIT_N(28) | BIT_N(31)},
};

static const struct model_setting pkrs_bits[] = {
	{"pkrs.1.ad", MODEL_PKRS, BIT_N(2)},
	{"pkrs.1.wd", MODEL_PKRS, BIT_N(3)},
	{"pkrs.1.ad+wd", MODEL_PKRS, BIT_N(2) | BIT_N(3)},
	{"pkrs.0.wd,14.ad,15.wd", MODEL_PKRS, BIT_N(1) | BIT_N(28) | BIT_N(31)},
};

/* Every bit of an entry, by number. */
#define ONE(entry, field, n) {entry "." #n, field, BIT_N(n)},
#define TEN(entry, field, tens)                                                                    \
	ONE(entry, field, tens##0)                                                                 \
	ONE(entry, field, tens##1)                                                                 \
	ONE(entry, field, tens##2)                                                                 \
	ONE(entry, field, tens##3)                                                                 \
	ONE(entry, field, tens##4)                                                                 \
	ONE(entry, field, tens##5)                                                                 \
	ONE(entry, field, tens##6)                                                                 \
	ONE(entry, field, tens##7)                                                                 \
	ONE(entry, field, tens##8)                                                                 \
	ONE(entry, field, tens##9)
#define THIRTY(entry, field)                                                                       \
	TEN(entry, field, )                                                                        \
	TEN(entry, field, 1)                                                                       \
	TEN(entry, field, 2)
#define BITS_32(entry, field) THIRTY(entry, field) ONE(entry, field, 30) ONE(entry, field, 31)
#define BITS_64(entry, field)                                                                      \
	THIRTY(entry, field)                                                                       \
	TEN(entry, field, 3)                                                                       \
	TEN(entry, field, 4)                                                                       \
	TEN(entry, field, 5)                                                                       \
	ONE(entry, field, 60)                                                                      \
	ONE(entry, field, 61)                                                                      \
	ONE(entry, field, 62)                                                                      \
	ONE(entry, field, 63)

static const struct model_setting any_bit_32[] = {
	BITS_32("pte", MODEL_PTE) BITS_32("pde", MODEL_PDE)};

static const struct model_setting any_bit[] = {
	BITS_64("pte", MODEL_PTE) BITS_64("pde", MODEL_PDE) BITS_64("pdpte", MODEL_PDPTE)
		BITS_64("pml4e", MODEL_PML4E) BITS_64("pml5e", MODEL_PML5E)};

#define ANY_BIT(levels)                                                                            \
	{                                                                                          \
		any_bit, 64 * (levels)                                                             \
	}

/* ---- The matrix of kvm-unit-tests ---- */

bool model_matrix_is_legal(const struct model_case *c)
{
	uint64_t pte = c->field[MODEL_PTE], pde = c->field[MODEL_PDE];
	uint64_t reserved = BIT_N(36) | BIT_N(51);
	bool pde_13 = pde & BIT_N(13);
	unsigned count = ((pte & reserved) != 0) + ((pde & reserved) != 0) + pde_13;

	if (!(c->field[MODEL_EFER] & PW_EFER_NXE))
		count += ((pte & NX) != 0) + ((pde & NX) != 0);
	if (!(c->field[MODEL_CR4] & PW_CR4_PKE) && c->field[MODEL_PKRU])
		return false;
	return count <= 1 && (!pde_13 || (pde & MODEL_PS));
}

#define MATRIX_CHOICES                                                                             \
	CHOICE(write_or_fetch), USER, TWICE, PTE("rw", MODEL_W), PTE("user", MODEL_U),             \
		PTE("a", MODEL_A), PTE("d", MODEL_D), PTE("nx", NX), PTE("p", MODEL_P),            \
		PDE("rw", MODEL_W), PDE("user", MODEL_U), PDE("a", MODEL_A), PDE("d", MODEL_D),    \
		PDE("ps", MODEL_PS), PDE("nx", NX), PDE("p", MODEL_P), CHOICE(reserved_bits),      \
		PDPTE("ro", MODEL_W), BIT("key=1", MODEL_KEY, 1),                                  \
		BIT("pkru.ad", MODEL_PKRU, BIT_N(2)), BIT("pkru.wd", MODEL_PKRU, BIT_N(3)), PKE,   \
		WP, NXE

const struct model_group model_matrix = {
	.name = "4-level, the matrix of kvm-unit-tests",
	.base = BASE(0, 0, LINK, 0, PAE, LONG),
	.is_legal = model_matrix_is_legal,
	.choices = {MATRIX_CHOICES},
};

const struct model_group model_matrix_la57 = {
	.name = "5-level, the matrix of kvm-unit-tests",
	.base = BASE(0, 0, LINK, 0, PAE | PW_CR4_LA57, LONG),
	.is_legal = model_matrix_is_legal,
	.choices = {MATRIX_CHOICES},
};

/* ---- Beyond it ---- */

const struct model_group model_supervisor = {
	.name = "4-level, SMEP, SMAP, AC and implicit accesses",
	.base = BASE(0, LINK, LINK, 0, PAE, LONG),
	.choices = {CHOICE(any_access), USER, IMPLICIT, PTE("rw", MODEL_W), PTE("user", MODEL_U),
		PTE("nx", NX), PTE("p", MODEL_P), PDE("ro", MODEL_W), PDE("sup", MODEL_U),
		PDE("nx", NX), PDE("ps", MODEL_PS), PDE("13", BIT_N(13)), PDPTE("ro", MODEL_W),
		PDPTE("sup", MODEL_U), AC, SMAP, SMEP, WP, NXE},
};

const struct model_group model_keys = {
	.name = "4-level, protection keys of user and supervisor pages",
	.base = BASE(MODEL_P, LINK, LINK, 0, PAE, LONG | PW_EFER_NXE),
	.choices = {CHOICE(write_or_fetch), USER, IMPLICIT, PTE("rw", MODEL_W),
		PTE("user", MODEL_U), PTE("nx", NX), PDE("sup", MODEL_U), PDE("ps", MODEL_PS),
		CHOICE(pte_keys), CHOICE(pde_keys), CHOICE(pkru_bits), CHOICE(pkrs_bits), AC, SMAP,
		PKE, PKS, WP},
};

const struct model_group model_shadow_stack = {
	.name = "4-level, shadow stacks",
	.base = BASE(MODEL_P, LINK, LINK, PW_CR0_WP, PAE | PW_CR4_CET, LONG | PW_EFER_NXE),
	.choices = {CHOICE(write_or_fetch), USER, IMPLICIT,
		BIT("shadow-stack", MODEL_ACCESS, PW_ACCESS_SHADOW_STACK), PTE("rw", MODEL_W),
		PTE("user", MODEL_U), PTE("d", MODEL_D), PTE("nx", NX), PTE("hole", MODEL_P),
		PDE("ro", MODEL_W), PDE("sup", MODEL_U), PDE("d", MODEL_D), PDE("ps", MODEL_PS),
		PDPTE("ro", MODEL_W), PDPTE("sup", MODEL_U), BIT("key=1", MODEL_KEY, 1),
		CHOICE(pkru_bits), AC, SMAP, PKE, PKS},
};

/* Where there are no protection keys, key 0 is as good as any: PKRU and PKRS forbid them all. */
#define KEYS_CLOSED [MODEL_PKRU] = UINT32_MAX, [MODEL_PKRS] = UINT32_MAX
#define KEYS_ON     BIT("cr4.pke+pks", MODEL_CR4, PW_CR4_PKE | PW_CR4_PKS)

const struct model_group model_pae = {
	.name = "PAE",
	.base = {{BASE_FIELDS(0, 0, MODEL_P, 0, PAE, 0), KEYS_CLOSED}},
	.choices = {CHOICE(any_access), USER, IMPLICIT, PTE("rw", MODEL_W), PTE("user", MODEL_U),
		PTE("d", MODEL_D), PTE("nx", NX), PTE("p", MODEL_P), PDE("rw", MODEL_W),
		PDE("user", MODEL_U), PDE("ps", MODEL_PS), PDE("nx", NX), PDE("p", MODEL_P),
		PDPTE("hole", MODEL_P), CHOICE(reserved_bits_pae), AC, SMAP, SMEP, WP, NXE,
		KEYS_ON},
};

const struct model_group model_32 = {
	.name = "32-bit, with PSE and PSE-36",
	.base = {{BASE_FIELDS(0, 0, 0, 0, 0, 0), KEYS_CLOSED}},
	.choices = {CHOICE(any_access), USER, IMPLICIT, PTE("rw", MODEL_W), PTE("user", MODEL_U),
		PTE("d", MODEL_D), PTE("p", MODEL_P), PDE("rw", MODEL_W), PDE("user", MODEL_U),
		PDE("ps", MODEL_PS), PDE("p", MODEL_P), CHOICE(pse36_bits), AC, SMAP, SMEP, WP, NXE,
		KEYS_ON, BIT("cr4.pse", MODEL_CR4, PW_CR4_PSE),
		BIT("no-pse36", MODEL_CPU, MODEL_CPU_NO_PSE36), CHOICE(some_widths)},
};

#define AMD   BIT("amd", MODEL_CPU, MODEL_CPU_AMD)
#define NO_1G BIT("no-1g", MODEL_CPU, MODEL_CPU_NO_1G)

const struct model_group model_huge = {
	.name = "4-level, huge pages and what is reserved near the root",
	.base = BASE(LINK, LINK, LINK, 0, PAE, LONG),
	.choices = {CHOICE(write_or_fetch), USER, PDE("ro", MODEL_W), PDE("sup", MODEL_U),
		PDE("ps", MODEL_PS), PDPTE("ro", MODEL_W), PDPTE("sup", MODEL_U),
		PDPTE("not-a", MODEL_A), PDPTE("d", MODEL_D), PDPTE("ps", MODEL_PS),
		PDPTE("nx", NX), CHOICE(pdpte_bits), PML4E("ro", MODEL_W), PML4E("sup", MODEL_U),
		PML4E("nx", NX), PML4E("ps", MODEL_PS), PML4E("8", BIT_N(8)), AMD, NO_1G, WP, NXE},
};

/* ---- Bit by bit ---- */

#define SOME_PAGES PDE("ps", MODEL_PS), PDPTE("ps", MODEL_PS)

const struct model_group model_bits_long = {
	.name = "4-level, every bit of every entry",
	.base = BASE(PAGE, LINK, LINK, 0, PAE, LONG),
	.choices = {CHOICE(any_access), USER, ANY_BIT(4), SOME_PAGES, AMD, NO_1G, WP, NXE,
		CHOICE(widths)},
};

const struct model_group model_bits_la57 = {
	.name = "5-level, every bit of every entry",
	.base = BASE(PAGE, LINK, LINK, 0, PAE | PW_CR4_LA57, LONG),
	.choices = {CHOICE(any_access), USER, ANY_BIT(5), SOME_PAGES, AMD, NO_1G, WP, NXE,
		CHOICE(widths)},
};

const struct model_group model_bits_pae = {
	.name = "PAE, every two bits of the entries",
	.base = BASE(PAGE, LINK, MODEL_P, PW_CR0_WP, PAE, 0),
	.choices = {CHOICE(any_access), USER, ANY_BIT(3), ANY_BIT(3), PDE("ps", MODEL_PS), NXE,
		CHOICE(widths)},
};

const struct model_group model_bits_32 = {
	.name = "32-bit, every two bits of the entries",
	.base = BASE(PAGE, LINK, 0, PW_CR0_WP, 0, 0),
	.choices = {CHOICE(any_access), USER, CHOICE(any_bit_32), CHOICE(any_bit_32),
		PDE("ps", MODEL_PS), NXE, BIT("cr4.pse", MODEL_CR4, PW_CR4_PSE),
		BIT("no-pse36", MODEL_CPU, MODEL_CPU_NO_PSE36), CHOICE(widths)},
};

const struct model_group model_pairs = {
	.name = "4-level, every two bits of the entries",
	.base = BASE(PAGE, LINK, LINK, PW_CR0_WP, PAE, LONG),
	.choices = {CHOICE(write_or_fetch), USER, ANY_BIT(4), ANY_BIT(4), SOME_PAGES, NXE,
		CHOICE(some_widths)},
};

const struct model_group model_pairs_la57 = {
	.name = "5-level, every two bits of the entries",
	.base = BASE(PAGE, LINK, LINK, PW_CR0_WP, PAE | PW_CR4_LA57, LONG),
	.choices = {CHOICE(write_or_fetch), USER, ANY_BIT(5), ANY_BIT(5), SOME_PAGES, NXE,
		CHOICE(some_widths)},
};
