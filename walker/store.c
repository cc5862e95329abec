/* SPDX-License-Identifier: MIT */
#include "store.h"
#include "entry.h"
#include "space.h"

static bool exchange_at(const struct pw_format *format, char *at, uint64_t old, uint64_t entry)
{
	bool swap = format->big_endian != PW_HOST_BIG;

	if (format->entry_bytes == 4) {
		uint32_t from = (uint32_t)old, to = (uint32_t)entry;

		if (swap) {
			from = __builtin_bswap32(from);
			to = __builtin_bswap32(to);
		}
		return __atomic_compare_exchange_n((uint32_t *)(void *)at, &from, to, false,
			__ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	}
	if (swap) {
		old = __builtin_bswap64(old);
		entry = __builtin_bswap64(entry);
	}
	return __atomic_compare_exchange_n(
		(pw_word *)(void *)at, &old, entry, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

enum pw_status pw_store(const struct pw_space *space, pw_pa pa, uint64_t old, uint64_t entry)
{
	const struct pw_memory *memory = space->memory;
	unsigned bytes = space->format->entry_bytes;
	uint64_t seen = old;
	char *at = pw_window_at(memory, pa, bytes, true);

	if (at)
		return exchange_at(space->format, at, old, entry) ? PW_OK : PW_UNSTABLE;
	if (pw_window_at(memory, pa, bytes, false))
		return PW_E_READ_ONLY;
	if (memory->exchange_pte) {
		if (memory->exchange_pte(memory->ctx, pa, bytes, &seen, entry))
			return PW_OK;
		return seen == old ? PW_E_READ_ONLY : PW_UNSTABLE;
	}
	if (!memory->write_pte)
		return PW_E_READ_ONLY;
	if (memory->read_pte && memory->read_pte(memory->ctx, pa, bytes, &seen) && seen != old)
		return PW_UNSTABLE;
	return memory->write_pte(memory->ctx, pa, bytes, entry) ? PW_OK : PW_E_READ_ONLY;
}
