/* SPDX-License-Identifier: MIT */
#include "bits.h"
#include <pagewalk/types.h>

static const char *const status_names[] = {
	[PW_OK] = "ok",
	[PW_NOT_PRESENT] = "not-present",
	[PW_RESERVED] = "reserved",
	[PW_NON_CANONICAL] = "non-canonical",
	[PW_NO_MEMORY] = "no-memory",
	[PW_PROTECTION] = "protection",
	[PW_PROTECTION_KEY] = "protection-key",
	[PW_ACCESS_FLAG] = "access-flag",
	[PW_UNSTABLE] = "unstable",
	[PW_LASS] = "lass",
	[PW_E_ARGUMENT] = "bad-argument",
	[PW_E_RANGE] = "bad-range",
	[PW_E_ALIGNMENT] = "misaligned",
	[PW_E_EXISTS] = "exists",
	[PW_E_RIGHTS] = "rights-not-expressible",
	[PW_E_NO_TABLES] = "no-tables",
	[PW_E_READ_ONLY] = "read-only",
	[PW_E_BUDGET] = "budget",
	[PW_E_STATE] = "contradictory-state",
	[PW_E_CALLBACK] = "callback",
	[PW_E_UNSUPPORTED] = "unsupported",
};
_Static_assert(sizeof status_names / sizeof status_names[0] == PW_STATUS_COUNT, "a name each");

const char *pw_status_name(enum pw_status status)
{
	return (unsigned)status < PW_STATUS_COUNT ? status_names[status] : "?";
}

const char *pw_kind_name(enum pw_kind kind)
{
	static const char *const names[] = {
		[PW_HOLE] = "hole", [PW_PAGE] = "page", [PW_TABLE] = "table", [PW_BAD] = "bad"};

	return (unsigned)kind <= PW_BAD ? names[kind] : "?";
}

const char *pw_size_name(uint64_t bytes)
{
	static const struct {
		uint64_t bytes;
		const char *name;
	} sizes[] = {
		{PW_BIT(12), "4 KiB"},
		{PW_BIT(14), "16 KiB"},
		{PW_BIT(16), "64 KiB"},
		{PW_BIT(20), "1 MiB"},
		{PW_BIT(21), "2 MiB"},
		{PW_BIT(22), "4 MiB"},
		{PW_BIT(24), "16 MiB"},
		{PW_BIT(25), "32 MiB"},
		{PW_BIT(29), "512 MiB"},
		{PW_BIT(30), "1 GiB"},
		{PW_BIT(36), "64 GiB"},
		{PW_BIT(39), "512 GiB"},
		{PW_BIT(42), "4 TiB"},
		{PW_BIT(48), "256 TiB"},
	};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		if (sizes[i].bytes == bytes)
			return sizes[i].name;
	}
	return "?";
}
