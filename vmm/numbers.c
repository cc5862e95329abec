/* SPDX-License-Identifier: MIT */
#include "numbers.h"

#include <string.h>

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return 16;
}

/* Returns where the number ends, NULL if there is none or it does not fit. */
static const char *number_scan(const char *text, uint64_t *value)
{
	unsigned base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
	const char *at = base == 16 ? text + 2 : text;
	const char *first = at;
	uint64_t sum = 0;

	for (; (unsigned)digit_value(*at) < base; at++) {
		unsigned digit = (unsigned)digit_value(*at);

		if (sum > (UINT64_MAX - digit) / base)
			return NULL;
		sum = sum * base + digit;
	}
	if (at == first)
		return NULL;
	*value = sum;
	return at;
}

bool number_parse(const char *text, uint64_t *value)
{
	uint64_t number;
	const char *end = number_scan(text, &number);

	if (end == NULL || *end != '\0')
		return false;
	*value = number;
	return true;
}

bool size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	uint64_t number;
	const char *end = number_scan(text, &number);
	const char *unit;
	unsigned shift;

	if (end == NULL)
		return false;
	if (*end == '\0') {
		*bytes = number;
		return true;
	}
	unit = strchr(units, *end);
	if (unit == NULL || end[1] != '\0')
		return false;
	shift = 10 * (unsigned)(unit - units + 1);
	if (number > UINT64_MAX >> shift)
		return false;
	*bytes = number << shift;
	return true;
}
