/* SPDX-License-Identifier: MIT */
/*
 * A program without libc around the library, as a kernel or firmware would have it: brings the
 * four mem functions, builds tables, translates through them, and exits by a bare system call.
 */
#include <pagewalk/pagewalk.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
_Noreturn void _start(void);

/* volatile: otherwise the compiler sees through each loop and makes it a call of the function. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	volatile unsigned char *t = to;
	const unsigned char *f = from;

	for (size_t i = 0; i < bytes; i++)
		t[i] = f[i];
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	volatile unsigned char *t = to;
	const unsigned char *f = from;

	if ((uintptr_t)to < (uintptr_t)from)
		return memcpy(to, from, bytes);
	while (bytes-- > 0)
		t[bytes] = f[bytes];
	return to;
}

void *memset(void *to, int byte, size_t bytes)
{
	volatile unsigned char *t = to;

	for (size_t i = 0; i < bytes; i++)
		t[i] = (unsigned char)byte;
	return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
	const volatile unsigned char *l = left, *r = right;

	for (size_t i = 0; i < bytes; i++)
		if (l[i] != r[i])
			return l[i] - r[i];
	return 0;
}

#define TABLES 8
static _Alignas(4096) uint64_t tables[TABLES][512];
static size_t tables_used;

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	(void)ctx;
	if (tables_used == TABLES || bytes != sizeof tables[0])
		return false;
	*pa = tables_used++ * sizeof tables[0];
	return true;
}

static int run(void)
{
	const struct pw_window window = {.base = 0, .size = sizeof tables, .host = tables};
	const struct pw_memory memory = {
		.windows = &window, .window_count = 1, .allocate_table = allocate_table};
	struct pw_space space;
	struct pw_result hit;
	pw_pa root;

	if (pw_root_create(&pw_format_x86_64, &memory, &root) != PW_OK)
		return 1;
	if (pw_space_init(&space, &pw_format_x86_64, root, &memory) != PW_OK)
		return 2;
	if (pw_map(&space, 0x400000, 0x1000, 0x2000, PW_R | PW_W, NULL) != PW_OK)
		return 3;
	if (pw_translate(&space, 0x401234, PW_ACCESS_WRITE, &hit) != PW_OK || hit.pa != 0x2234)
		return 4;
	if (pw_translate(&space, 0x402000, PW_ACCESS_READ, &hit) != PW_NOT_PRESENT)
		return 5;
	return 0;
}

/* The stack is as the kernel left it: aligned to 16 bytes, not to 16 + 8 as after a call. */
__attribute__((force_align_arg_pointer)) _Noreturn void _start(void)
{
	long code = run();

	__asm__ volatile("syscall"
			 :
			 : "a"(231L /* exit_group */), "D"(code)
			 : "rcx", "r11", "memory");
	for (;;)
		;
}
