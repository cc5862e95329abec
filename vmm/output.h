/* SPDX-License-Identifier: MIT */
/*
 * The only file that prints. Results go to stdout, as text or as JSON lines; complaints and
 * progress go to stderr. What cannot be written is remembered, and output_end() says so.
 */
#ifndef PAGEWALK_OUTPUT_H
#define PAGEWALK_OUTPUT_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

/*
 * Before anything is opened: a descriptor 0, 1 or 2 that is closed is filled, so that no file of
 * ours gets its number and is written to. A reader that goes away is an error like any other.
 */
void output_begin(void);

/* Names the command in complaints ("pagewalk maps"). The string must stay. */
void output_set_name(const char *name);

void output_text(const char *format, ...) PRINTF_LIKE(1, 2);
void output_bytes(const void *bytes, size_t count);

/* Writes one JSON line and releases the record. NULL: there was no memory to make it. */
void output_record(json_t *record);

void output_help(const struct argp_state *state, unsigned flags);
void output_flush(void);

/* Something could not be written: go on to the end of the command quickly. */
bool output_failed(void);
void output_out_of_memory(void);

/* Flushes and closes stdout. False, after a complaint, if not everything was written. */
bool output_end(void);

/* One line on stderr: "pagewalk maps: ..."; control characters are made harmless. */
void output_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* Shows a line that replaces the last one, if somebody watches stderr and stdout goes elsewhere. */
void output_progress(const char *format, ...) PRINTF_LIKE(1, 2);
bool output_progress_is_seen(void);

#endif
