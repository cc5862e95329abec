/* SPDX-License-Identifier: MIT */
/*
 * All combinations of what decides an x86 access: bits of the entries, control registers, keys, and
 * the access itself.
 *
 * A group is a base case and a list of choices. Each choice takes one of its settings or none; a
 * setting flips bits of one field of the case. So a group has as many combinations as the product
 * of its choices, a number names each of them, and the settings taken name it for people: "pte.rw
 * pde.ps cr0.wp user write".
 */
#ifndef HARNESS_ACCESS_MODEL_H
#define HARNESS_ACCESS_MODEL_H

#include "slow_walk.h"
#include <pagewalk/pagewalk.h>

/* The fields of a case. Entries come by level; bits of the address fields are flipped too. */
enum model_field {
	MODEL_PTE,
	MODEL_PDE,
	MODEL_PDPTE,
	MODEL_PML4E,
	MODEL_PML5E,
	MODEL_CR0,
	MODEL_CR4,
	MODEL_EFER,
	MODEL_RFLAGS,
	MODEL_PKRU,
	MODEL_PKRS,
	MODEL_CPU,    /* MODEL_CPU_... */
	MODEL_WIDTH,  /* MAXPHYADDR */
	MODEL_KEY,    /* goes into both PTE and PDE */
	MODEL_ACCESS, /* PW_ACCESS_... */
	MODEL_TWICE,  /* 1: the CPU has read there once, as supervisor, before the access */
	MODEL_FIELDS
};

#define MODEL_CPU_NO_1G    UINT64_C(1)
#define MODEL_CPU_AMD      UINT64_C(2)
#define MODEL_CPU_NO_PSE36 UINT64_C(4)

struct model_case {
	uint64_t field[MODEL_FIELDS];
};

struct model_setting {
	const char *name;
	enum model_field field;
	uint64_t flip;
};

struct model_choice {
	const struct model_setting *settings;
	unsigned count; /* of settings; to take none is one way more */
};

#define MODEL_CHOICES 28

/* What is rare or slow to change stands last. */
struct model_group {
	const char *name;
	struct model_case base;
	bool (*is_legal)(const struct model_case *c); /* NULL: what model_is_access() says */
	struct model_choice choices[MODEL_CHOICES];   /* up to the first without settings */
};

/* One combination after another. */
struct model_cursor {
	const struct model_group *group;
	unsigned choices;
	unsigned digit[MODEL_CHOICES];           /* setting taken, 0 for none */
	struct model_case at[MODEL_CHOICES + 1]; /* from this choice on; at[0] is the case */
};

/* Combinations, legal or not. */
uint64_t model_count(const struct model_group *group);

/* To the first combination. */
void model_begin(struct model_cursor *cursor, const struct model_group *group);

/* `steps` combinations on; false: that is past the last. */
bool model_advance(struct model_cursor *cursor, uint64_t steps);

/* This combination makes sense. */
bool model_is_legal(const struct model_cursor *cursor);

/* The access exists and the control registers allow it: the least that every group asks for. */
bool model_is_access(const struct model_case *c);

/* The settings taken, by name. Returns text. */
const char *model_describe(const struct model_cursor *cursor, char *text, size_t size);

/* The registers of a case, with CR3 as given. */
struct pw_x86_state model_state(const struct model_case *c, uint64_t cr3);

/* ---- Trying a case on the walker and its twin ---- */

#define MODEL_LEVELS 5

/* The tables of one address, and the case that they show. */
struct model_bench {
	uint64_t tables[MODEL_LEVELS][512] __attribute__((aligned(4096)));
	struct pw_window window;
	struct pw_memory memory;
	struct slow_memory slow;
	bool begun;
	struct model_case shown;
	struct pw_space space;
	struct slow_config config;
	pw_va va;
	unsigned levels, entry_bytes;
	char text[512];
};

void model_bench_begin(struct model_bench *bench);

/*
 * Walker against twin: the translation, then the flags that an update sets. NULL, or where they
 * differ, in bench->text too with both answers.
 */
const char *model_try(struct model_bench *bench, const struct model_case *c);

#endif
