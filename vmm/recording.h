/* SPDX-License-Identifier: MIT */
/*
 * A guest's run, recorded: its console output and its calls, each with the control registers and
 * what had changed in guest memory by then.
 *
 * The file is a sequence of chunks: a 32-bit kind, the 32-bit number of bytes that follow, and
 * those bytes. Numbers are little-endian.
 */
#ifndef PAGEWALK_RECORDING_H
#define PAGEWALK_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <guest/abi.h>
#include <pagewalk/space.h>

enum recording_chunk {
	RECORDING_MEMORY = 1, /* u64: bytes of guest RAM, all 0 at first */
	RECORDING_CONSOLE,    /* text */
	RECORDING_DATA,       /* u64: physical address; then the bytes that stand there now */
	RECORDING_STATE,      /* u64 each: CR0 CR3 CR4 EFER RFLAGS, MAXPHYADDR, RECORDING_CPU_... */
	RECORDING_CALL,       /* struct guest_call, made in that state */
};

#define RECORDING_CPU_NO_1G    1u
#define RECORDING_CPU_NO_PSE36 2u
#define RECORDING_CPU_AMD      4u
#define RECORDING_STATE_WORDS  7

/* ---- Writing. Failures show up in recorder_close(). ---- */

struct recorder {
	FILE *file;
	uint8_t *before; /* guest RAM as recorded so far */
	uint64_t memory_bytes;
};

/* False: the file cannot be made, errno says why. */
bool recorder_open(struct recorder *recorder, const char *path, uint64_t memory_bytes);
void recorder_console(struct recorder *recorder, const char *bytes, size_t count);
void recorder_call(struct recorder *recorder, const uint8_t *memory,
	const struct pw_x86_state *state, const struct guest_call *call);
bool recorder_close(struct recorder *recorder);

/* ---- Playing ---- */

struct player {
	const uint8_t *at; /* what is left of the recording */
	size_t left;
	uint8_t *memory; /* guest RAM at this point of the recording */
	uint64_t memory_bytes;
	struct pw_window window;
	struct pw_memory door;
	struct pw_space space; /* of the last call */
	struct guest_call call;
	const char *text; /* of the last console output */
	size_t text_bytes;
};

enum player_event {
	PLAYER_END,
	PLAYER_CONSOLE, /* text, text_bytes */
	PLAYER_CALL,    /* call, in `space` */
	PLAYER_BROKEN,  /* that is no recording */
};

/* False: no memory. The player must stay where it is. */
bool player_open(struct player *player, const void *recording, size_t bytes);
enum player_event player_next(struct player *player);
void player_close(struct player *player);

#endif
