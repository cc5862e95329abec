/* SPDX-License-Identifier: MIT */
/* Private to access_*groups.c: how choices and base cases are written down. */
#ifndef HARNESS_ACCESS_CHOICES_H
#define HARNESS_ACCESS_CHOICES_H

#include "access_groups.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHOICE(settings)                                                                           \
	{                                                                                          \
		settings, COUNT(settings)                                                          \
	}
/* A choice of one setting or none. */
#define BIT(name_, field_, flip_)                                                                  \
	{                                                                                          \
		(const struct model_setting[]){{name_, field_, flip_}}, 1                          \
	}

#define LINK     (MODEL_P | MODEL_W | MODEL_U | MODEL_A)
#define PAGE     (LINK | MODEL_D)
#define BIT_N(n) (UINT64_C(1) << (n))

/* ---- Choices that many groups have ---- */

static const struct model_setting write_or_fetch[] = {
	{"write", MODEL_ACCESS, PW_ACCESS_READ ^ PW_ACCESS_WRITE},
	{"fetch", MODEL_ACCESS, PW_ACCESS_READ ^ PW_ACCESS_FETCH},
};

#define USER             BIT("user", MODEL_ACCESS, PW_ACCESS_USER)
#define IMPLICIT         BIT("implicit", MODEL_ACCESS, PW_ACCESS_IMPLICIT)
#define TWICE            BIT("twice", MODEL_TWICE, 1)
#define PTE(name, bit)   BIT("pte." name, MODEL_PTE, bit)
#define PDE(name, bit)   BIT("pde." name, MODEL_PDE, bit)
#define PDPTE(name, bit) BIT("pdpte." name, MODEL_PDPTE, bit)
#define PML4E(name, bit) BIT("pml4e." name, MODEL_PML4E, bit)
#define WP               BIT("cr0.wp", MODEL_CR0, PW_CR0_WP)
#define SMEP             BIT("cr4.smep", MODEL_CR4, PW_CR4_SMEP)
#define SMAP             BIT("cr4.smap", MODEL_CR4, PW_CR4_SMAP)
#define PKE              BIT("cr4.pke", MODEL_CR4, PW_CR4_PKE)
#define PKS              BIT("cr4.pks", MODEL_CR4, PW_CR4_PKS)
#define AC               BIT("rflags.ac", MODEL_RFLAGS, PW_RFLAGS_AC)
#define NXE              BIT("efer.nxe", MODEL_EFER, PW_EFER_NXE)

/* ---- Base cases ---- */

#define PAE  PW_CR4_PAE
#define LONG (PW_EFER_LME | PW_EFER_LMA)
#define NX   MODEL_NX

#define BASE_FIELDS(pte, pde, pdpte, cr0, cr4, efer)                                               \
	[MODEL_PTE] = (pte), [MODEL_PDE] = (pde), [MODEL_PDPTE] = (pdpte), [MODEL_PML4E] = LINK,   \
	[MODEL_PML5E] = LINK, [MODEL_CR0] = PW_CR0_PE | PW_CR0_PG | (cr0), [MODEL_CR4] = (cr4),    \
	[MODEL_EFER] = (efer), [MODEL_WIDTH] = 36, [MODEL_ACCESS] = PW_ACCESS_READ
#define BASE(...)                                                                                  \
	{                                                                                          \
		{                                                                                  \
			BASE_FIELDS(__VA_ARGS__)                                                   \
		}                                                                                  \
	}

/*
 * The rules of kvm-unit-tests' matrix: key rights only where keys are on, bit 13 of a PDE only
 * where it is a page, and one reserved bit at a time. (Its further rule, no SMEP, has to do with
 * where its code lies.)
 */
bool model_matrix_is_legal(const struct model_case *c);

#endif
