/* SPDX-License-Identifier: MIT */
/* Private: what vector code a hosted build can offer. */
#ifndef PW_PRIVATE_KERNELS_H
#define PW_PRIVATE_KERNELS_H

#include <pagewalk/batch.h>

struct pw_kernels {
	const char *name;
	/*
	 * Translates through the space's first window, for an access that the quick path serves.
	 * What it cannot decide it leaves to the caller: status PW_UNSTABLE, nothing else in the
	 * hit. Returns how many were decided; all of these are PW_OK.
	 */
	size_t (*batch)(const struct pw_space *space, const pw_va *va, size_t count,
		pw_access access, struct pw_hit *hits);
};

/* The same in plain C. */
size_t pw_batch_plain(const struct pw_space *space, const pw_va *va, size_t count, pw_access access,
	struct pw_hit *hits);

#endif
