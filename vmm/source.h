/* SPDX-License-Identifier: MIT */
/* A raw image of guest-physical memory in a file, mapped so that the file stays as it is. */
#ifndef PAGEWALK_SOURCE_H
#define PAGEWALK_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk/memory.h>

/* It must stay where it is: `memory` points into it. */
struct source {
	uint8_t *data;
	uint64_t base; /* physical address of the first byte */
	uint64_t last; /* and of the last */
	struct pw_window window;
	struct pw_memory memory;
};

/*
 * Opens FILE or FILE@BASE. Returns EXIT_DATA, or EXIT_USAGE or EXIT_SOURCE after a complaint; then
 * there is nothing to close.
 */
int source_open(struct source *source, const char *argument);
/* The same, but its memory can be written: what is written stays in this process. */
int source_open_copy(struct source *source, const char *argument);
void source_close(struct source *source);

/* The bytes [pa, pa + count), NULL unless the image has all of them. */
const uint8_t *source_bytes(const struct source *source, pw_pa pa, uint64_t count);

#endif
