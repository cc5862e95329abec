/* SPDX-License-Identifier: MIT */
/*
 * Fields of JSON records, in the order in which they are put. If there is no memory for one, that
 * is remembered (output_out_of_memory) and the command ends with an error.
 */
#ifndef PAGEWALK_FIELDS_H
#define PAGEWALK_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <pagewalk/format.h>

/* An address or an entry: "0x..." */
void field_address(json_t *record, const char *key, uint64_t value);
void field_number(json_t *record, const char *key, uint64_t value);
void field_bool(json_t *record, const char *key, bool value);
void field_string(json_t *record, const char *key, const char *value);
/* Bytes from outside: what is not UTF-8 becomes U+FFFD, byte by byte. */
void field_bytes(json_t *record, const char *key, const char *bytes, size_t count);
/* Takes over the reference to `value`. */
void field_value(json_t *record, const char *key, json_t *value);

/* "rights", and "user" and "supervisor" where the format tells them apart. */
void field_rights(json_t *record, const struct pw_format *format, pw_rights rights, pw_rights user,
	pw_rights supervisor);

#define RIGHTS_BYTES 5

/* "rw-" */
const char *rwx_text(pw_rights rights, char text[RIGHTS_BYTES]);

/* "rw-u". The fourth letter is u or s in formats that tell them apart, else -. */
const char *rights_text(pw_rights rights, const struct pw_format *format, char text[RIGHTS_BYTES]);

#endif
