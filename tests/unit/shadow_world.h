/* SPDX-License-Identifier: MIT */
/*
 * A guest without a CPU: a small guest-physical memory full of page tables, scattered over
 * host-physical memory, a shadow of it, a model of what the guest's memory must hold, and a TLB
 * that is flushed only as the shadow's flush list says.
 */
#ifndef SHADOW_WORLD_H
#define SHADOW_WORLD_H

#include "random.h"
#include "slow_walk.h"
#include <pagewalk/pagewalk.h>

#define WORLD_PAGES  32 /* of the guest's RAM, from 0 on */
#define WORLD_RAM    (WORLD_PAGES * UINT64_C(4096))
#define WORLD_TABLES 48 /* of the shadow, at most */
#define WORLD_POOL   UINT64_C(0x700000000000)
#define WORLD_BLOCKS (WORLD_PAGES + 6)
#define WORLD_ROOTS  6
#define WORLD_USES   96
#define WORLD_TLB    64
#define WORLD_VAS    24

enum world_mode {
	WORLD_NONE,
	WORLD_32,
	WORLD_PAE,
	WORLD_64,
	WORLD_LA57,
	WORLD_MODES
};

/* What the TLB remembers: a page of the shadow as it was walked. */
struct world_tlb {
	bool valid;
	pw_pa root, hpa; /* of the 4 KiB around va */
	pw_va va;
	struct slow_rights rights;
};

struct world {
	struct random random;
	enum world_mode mode;
	bool below; /* pw_shadow_config.protected_below */

	/* The guest's memory, and what it must hold. Page `alias` + 1 is page `alias` again. */
	uint8_t ram[WORLD_RAM], model[WORLD_RAM];
	unsigned alias; /* WORLD_PAGES: none */
	struct pw_memory memory;
	struct pw_shadow_block blocks[WORLD_BLOCKS];
	unsigned block_count;
	bool protected[WORLD_PAGES];
	unsigned protect_errors;

	/* The CPU. */
	struct pw_x86_state state;
	struct pw_space guest;
	struct slow_config config; /* the twin's */
	bool user;
	pw_va vas[WORLD_VAS];

	/* The shadow. */
	struct pw_shadow shadow;
	struct pw_shadow_root roots[WORLD_ROOTS];
	struct pw_shadow_use uses[WORLD_USES];
	_Alignas(8) uint8_t tables[WORLD_TABLES * 4096];
	bool taken[WORLD_TABLES];
	unsigned table_max, tables_out, pool_errors;
	struct pw_window window;
	struct pw_memory pool;
	struct pw_flush flush;
	struct pw_flush_range ranges[4];
	struct pw_freed_table freed[4];
	unsigned flushes;
	pw_pa root;
	struct world_tlb tlb[WORLD_TLB];
};

/* A world with random tables, blocks and pools. The caller has set `random`; *w is large. */
void world_begin(struct world *w, enum world_mode mode, unsigned roots, unsigned uses,
	unsigned tables, bool below);
/* Everything is given back, and no page is protected any more. */
void world_end(struct world *w);

/* Loads a random CR3 with random control registers and privilege. */
void world_load(struct world *w);

/* One access of the guest, judged in every respect. What is written is random. */
void world_access(struct world *w, pw_va va, pw_access access);

/* The guest (or a device, or the VMM) writes `bytes` at gpa, and the shadow hears of it. */
void world_write(struct world *w, pw_pa gpa, const void *from, unsigned bytes);
/* An entry for some level, at a place where some table may have it. */
void world_write_entry(struct world *w);
/* Another address to try, mostly one that is mapped now. */
void world_aim(struct world *w);
void world_invalidate(struct world *w, pw_va va);
void world_drop(struct world *w);

#endif
