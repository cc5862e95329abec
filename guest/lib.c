/* SPDX-License-Identifier: MIT */
/* What guests share. */
#include "lib.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return start;
}

void *memset(void *to, int value, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	char *out = to;
	const char *in = from;

	if (out <= in)
		return memcpy(to, from, bytes);
	while (bytes--)
		*(volatile char *)&out[bytes] = in[bytes];
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const volatile unsigned char *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static uint32_t failures;

static void copy_text(char *to, const char *from, size_t room)
{
	size_t i = 0;

	for (; from && from[i] && i + 1 < room; i++)
		to[i] = from[i];
	to[i] = '\0';
}

uint32_t guest_make_call(struct guest_call *call, uint32_t number, const char *label)
{
	call->number = number;
	call->answer = GUEST_ANSWER_NONE;
	copy_text(call->label, label, sizeof call->label);
	guest_out32(GUEST_PORT_CALL, (uint32_t)(uintptr_t)call);
	return *(volatile uint32_t *)&call->answer;
}

uint64_t guest_begin(void)
{
	static struct guest_call call;

	call.start.abi_version = GUEST_ABI_VERSION;
	GUEST_EXPECT_EQ(guest_make_call(&call, GUEST_CALL_START, NULL), GUEST_ANSWER_AGREE);
	return call.start.memory_bytes;
}

void guest_done(uint32_t code)
{
	static struct guest_call call;

	call.done.code = code;
	guest_make_call(&call, GUEST_CALL_DONE, NULL);
	for (;;)
		__asm__ volatile("hlt");
}

void guest_puts(const char *text)
{
	while (*text)
		guest_out8(GUEST_PORT_CONSOLE, (uint8_t)*text++);
}

void guest_fail(const char *file, uint32_t line, uint64_t got, uint64_t wanted)
{
	static struct guest_call call;
	const char *name = file;

	for (const char *at = file; *at; at++)
		if (*at == '/')
			name = at + 1;
	failures++;
	call.failure.got = got;
	call.failure.wanted = wanted;
	call.failure.line = line;
	copy_text(call.failure.file, name, sizeof call.failure.file);
	guest_make_call(&call, GUEST_CALL_FAILURE, NULL);
}

uint32_t guest_failures(void)
{
	return failures;
}

bool guest_expect_eq(const char *file, uint32_t line, uint64_t got, uint64_t wanted)
{
	if (got != wanted)
		guest_fail(file, line, got, wanted);
	return got == wanted;
}
