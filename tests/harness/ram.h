/* SPDX-License-Identifier: MIT */
/*
 * A small physical memory to put page tables in by hand. Entries stand in it little-endian,
 * whatever the host is. It can be reached through a window or through callbacks that count and
 * remember.
 */
#ifndef HARNESS_RAM_H
#define HARNESS_RAM_H

#include <pagewalk/pagewalk.h>

/* Bits of x86 entries. */
#define PTE_P   UINT64_C(1)
#define PTE_W   UINT64_C(2)
#define PTE_U   UINT64_C(4)
#define PTE_A   UINT64_C(0x20)
#define PTE_D   UINT64_C(0x40)
#define PTE_PS  UINT64_C(0x80)
#define PTE_G   UINT64_C(0x100)
#define PTE_PAT UINT64_C(0x1000) /* of a huge page */
#define PTE_XD  UINT64_C(0x8000000000000000)
#define PTE_PW  (PTE_P | PTE_W)
#define PTE_PWU (PTE_P | PTE_W | PTE_U)

#define RAM_LOG 64

struct ram {
	uint8_t *bytes;
	uint64_t base, size;
	struct pw_window window;
	struct pw_memory windows;   /* the window alone */
	struct pw_memory callbacks; /* read_pte, write_pte, read_bytes, write_bytes, no window */
	uint64_t next_table;
	uint64_t reads, writes; /* of entries, through the callbacks */
	struct {
		pw_pa pa;
		uint64_t entry;
	} log[RAM_LOG]; /* the entries written */
	/* If not 0: before this write is compared, somebody else changes the entry by this. */
	uint64_t interfere;
};

/* `size` zeroed bytes of physical memory from `base` on, both multiples of 4096. */
void ram_begin(struct ram *ram, uint64_t base, uint64_t size);
void ram_end(struct ram *ram);

/* An entry or any other little-endian number of 4 or 8 bytes. Outside the memory the test ends. */
void ram_store(struct ram *ram, pw_pa pa, unsigned bytes, uint64_t value);
uint64_t ram_load(const struct ram *ram, pw_pa pa, unsigned bytes);

/* The next unused page-table page, aligned to its size and to 4096. */
pw_pa ram_new_table(struct ram *ram, uint64_t bytes);

/*
 * Stores `entry` where a walk for va from `root` finds it at `level`. Missing tables on the way are
 * made with the format's ordinary table entries. Returns the entry's address.
 */
pw_pa ram_enter(struct ram *ram, const struct pw_format *format, pw_pa root, pw_va va,
	unsigned level, uint64_t entry);

/* A compare-exchange for ram.callbacks.exchange_pte. */
bool ram_exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired);

#endif
