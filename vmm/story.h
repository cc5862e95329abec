/* SPDX-License-Identifier: MIT */
/*
 * What `pagewalk run` tells about a guest: its console, its address space when it first asks about
 * it, each translation, and how it ended. The same from a running guest and from a recorded one.
 */
#ifndef PAGEWALK_STORY_H
#define PAGEWALK_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <guest/abi.h>
#include <pagewalk/space.h>

#define STORY_LINE_BYTES 256

/* Set the first two, zero the rest. */
struct story {
	bool json;
	uint64_t memory_bytes; /* guest RAM */

	char line[STORY_LINE_BYTES]; /* JSON: console output not yet printed */
	size_t line_bytes;
	bool in_line;    /* text: the console's last line has no end yet */
	bool listed;     /* the address space was shown */
	uint64_t walked; /* page sizes of which one walk was shown */
	uint64_t answers, agreeing;
	bool has_read_only, has_hole;
	pw_va read_only, hole; /* addresses that the guest spoke of */
};

/* Text: a first line about the guest. */
void story_begin(struct story *story, const char *who);

void story_console(struct story *story, const char *bytes, size_t count);

/* A guest call, in the address space of that moment. */
void story_call(struct story *story, const struct pw_space *space, const struct guest_call *call);

/* The guest stopped, or did something that has to be told. */
void story_exit(struct story *story, const char *kind, const char *reason);

/* The end. `code` is the guest's, if it gave one. */
void story_result(struct story *story, const uint32_t *code, int exit_status);

#endif
