/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void field_value(json_t *record, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(record, key, value) != 0)
		output_out_of_memory();
}

void field_address(json_t *record, const char *key, uint64_t value)
{
	char text[sizeof "0x" + 16];

	(void)snprintf(text, sizeof text, "0x%" PRIx64, value);
	field_value(record, key, json_string_nocheck(text));
}

void field_number(json_t *record, const char *key, uint64_t value)
{
	field_value(record, key, json_integer((json_int_t)value));
}

void field_bool(json_t *record, const char *key, bool value)
{
	field_value(record, key, json_boolean(value));
}

void field_string(json_t *record, const char *key, const char *value)
{
	field_value(record, key, json_string(value));
}

/* Bytes of the UTF-8 character at `bytes`; 0 if there is none. */
static size_t character_bytes(const char *bytes, size_t count)
{
	for (size_t i = 1; i <= count && i <= 4; i++) {
		json_t *character = json_stringn(bytes, i);

		if (character != NULL) {
			json_decref(character);
			return i;
		}
	}
	return 0;
}

static size_t make_utf8(char *to, const char *bytes, size_t count)
{
	size_t at = 0;

	while (count > 0) {
		size_t step = character_bytes(bytes, count);
		const char *character = step > 0 ? bytes : REPLACEMENT;
		size_t length = step > 0 ? step : strlen(REPLACEMENT);

		memcpy(to + at, character, length);
		at += length;
		step += step == 0;
		bytes += step;
		count -= step;
	}
	return at;
}

void field_bytes(json_t *record, const char *key, const char *bytes, size_t count)
{
	json_t *value = json_stringn(bytes, count);
	char *clean;

	if (value != NULL) {
		field_value(record, key, value);
		return;
	}
	clean = malloc(count * strlen(REPLACEMENT) + 1);
	if (clean == NULL) {
		output_out_of_memory();
		return;
	}
	field_value(record, key, json_stringn(clean, make_utf8(clean, bytes, count)));
	free(clean);
}

const char *rwx_text(pw_rights rights, char text[RIGHTS_BYTES])
{
	text[0] = rights & PW_R ? 'r' : '-';
	text[1] = rights & PW_W ? 'w' : '-';
	text[2] = rights & PW_X ? 'x' : '-';
	text[3] = '\0';
	return text;
}

const char *rights_text(pw_rights rights, const struct pw_format *format, char text[RIGHTS_BYTES])
{
	(void)rwx_text(rights, text);
	text[3] = !format->has_user ? '-' : rights & PW_U ? 'u' : 's';
	text[4] = '\0';
	return text;
}

void field_rights(json_t *record, const struct pw_format *format, pw_rights rights, pw_rights user,
	pw_rights supervisor)
{
	char text[RIGHTS_BYTES];

	field_string(record, "rights", rights_text(rights, format, text));
	if (!format->has_user)
		return;
	field_string(record, "user", rwx_text(user, text));
	field_string(record, "supervisor", rwx_text(supervisor, text));
}
