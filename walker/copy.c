/* SPDX-License-Identifier: MIT */
/* Copies between guest-virtual memory and a buffer, page by page. */
#include "entry.h"
#include "space.h"
#include <pagewalk/copy.h>

/* The freestanding subset of the C library that a compiler may call by itself anyway. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

/*
 * A whole page, as most pieces are, has a size that the compiler knows: gcc makes that one string
 * instruction on x86, which need not read the lines that it overwrites.
 */
static void move_bytes(char *to, const char *from, size_t bytes)
{
#if defined(__GNUC__)
	if (bytes == 4096) {
		__builtin_memcpy(to, from, 4096);
		return;
	}
#endif
	memcpy(to, from, bytes);
}

enum direction {
	CHECK_READ,
	CHECK_WRITE,
	FROM_GUEST,
	TO_GUEST,
};

/*
 * How many of `bytes` at pa can be moved at once: to the end of the window that holds pa, or to the
 * start of the next window.
 */
static size_t one_piece(const struct pw_memory *memory, pw_pa pa, size_t bytes)
{
	for (size_t i = 0; i < memory->window_count; i++) {
		const struct pw_window *w = &memory->windows[i];
		uint64_t offset = pa - w->base;

		if (offset < w->size && w->size - offset < bytes)
			bytes = (size_t)(w->size - offset);
		else if (w->base > pa && w->base - pa < bytes)
			bytes = (size_t)(w->base - pa);
	}
	return bytes;
}

/* A read-only window is not opened again by a callback. */
static bool may_write_bytes(const struct pw_memory *memory, pw_pa pa, size_t bytes)
{
	return memory->write_bytes && !pw_window_at(memory, pa, bytes, false);
}

/* Moves one piece that lies within a page, or checks that it could be moved. */
static bool move(const struct pw_memory *memory, pw_pa pa, char *buffer, size_t bytes,
	enum direction direction)
{
	bool write = direction == TO_GUEST || direction == CHECK_WRITE;
	char *at = pw_window_at(memory, pa, bytes, write);

	switch (direction) {
	case CHECK_READ:
		return at || memory->read_bytes;
	case CHECK_WRITE:
		return at || may_write_bytes(memory, pa, bytes);
	case FROM_GUEST:
		if (!at)
			return memory->read_bytes &&
			       memory->read_bytes(memory->ctx, pa, buffer, bytes);
		move_bytes(buffer, at, bytes);
		return true;
	case TO_GUEST:
		if (!at)
			return may_write_bytes(memory, pa, bytes) &&
			       memory->write_bytes(memory->ctx, pa, buffer, bytes);
		move_bytes(at, buffer, bytes);
		return true;
	}
	return false;
}

/* Why a piece could not be moved. */
static enum pw_status refusal(
	const struct pw_memory *memory, pw_pa pa, size_t bytes, enum direction direction)
{
	bool write = direction == TO_GUEST || direction == CHECK_WRITE;

	if (write && (pw_window_at(memory, pa, bytes, false) ||
			     (memory->read_bytes && !memory->write_bytes)))
		return PW_E_READ_ONLY;
	return PW_NO_MEMORY;
}

/*
 * Translates page by page and moves. *done bytes were moved when it ends; *why is the translation
 * that failed.
 */
static enum pw_status transfer(const struct pw_space *space, pw_va va, char *buffer, size_t bytes,
	pw_access access, enum direction direction, struct pw_result *why, size_t *done)
{
	*done = 0;
	while (*done < bytes) {
		struct pw_result hit;
		size_t piece = bytes - *done;

		if (pw_translate(space, va + *done, access, &hit) != PW_OK) {
			*why = hit;
			return (enum pw_status)hit.status;
		}
		if (piece > hit.page_size - (hit.pa & (hit.page_size - 1)))
			piece = (size_t)(hit.page_size - (hit.pa & (hit.page_size - 1)));
		piece = one_piece(space->memory, hit.pa, piece);
		if (*done == 0)
			*why = hit;
		if (!move(space->memory, hit.pa, buffer + *done, piece, direction)) {
			*why = hit;
			why->status = (uint8_t)refusal(space->memory, hit.pa, piece, direction);
			return (enum pw_status)why->status;
		}
		*done += piece;
	}
	return PW_OK;
}

static bool wraps(pw_va va, size_t bytes)
{
	return bytes && va + (bytes - 1) < va;
}

static enum pw_status copy(const struct pw_space *space, pw_va va, char *buffer, size_t bytes,
	pw_access access, enum direction check, enum direction direction, struct pw_result *why)
{
	struct pw_result first;
	enum pw_status status;
	size_t done;

	if (!why)
		why = &first;
	*why = (struct pw_result){.va = va, .level = -1};
	if (wraps(va, bytes)) {
		why->status = PW_E_RANGE;
		return PW_E_RANGE;
	}
	status = transfer(space, va, buffer, bytes, access, check, why, &done);
	if (status != PW_OK)
		return status;
	return transfer(space, va, buffer, bytes, access, direction, why, &done);
}

enum pw_status pw_copy_from(const struct pw_space *space, pw_va va, void *to, size_t bytes,
	pw_access access, struct pw_result *why)
{
	return copy(space, va, to, bytes, access, CHECK_READ, FROM_GUEST, why);
}

enum pw_status pw_copy_to(const struct pw_space *space, pw_va va, const void *from, size_t bytes,
	pw_access access, struct pw_result *why)
{
	/* TO_GUEST only reads from the buffer. */
	return copy(space, va, (char *)(uintptr_t)from, bytes, access, CHECK_WRITE, TO_GUEST, why);
}

enum pw_status pw_copy_some(const struct pw_space *space, pw_va va, void *to, size_t bytes,
	pw_access access, size_t *done)
{
	struct pw_result why;
	bool cut = wraps(va, bytes);
	enum pw_status status;

	if (cut)
		bytes = (size_t)(0 - va);
	status = transfer(space, va, to, bytes, access, FROM_GUEST, &why, done);
	return status == PW_OK && cut ? PW_E_RANGE : status;
}
