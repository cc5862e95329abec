/* SPDX-License-Identifier: MIT */
/* Bytes of memory as text or as one JSON record, in pieces, however many they are. */
#ifndef PAGEWALK_HEXDUMP_H
#define PAGEWALK_HEXDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEXDUMP_ROW 16

/* Set `json`, zero the rest. */
struct hexdump {
	bool json;
	bool open;
	uint64_t row_va; /* of row[0] */
	unsigned row_bytes;
	uint8_t row[HEXDUMP_ROW];
};

/* Opens a record even if no bytes follow. */
void hexdump_begin(struct hexdump *dump, uint64_t va);

/* Adds bytes; they follow those added before, until hexdump_end(). */
void hexdump_add(struct hexdump *dump, uint64_t va, const uint8_t *bytes, uint64_t count);

/* Completes the row or record, if one is open. */
void hexdump_end(struct hexdump *dump);

#endif
