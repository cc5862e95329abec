/* SPDX-License-Identifier: MIT */
/* Plays a recording. It is read as if it came from somebody else: nothing in it is trusted. */
#include <string.h>
#include <sys/mman.h>

#include "recording.h"

#define HEADER_BYTES 8
#define MEMORY_MAX   (UINT64_C(1) << 32)

static uint64_t get_word(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

struct chunk {
	uint32_t kind;
	const uint8_t *bytes;
	size_t count;
};

static bool next_chunk(struct player *player, struct chunk *chunk)
{
	if (player->left < HEADER_BYTES)
		return false;
	chunk->kind = (uint32_t)get_word(player->at, 4);
	chunk->count = (size_t)get_word(player->at + 4, 4);
	chunk->bytes = player->at + HEADER_BYTES;
	if (chunk->count > player->left - HEADER_BYTES)
		return false;
	player->at += HEADER_BYTES + chunk->count;
	player->left -= HEADER_BYTES + chunk->count;
	return true;
}

bool player_open(struct player *player, const void *recording, size_t bytes)
{
	struct chunk chunk;

	*player = (struct player){.at = recording, .left = bytes};
	player->memory_bytes = 4096; /* a broken recording shows when it is played */
	if (next_chunk(player, &chunk) && chunk.kind == RECORDING_MEMORY && chunk.count == 8 &&
		get_word(chunk.bytes, 8) - 1 < MEMORY_MAX)
		player->memory_bytes = get_word(chunk.bytes, 8);
	player->memory = mmap(NULL, player->memory_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (player->memory == MAP_FAILED)
		return false;
	player->window = (struct pw_window){.size = player->memory_bytes, .host = player->memory};
	player->door = (struct pw_memory){.windows = &player->window, .window_count = 1};
	return true;
}

static bool take_data(struct player *player, const struct chunk *chunk)
{
	uint64_t pa;
	size_t count;

	if (chunk->count < 8)
		return false;
	pa = get_word(chunk->bytes, 8);
	count = chunk->count - 8;
	if (pa > player->memory_bytes || count > player->memory_bytes - pa)
		return false;
	memcpy(player->memory + pa, chunk->bytes + 8, count);
	return true;
}

static bool take_state(struct player *player, const struct chunk *chunk)
{
	uint64_t words[RECORDING_STATE_WORDS];
	struct pw_x86_state state = {.cr0 = 0};

	if (chunk->count != sizeof words)
		return false;
	for (unsigned i = 0; i < RECORDING_STATE_WORDS; i++)
		words[i] = get_word(chunk->bytes + 8 * i, 8);
	state.cr0 = words[0];
	state.cr3 = words[1];
	state.cr4 = words[2];
	state.efer = words[3];
	state.rflags = words[4];
	state.maxphyaddr = (uint8_t)words[5];
	state.no_1g_pages = words[6] & RECORDING_CPU_NO_1G;
	state.no_pse36 = words[6] & RECORDING_CPU_NO_PSE36;
	state.amd = words[6] & RECORDING_CPU_AMD;
	return pw_space_init_x86(&player->space, &state, &player->door, NULL) == PW_OK;
}

static bool take_call(struct player *player, const struct chunk *chunk)
{
	if (chunk->count != sizeof player->call || player->space.format == NULL)
		return false;
	memcpy(&player->call, chunk->bytes, sizeof player->call);
	player->call.label[sizeof player->call.label - 1] = '\0';
	return true;
}

enum player_event player_next(struct player *player)
{
	struct chunk chunk;
	bool sound = true;

	while (sound && next_chunk(player, &chunk)) {
		switch (chunk.kind) {
		case RECORDING_CONSOLE:
			player->text = (const char *)chunk.bytes;
			player->text_bytes = chunk.count;
			return PLAYER_CONSOLE;
		case RECORDING_DATA:
			sound = take_data(player, &chunk);
			break;
		case RECORDING_STATE:
			sound = take_state(player, &chunk);
			break;
		case RECORDING_CALL:
			return take_call(player, &chunk) ? PLAYER_CALL : PLAYER_BROKEN;
		default:
			sound = false;
		}
	}
	return sound && player->left == 0 ? PLAYER_END : PLAYER_BROKEN;
}

void player_close(struct player *player)
{
	(void)munmap(player->memory, player->memory_bytes);
}
