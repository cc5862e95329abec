/* SPDX-License-Identifier: MIT */
/* A user's first program: one table whose last entry leads to the table itself, on every level. */
#include <inttypes.h>
#include <pagewalk/pagewalk.h>
#include <stdio.h>

int main(void)
{
	static _Alignas(4096) uint64_t table[512] = {[511] = 0x1000 | 7};
	const struct pw_window ram = {.base = 0x1000, .size = sizeof table, .host = table};
	const struct pw_memory memory = {.windows = &ram, .window_count = 1};
	struct pw_space space;
	struct pw_result hit;

	if (pw_space_init(&space, &pw_format_x86_64, 0x1000, &memory) != PW_OK)
		return 1;
	if (pw_translate(&space, 0xfffffffffffff234, PW_ACCESS_READ, &hit) != PW_OK)
		return 2;
	printf("pagewalk %d.%d: %#" PRIx64 "\n", PW_VERSION_MAJOR, PW_VERSION_MINOR, hit.pa);
	return 0;
}
