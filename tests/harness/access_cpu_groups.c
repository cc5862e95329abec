/* SPDX-License-Identifier: MIT */
/* The combinations that are tried on a CPU. */
#include "access_choices.h"

/*
 * The CPU's own read of a descriptor is what a guest can have it do without being asked. An entry
 * that leads to a table must lead to one of ours.
 */
static bool cpu_is_legal(const struct model_case *c)
{
	uint64_t access = c->field[MODEL_ACCESS];
	uint64_t pdpte = c->field[MODEL_PDPTE], pde = c->field[MODEL_PDE];

	if ((access & PW_ACCESS_IMPLICIT) && !(access & PW_ACCESS_READ))
		return false;
	if ((pdpte & BIT_N(29)) && !(pdpte & MODEL_PS))
		return false;
	if ((pde & BIT_N(21)) && !((pde & MODEL_PS) && (c->field[MODEL_CR4] & PW_CR4_PSE)))
		return false;
	return model_matrix_is_legal(c);
}

/* One at a time, so that enough is left that the CPU allows. */
static const struct model_setting obstacles[] = {
	{"pte.hole", MODEL_PTE, MODEL_P},
	{"pde.hole", MODEL_PDE, MODEL_P},
	{"pte.hole+51", MODEL_PTE, MODEL_P | BIT_N(51)},
	{"pte.51", MODEL_PTE, BIT_N(51)},
	{"pde.51", MODEL_PDE, BIT_N(51)},
	{"pde.13", MODEL_PDE, BIT_N(13)},
};

static const struct model_setting obstacles_pae[] = {
	{"pte.hole", MODEL_PTE, MODEL_P},
	{"pde.hole", MODEL_PDE, MODEL_P},
	{"pdpte.hole", MODEL_PDPTE, MODEL_P},
	{"pte.51", MODEL_PTE, BIT_N(51)},
	{"pte.62", MODEL_PTE, BIT_N(62)},
	{"pde.13", MODEL_PDE, BIT_N(13)},
	{"pde.51", MODEL_PDE, BIT_N(51)},
};

static const struct model_setting obstacles_huge[] = {
	{"pdpte.hole", MODEL_PDPTE, MODEL_P},
	{"pdpte.29", MODEL_PDPTE, BIT_N(29)},
	{"pdpte.51", MODEL_PDPTE, BIT_N(51)},
	{"pml4e.ps", MODEL_PML4E, MODEL_PS},
	{"pml4e.hole", MODEL_PML4E, MODEL_P},
};

static const struct model_setting obstacles_32[] = {
	{"pte.hole", MODEL_PTE, MODEL_P}, {"pde.hole", MODEL_PDE, MODEL_P},
	{"pde.21", MODEL_PDE, BIT_N(21)}, /* reserved in a 4 MiB page */
};

/* Fields of one entry pair and the access come first: what a batch can vary. */
#define CPU_PAGE                                                                                   \
	CHOICE(write_or_fetch), USER, IMPLICIT, TWICE, PTE("rw", MODEL_W), PTE("user", MODEL_U),   \
		PTE("a", MODEL_A), PTE("d", MODEL_D), PTE("nx", NX), PDE("rw", MODEL_W),           \
		PDE("user", MODEL_U), PDE("a", MODEL_A), PDE("d", MODEL_D), PDE("ps", MODEL_PS),   \
		PDE("nx", NX)
#define CPU_LONG                                                                                   \
	CPU_PAGE, CHOICE(obstacles), BIT("key=1", MODEL_KEY, 1), PDPTE("ro", MODEL_W),             \
		BIT("pkru.ad", MODEL_PKRU, BIT_N(2)), BIT("pkru.wd", MODEL_PKRU, BIT_N(3)), PKE,   \
		AC, SMAP, SMEP, WP, NXE

const struct model_group model_cpu_long = {
	.name = "4-level",
	.base = BASE(MODEL_P, MODEL_P, LINK, 0, PAE, LONG),
	.is_legal = cpu_is_legal,
	.choices = {CPU_LONG},
};

const struct model_group model_cpu_la57 = {
	.name = "5-level",
	.base = BASE(MODEL_P, MODEL_P, LINK, 0, PAE | PW_CR4_LA57, LONG),
	.is_legal = cpu_is_legal,
	.choices = {CPU_LONG},
};

#define CPU_HUGE                                                                                   \
	CHOICE(write_or_fetch), USER, IMPLICIT, PDE("ps", MODEL_PS), PDE("ro", MODEL_W),           \
		PDPTE("ps", MODEL_PS), CHOICE(obstacles_huge), PDPTE("ro", MODEL_W),               \
		PDPTE("sup", MODEL_U), PDPTE("not-a", MODEL_A), PDPTE("d", MODEL_D),               \
		PDPTE("nx", NX), PML4E("sup", MODEL_U), PML4E("nx", NX), AC, SMAP, SMEP, WP, NXE

const struct model_group model_cpu_huge = {
	.name = "4-level, 1 GiB pages",
	.base = BASE(PAGE, LINK, LINK, 0, PAE, LONG),
	.is_legal = cpu_is_legal,
	.choices = {CPU_HUGE},
};

const struct model_group model_cpu_huge_la57 = {
	.name = "5-level, 1 GiB pages",
	.base = BASE(PAGE, LINK, LINK, 0, PAE | PW_CR4_LA57, LONG),
	.is_legal = cpu_is_legal,
	.choices = {CPU_HUGE},
};

const struct model_group model_cpu_pae = {
	.name = "PAE",
	.base = BASE(MODEL_P, MODEL_P, MODEL_P, 0, PAE, 0),
	.is_legal = cpu_is_legal,
	.choices = {CPU_PAGE, CHOICE(obstacles_pae), AC, SMAP, SMEP, WP, NXE},
};

const struct model_group model_cpu_32 = {
	.name = "32-bit",
	.base = BASE(MODEL_P, MODEL_P, 0, 0, 0, 0),
	.is_legal = cpu_is_legal,
	.choices = {CHOICE(write_or_fetch), USER, IMPLICIT, TWICE, PTE("rw", MODEL_W),
		PTE("user", MODEL_U), PTE("a", MODEL_A), PTE("d", MODEL_D), PDE("rw", MODEL_W),
		PDE("user", MODEL_U), PDE("a", MODEL_A), PDE("d", MODEL_D), PDE("ps", MODEL_PS),
		CHOICE(obstacles_32), AC, SMAP, SMEP, WP, NXE,
		BIT("cr4.pse", MODEL_CR4, PW_CR4_PSE)},
};

#define CPU_NONE(user_)                                                                            \
	{                                                                                          \
		{                                                                                  \
			[MODEL_CR0] = PW_CR0_PE, [MODEL_WIDTH] = 36,                               \
			[MODEL_ACCESS] = PW_ACCESS_READ | (user_)                                  \
		}                                                                                  \
	}

/* Where nothing is refused, whatever the control bits say. */
const struct model_group model_cpu_none = {
	.name = "no paging, ring 0",
	.base = CPU_NONE(0),
	.is_legal = cpu_is_legal,
	.choices = {CHOICE(write_or_fetch), TWICE, IMPLICIT, AC, SMAP, SMEP, WP},
};

const struct model_group model_cpu_none_ring3 = {
	.name = "no paging, ring 3",
	.base = CPU_NONE(PW_ACCESS_USER),
	.is_legal = cpu_is_legal,
	.choices = {CHOICE(write_or_fetch), TWICE, IMPLICIT, AC, SMAP, SMEP, WP},
};
