/* SPDX-License-Identifier: MIT */
/* Writes a recording. */
#include <stdlib.h>
#include <string.h>

#include "recording.h"

/* Changed bytes nearer to each other than this go into one chunk. */
#define GRAIN 64

static void put_word(struct recorder *recorder, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		(void)putc((int)(value >> (8 * i) & 0xff), recorder->file);
}

static void put_header(struct recorder *recorder, enum recording_chunk kind, size_t bytes)
{
	put_word(recorder, kind, 4);
	put_word(recorder, bytes, 4);
}

static void put_bytes(struct recorder *recorder, const void *bytes, size_t count)
{
	(void)fwrite(bytes, 1, count, recorder->file);
}

bool recorder_open(struct recorder *recorder, const char *path, uint64_t memory_bytes)
{
	*recorder = (struct recorder){.memory_bytes = memory_bytes};
	recorder->before = calloc(1, memory_bytes);
	if (recorder->before == NULL)
		return false;
	recorder->file = fopen(path, "wbe");
	if (recorder->file == NULL) {
		free(recorder->before);
		return false;
	}
	put_header(recorder, RECORDING_MEMORY, 8);
	put_word(recorder, memory_bytes, 8);
	return true;
}

void recorder_console(struct recorder *recorder, const char *bytes, size_t count)
{
	put_header(recorder, RECORDING_CONSOLE, count);
	put_bytes(recorder, bytes, count);
}

/* From `at` on: the end of the grains that all differ. */
static uint64_t changed_until(const struct recorder *recorder, const uint8_t *memory, uint64_t at)
{
	while (at < recorder->memory_bytes && memcmp(memory + at, recorder->before + at, GRAIN))
		at += GRAIN;
	return at;
}

static void put_memory(struct recorder *recorder, const uint8_t *memory)
{
	for (uint64_t at = 0; at < recorder->memory_bytes; at += GRAIN) {
		uint64_t end = changed_until(recorder, memory, at);

		if (end == at)
			continue;
		put_header(recorder, RECORDING_DATA, 8 + (size_t)(end - at));
		put_word(recorder, at, 8);
		put_bytes(recorder, memory + at, (size_t)(end - at));
		memcpy(recorder->before + at, memory + at, (size_t)(end - at));
		at = end;
	}
}

static void put_state(struct recorder *recorder, const struct pw_x86_state *state)
{
	unsigned cpu = (state->no_1g_pages ? RECORDING_CPU_NO_1G : 0) |
		       (state->no_pse36 ? RECORDING_CPU_NO_PSE36 : 0) |
		       (state->amd ? RECORDING_CPU_AMD : 0);
	const uint64_t words[RECORDING_STATE_WORDS] = {state->cr0, state->cr3, state->cr4,
		state->efer, state->rflags, state->maxphyaddr, cpu};

	put_header(recorder, RECORDING_STATE, sizeof words);
	for (unsigned i = 0; i < RECORDING_STATE_WORDS; i++)
		put_word(recorder, words[i], 8);
}

void recorder_call(struct recorder *recorder, const uint8_t *memory,
	const struct pw_x86_state *state, const struct guest_call *call)
{
	put_memory(recorder, memory);
	put_state(recorder, state);
	put_header(recorder, RECORDING_CALL, sizeof *call);
	put_bytes(recorder, call, sizeof *call);
}

bool recorder_close(struct recorder *recorder)
{
	bool bad = ferror(recorder->file) != 0;

	bad |= fclose(recorder->file) != 0;
	free(recorder->before);
	return !bad;
}
