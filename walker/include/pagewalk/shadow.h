/* SPDX-License-Identifier: MIT */
/*
 * Shadow tables: x86 tables that a CPU can run a guest on without second-level paging. Each entry
 * says what the guest's own tables say, with the guest-physical address replaced by the
 * host-physical one. They are filled when the guest misses, and emptied when it writes to its own
 * tables.
 *
 * The guest's mode does not matter: with paging off, 32-bit, PAE, 4-level or 5-level, with any of
 * CR0.WP, EFER.NXE, SMEP, SMAP, protection keys. A shadow root serves one CR3, one set of such
 * rules and one privilege of the guest, user or supervisor. All of the guest's rights are folded
 * into its last entries, which are user pages: the CPU runs the guest in ring 3, or in ring 0 with
 * CR4.SMEP, SMAP, PKE and PKS clear; always with CR0.WP and EFER.NXE set. Nothing is global. The
 * guest's PAT index is copied into the entries: the guest's IA32_PAT must be in force, or all its
 * types be alike.
 *
 *   CR3, CR0, CR4, EFER, RFLAGS.AC, PKRU or the privilege changes   pw_shadow_load()
 *   #PF                                                            pw_shadow_fault()
 *   INVLPG                                                         pw_shadow_invalidate()
 *   a write to a page that protect() was told of                   pw_shadow_written()
 *
 * Accessed and Dirty: a page is filled only by an access that sets Accessed in the guest's entries,
 * and is writable only once Dirty stands in the guest's; both as the CPU would have done it.
 *
 * Memory is bounded: tables come from memory->allocate_table, roots and uses from arrays of the
 * caller. When one of them runs out, the root that was loaded least recently is taken apart; if
 * there is none but the one in force, that one is emptied.
 *
 * One thread at a time; no CPU walks the shadow tables in the meantime. After each call, and before
 * it goes on, the CPU flushes what the flush list says (pagewalk/build.h; a NULL list means
 * everything), of whichever root: all roots' ranges are in the same list. Tables may be used again
 * before the call returns: pass freed_max 0, or flush_now. A root that was taken apart leaves
 * `everything` set.
 */
#ifndef PAGEWALK_SHADOW_H
#define PAGEWALK_SHADOW_H

#include <pagewalk/build.h>
#include <pagewalk/translate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Guest-physical memory that lies in one piece of host-physical memory. */
struct pw_shadow_block {
	pw_pa gpa;        /* of its first byte */
	pw_pa hpa;        /* the same byte */
	uint64_t bytes;   /* the pages that lie in it completely can be mapped */
	pw_rights rights; /* PW_R, PW_W, PW_X: what the guest may do without being emulated */
};

/* One cached root, and the use of one guest table by one root. Private; give zeroed arrays. */
struct pw_shadow_root {
	struct pw_space guest, shadow;
	uint64_t stamp; /* when it was loaded last */
	bool in_use, user;
	bool filled; /* may hold more than holes */
};

struct pw_shadow_use {
	pw_pa hpa, gpa; /* of the table's 4 KiB page */
	pw_va first;    /* what the table serves begins here, linear */
	uint32_t root;
	uint32_t next,
		head; /* in the chain of its page, or of the free; the chain number `index` */
	uint8_t level;
	bool stale;
	uint32_t writes; /* to the table since it was walked last */
};

struct pw_shadow_config {
	/* The shadow tables, and where they are: pw_format_x86_64 or pw_format_x86_64_la57. */
	const struct pw_format *format;
	const struct pw_memory *memory;
	uint64_t largest_page; /* 4096, 2 MiB or 1 GiB; 0: 4096 */

	struct pw_shadow_root *roots; /* at least 1 */
	size_t root_max;
	struct pw_shadow_use *uses; /* at least PW_MAX_LEVELS; one for each guest table in use */
	size_t use_max;

	/*
	 * Where gpa is. false: nowhere, the access is to be emulated. What it has answered must
	 * hold until pw_shadow_drop().
	 */
	bool (*find)(void *ctx, pw_pa gpa, struct pw_shadow_block *block);
	/*
	 * Optional: the 4 KiB page at gpa has become (on) a guest table, or is none any more.
	 * Writes to it must come to pw_shadow_written(). Do not call the library from here.
	 */
	void (*protect)(void *ctx, pw_pa gpa, bool on);
	/*
	 * protect() keeps the guest from writing by other means (a second level, a read-only memory
	 * slot): the shadow entries stay writable. Otherwise the shadow entries refuse.
	 */
	bool protected_below;
	/*
	 * An entry that each root has for the caller's own use (handlers of exceptions, say), and
	 * its index; 0: none. What it leads to is the caller's. The guest cannot reach what its own
	 * tables have there.
	 */
	uint64_t own_entry;
	unsigned own_index;
	void *ctx; /* handed to both */
};

/* Counters, added to by each call. */
struct pw_shadow_counts {
	uint64_t filled;   /* pages */
	uint64_t injected; /* faults that are the guest's own */
	uint64_t emulated; /* accesses to be emulated */
	uint64_t dropped;  /* ranges, because of a write, INVLPG, or a new table in a page */
	uint64_t evicted;  /* roots taken apart or emptied for want of memory */
};

/* Read the counters; the rest is private. It must not be moved. */
struct pw_shadow {
	struct pw_shadow_config config;
	struct pw_shadow_counts counts;
	uint64_t stamp;
	uint32_t current, free_use;
};

/* What is to be done about a fault. */
enum pw_shadow_verdict {
	/* Filled, or the guest's tables changed meanwhile: let it repeat the access. */
	PW_SHADOW_RETRY,
	PW_SHADOW_INJECT,  /* the guest's own fault: see `guest` for what, error code and CR2 */
	PW_SHADOW_EMULATE, /* the guest may do it, but not on its own: at `gpa`, for `reason` */
	PW_SHADOW_LOST,    /* a guest table is where no memory is: a CPU would read garbage */
	PW_SHADOW_VERDICT_COUNT
};

/* "retry", "inject", "emulate" or "lost". Never NULL. */
PW_API const char *pw_shadow_verdict_name(enum pw_shadow_verdict verdict);

enum pw_shadow_reason {
	PW_SHADOW_NO_REASON,
	PW_SHADOW_DEVICE, /* find() knows no memory there */
	PW_SHADOW_RIGHTS, /* the block does not grant it, or x86 entries cannot say it (to execute
			     without reading) */
	PW_SHADOW_OWN,    /* the address belongs to the caller's own root entry */
	PW_SHADOW_TABLE,  /* a write to a guest table: write it, then call pw_shadow_written() */
};

struct pw_shadow_answer {
	uint8_t verdict; /* enum pw_shadow_verdict */
	uint8_t reason;  /* enum pw_shadow_reason; PW_SHADOW_EMULATE */
	/*
	 * The guest's own translation. PW_SHADOW_INJECT: #PF with guest.error_code and CR2 =
	 * guest.va; if guest.flags has PW_RESULT_GP, #GP(0) or, through SS, #SS(0).
	 */
	struct pw_result guest;
	pw_pa gpa;          /* of the byte at va; PW_SHADOW_RETRY and EMULATE */
	pw_pa hpa;          /* PW_SHADOW_RETRY */
	uint64_t page_size; /* PW_SHADOW_RETRY: of the shadow page */
};

/*
 * Makes *shadow ready; no root is in force. The config is copied, the arrays are initialised.
 * PW_E_ARGUMENT: a format, size or callback that is none, arrays that are too small.
 */
PW_API PW_NODISCARD enum pw_status pw_shadow_begin(
	struct pw_shadow *shadow, const struct pw_shadow_config *config);

/* Takes all roots apart and gives every table back; protect() hears of each page. */
PW_API void pw_shadow_end(struct pw_shadow *shadow, struct pw_flush *flush);

/*
 * Puts the root for this guest and privilege in force, a cached one if there is one. `guest` is
 * copied; its memory, in which guest-physical addresses count, must outlive the shadow. *root is
 * for the CPU's CR3.
 *
 * PW_E_UNSUPPORTED: the guest's format is none of x86, or has more address bits than the shadow's,
 * or is PAE without PDPTE registers (struct pw_x86_state: pdpte_load at a load of CR3).
 * PW_E_NO_TABLES: not even one table after taking all other roots apart. PW_E_READ_ONLY. Then no
 * root is in force.
 */
PW_API PW_NODISCARD enum pw_status pw_shadow_load(struct pw_shadow *shadow,
	const struct pw_space *guest, bool user, struct pw_flush *flush, pw_pa *root);

/*
 * A page fault on the shadow tables: what the guest's tables say to it. `access` is PW_ACCESS_READ,
 * WRITE or FETCH alone; the privilege is the root's.
 *
 * PW_OK: *answer is filled in. PW_E_ARGUMENT. PW_E_STATE: no root is in force. PW_E_NO_TABLES: the
 * page's tables do not fit in the memory, or the guest's not in `uses`, though all else was taken
 * apart. PW_E_READ_ONLY: the shadow's memory refuses writes. PW_E_RANGE: hpa does not fit.
 */
PW_API PW_NODISCARD enum pw_status pw_shadow_fault(struct pw_shadow *shadow, pw_va va,
	pw_access access, struct pw_flush *flush, struct pw_shadow_answer *answer);

/*
 * Guest memory [gpa, gpa + bytes) has been written: drops what was made from tables in it, in all
 * roots. Any memory may be named. A table that is written again and again without being walked is
 * taken for one no more. Other statuses than PW_OK mean that the shadow's memory fails.
 */
PW_API PW_NODISCARD enum pw_status pw_shadow_written(
	struct pw_shadow *shadow, pw_pa gpa, uint64_t bytes, struct pw_flush *flush);

/*
 * INVLPG: drops what was made for va, in the roots of the guest's CR3 in force. Needed only for the
 * CPU's flush, if every write to the tables was reported. An address that is not canonical:
 * nothing.
 */
PW_API PW_NODISCARD enum pw_status pw_shadow_invalidate(
	struct pw_shadow *shadow, pw_va va, struct pw_flush *flush);

/* Drops everything; cached roots stay, empty. Before find() changes its answers. */
PW_API PW_NODISCARD enum pw_status pw_shadow_drop(struct pw_shadow *shadow, struct pw_flush *flush);

#ifdef __cplusplus
}
#endif

#endif
