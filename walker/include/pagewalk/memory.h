/* SPDX-License-Identifier: MIT */
/*
 * Memory: the only door through which the library reaches page tables and data.
 *
 * Windows are ranges of physical memory that are directly addressable; they serve tables and data
 * without an indirect call. Where no window covers an address the callbacks are asked; a NULL
 * callback means "cannot". Entries pass through the callbacks as values, so that the callback need
 * not know about byte order beyond storing the format's bytes.
 *
 * The library never writes unless a function that says so is called.
 */
#ifndef PAGEWALK_MEMORY_H
#define PAGEWALK_MEMORY_H

#include <pagewalk/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * `size` bytes of physical memory from `base` on, at `host`. base + size must not wrap; base and
 * host must agree modulo 8, so that an aligned entry can be loaded as one. Windows of one memory
 * must not overlap.
 */
struct pw_window {
	pw_pa base;
	uint64_t size;
	void *host;
	bool read_only; /* writes into this window are refused */
};

struct pw_kernels;

struct pw_memory {
	const struct pw_window *windows;
	size_t window_count;

	/*
	 * Read or write one entry of `bytes` (4 or 8) at pa, aligned to its size, as one
	 * single-copy-atomic access if anything else may change it. In the byte order of the host
	 * program: the callback converts. false: there is no memory at pa, or it cannot be written.
	 */
	bool (*read_pte)(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry);
	bool (*write_pte)(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry);

	/*
	 * Compare-exchange: if the entry at pa equals *expected, store `desired` and return true.
	 * Otherwise set *expected to what is there and return false. If there is no memory at pa,
	 * return false and leave *expected alone.
	 */
	bool (*exchange_pte)(
		void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired);

	/* Copy data out of and into physical memory, all or nothing. */
	bool (*read_bytes)(void *ctx, pw_pa pa, void *to, size_t bytes);
	bool (*write_bytes)(void *ctx, pw_pa pa, const void *from, size_t bytes);

	/*
	 * A new page-table page of `bytes`, aligned to `bytes`, where entries of the format can
	 * lead (x86-32, armv7-short: below 4 GiB; the roots of x86-pae too); the library fills it
	 * before it is linked. What cannot be used is given back at once, and PW_E_NO_TABLES. And
	 * one that no entry points to any more.
	 */
	bool (*allocate_table)(void *ctx, uint64_t bytes, pw_pa *pa);
	void (*free_table)(void *ctx, pw_pa pa, uint64_t bytes);

	/* Data pages, for pw_allocate() and pw_free(): `bytes` is a page size, the alignment too.
	 */
	bool (*allocate_page)(void *ctx, uint64_t bytes, pw_pa *pa);
	void (*free_page)(void *ctx, pw_pa pa, uint64_t bytes);

	void *ctx; /* handed to every callback */

	/* Vector code for tables in windows, from pw_kernels_best(); NULL: plain C. */
	const struct pw_kernels *kernels;
};

#ifdef __cplusplus
}
#endif

#endif
