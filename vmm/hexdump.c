/* SPDX-License-Identifier: MIT */
#include "hexdump.h"

#include <inttypes.h>
#include <stdio.h>

#include "output.h"

static const char digits[] = "0123456789abcdef";

void hexdump_begin(struct hexdump *dump, uint64_t va)
{
	dump->open = true;
	dump->row_va = va;
	dump->row_bytes = 0;
	/* Written in pieces: a record can be longer than any buffer. */
	if (dump->json)
		output_text("{\"va\":\"0x%" PRIx64 "\",\"bytes\":\"", va);
}

static void add_json(const uint8_t *bytes, uint64_t count)
{
	while (count > 0 && !output_failed()) {
		char text[1024];
		uint64_t now = count < sizeof text / 2 ? count : sizeof text / 2;

		for (uint64_t i = 0; i < now; i++) {
			text[2 * i] = digits[bytes[i] >> 4];
			text[2 * i + 1] = digits[bytes[i] & 15];
		}
		output_bytes(text, 2 * now);
		bytes += now;
		count -= now;
	}
}

/* "0000000000401000  48 65 6c ...  |Hel...|" */
static void print_row(const struct hexdump *dump)
{
	char hex[3 * HEXDUMP_ROW + 2], ascii[HEXDUMP_ROW + 1];
	size_t at = 0;

	for (unsigned i = 0; i < HEXDUMP_ROW; i++) {
		uint8_t byte = dump->row[i];
		bool given = i < dump->row_bytes;

		if (i == HEXDUMP_ROW / 2)
			hex[at++] = ' ';
		hex[at++] = ' ';
		hex[at++] = given ? digits[byte >> 4] : ' ';
		hex[at++] = given ? digits[byte & 15] : ' ';
		ascii[i] = byte >= ' ' && byte <= '~' ? (char)byte : '.';
	}
	hex[at] = '\0';
	ascii[dump->row_bytes] = '\0';
	output_text("%016" PRIx64 " %s  |%s|\n", dump->row_va, hex, ascii);
}

static void add_text(struct hexdump *dump, const uint8_t *bytes, uint64_t count)
{
	for (uint64_t i = 0; i < count && !output_failed(); i++) {
		dump->row[dump->row_bytes++] = bytes[i];
		if (dump->row_bytes < HEXDUMP_ROW)
			continue;
		print_row(dump);
		dump->row_va += HEXDUMP_ROW;
		dump->row_bytes = 0;
	}
}

void hexdump_add(struct hexdump *dump, uint64_t va, const uint8_t *bytes, uint64_t count)
{
	if (!dump->open)
		hexdump_begin(dump, va);
	if (dump->json)
		add_json(bytes, count);
	else
		add_text(dump, bytes, count);
}

void hexdump_end(struct hexdump *dump)
{
	if (!dump->open)
		return;
	if (dump->json)
		output_text("\"}\n");
	else if (dump->row_bytes > 0)
		print_row(dump);
	dump->open = false;
}
