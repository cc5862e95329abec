/* SPDX-License-Identifier: MIT */
/* Private: stores of single entries. Each is one aligned full-width store or compare-exchange. */
#ifndef PW_PRIVATE_STORE_H
#define PW_PRIVATE_STORE_H

#include <pagewalk/space.h>

/*
 * Replaces the entry at pa by `entry` if it still is `old`. PW_UNSTABLE if it is not,
 * PW_E_READ_ONLY if it cannot be written. Through callbacks without exchange_pte the comparison is
 * a read of its own, not atomic with the write.
 */
PW_NODISCARD enum pw_status pw_store(
	const struct pw_space *space, pw_pa pa, uint64_t old, uint64_t entry);

#endif
