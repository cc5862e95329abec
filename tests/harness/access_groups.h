/* SPDX-License-Identifier: MIT */
/* The combinations that are tried: what to choose from, and the groups made of it. */
#ifndef HARNESS_ACCESS_GROUPS_H
#define HARNESS_ACCESS_GROUPS_H

#include "access_model.h"

/* Bits of entries. */
#define MODEL_P  UINT64_C(0x1)
#define MODEL_W  UINT64_C(0x2)
#define MODEL_U  UINT64_C(0x4)
#define MODEL_A  UINT64_C(0x20)
#define MODEL_D  UINT64_C(0x40)
#define MODEL_PS UINT64_C(0x80)
#define MODEL_NX (UINT64_C(1) << 63)

/* The rows of a group's choices, for its own list and for those of others. */
extern const struct model_group model_matrix;       /* 4-level; as kvm-unit-tests has it */
extern const struct model_group model_matrix_la57;  /* the same with five levels */
extern const struct model_group model_supervisor;   /* SMEP, SMAP, AC, implicit accesses */
extern const struct model_group model_keys;         /* PKU and PKS */
extern const struct model_group model_shadow_stack; /* CET */
extern const struct model_group model_pae;
extern const struct model_group model_32;
extern const struct model_group model_huge;      /* pages of every size, AMD, 1 GiB, NX, width */
extern const struct model_group model_bits_long; /* any bit of any entry, alone */
extern const struct model_group model_bits_la57;
extern const struct model_group model_bits_pae;
extern const struct model_group model_bits_32;
extern const struct model_group model_pairs; /* any two bits, 4-level */
extern const struct model_group model_pairs_la57;

/* For a CPU to try: with bits that are reserved on all of them, and without what KVM has not. */
extern const struct model_group model_cpu_long;
extern const struct model_group model_cpu_la57;
extern const struct model_group model_cpu_huge;
extern const struct model_group model_cpu_huge_la57;
extern const struct model_group model_cpu_pae;
extern const struct model_group model_cpu_32;
extern const struct model_group model_cpu_none;
extern const struct model_group model_cpu_none_ring3;

#endif
