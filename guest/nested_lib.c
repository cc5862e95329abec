/* SPDX-License-Identifier: MIT */
/* What the hypervisors share: text, sums, the command line, exceptions, the end. */
#include <stdarg.h>

#include "nested.h"

#define MULTIBOOT_BOOT_MAGIC 0x2badb002u
#define INFO_HAS_CMDLINE     4u
#define TSS                  0x20
#define TSS_BYTES            104
#define TYPE_TSS             UINT64_C(0x89)
#define IDT_ENTRIES          32
#define CODE                 8
#define GATE_INTERRUPT       0x8e00

#define LINE_CONTROL 3
#define LINE_STATUS  5
#define LINE_EMPTY   0x20
#define LINE_SENT    0x40
#define LINE_8N1     3
#define LINE_DIVISOR 0x80

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint16_t type;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t reserved;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

/* nested_start.S */
extern uint64_t nested_gdt[], nested_gdt_end[];
extern char nested_vectors[];
#define VECTOR_BYTES 16
_Noreturn void nested_exception(const uint64_t *frame);

static uint32_t tss[TSS_BYTES / 4];
static struct gate idt[IDT_ENTRIES];
static const char *command_line = "";
static bool serial;

static uint64_t passed, failed, skipped, deviations;

/* ---- Text ---- */

static void put(char letter)
{
	if (serial) {
		while (!(guest_in8(GUEST_PORT_SERIAL + LINE_STATUS) & LINE_EMPTY))
			;
		guest_out8(GUEST_PORT_SERIAL, (uint8_t)letter);
	} else {
		guest_out8(GUEST_PORT_CONSOLE, (uint8_t)letter);
	}
}

static void put_number(uint64_t value, unsigned base)
{
	char digits[21];
	unsigned at = sizeof digits;

	digits[--at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (digits[at])
		put(digits[at++]);
}

void nested_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	for (; *format; format++) {
		const char *text;

		if (*format != '%') {
			put(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (text = va_arg(arguments, const char *); *text; text++)
				put(*text);
			break;
		case 'x':
			put('0');
			put('x');
			put_number(va_arg(arguments, uint64_t), 16);
			break;
		default:
			put_number(va_arg(arguments, uint64_t), 10);
		}
	}
	va_end(arguments);
}

bool nested_has_word(const char *word)
{
	for (const char *at = command_line; *at; at++) {
		size_t i = 0;

		while (word[i] && at[i] == word[i])
			i++;
		if (!word[i] && (at[i] == ' ' || !at[i]) && (at == command_line || at[-1] == ' '))
			return true;
	}
	return false;
}

/* ---- Sums ---- */

void nested_count(bool good)
{
	if (good)
		passed++;
	else
		failed++;
}

void nested_skip(const char *what, const char *why)
{
	skipped++;
	nested_print("SKIP %s: %s\n", what, why);
}

static struct {
	const char *name;
	uint64_t count;
} deviation[16];

void nested_count_deviation(const char *name)
{
	for (size_t i = 0; i < sizeof deviation / sizeof deviation[0]; i++) {
		if (deviation[i].name && deviation[i].name != name)
			continue;
		deviation[i].name = name;
		deviation[i].count++;
		deviations++;
		return;
	}
	nested_count(false);
}

uint32_t nested_result(void)
{
	for (size_t i = 0; i < sizeof deviation / sizeof deviation[0] && deviation[i].name; i++)
		nested_print("DEVIATION %s: %u\n", deviation[i].name, deviation[i].count);
	nested_print("%u as a known deviation has it\n", deviations);
	nested_print("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	if (failed)
		return 1;
	return passed + deviations ? 0 : NESTED_CODE_SKIPPED;
}

/* ---- Start and end ---- */

void nested_exception(const uint64_t *frame)
{
	nested_print("FAIL exception %u, error code %x, at %x, CR2 %x\n", frame[0], frame[1],
		frame[2], x86_read_cr2());
	failed++;
	nested_result();
	nested_end(2);
}

static void set_tables(void)
{
	struct table_register idtr = {sizeof idt - 1, (uintptr_t)idt};
	uint64_t base = (uintptr_t)tss;

	tss[25] = TSS_BYTES << 16; /* no I/O map */
	nested_gdt[TSS / 8] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | TYPE_TSS << 40 |
			      (base >> 24 & 0xff) << 56;
	nested_gdt[TSS / 8 + 1] = base >> 32;
	for (unsigned i = 0; i < IDT_ENTRIES; i++) {
		uint64_t offset = (uintptr_t)nested_vectors + i * VECTOR_BYTES;

		idt[i] = (struct gate){
			.offset_0 = (uint16_t)offset,
			.selector = CODE,
			.type = GATE_INTERRUPT,
			.offset_16 = (uint16_t)(offset >> 16),
			.offset_32 = (uint32_t)(offset >> 32),
		};
	}
	__asm__ volatile("lidt %0" : : "m"(idtr), "m"(idt));
	__asm__ volatile("ltr %w0" : : "r"(TSS) : "memory");
}

void nested_init(uint32_t magic, uint32_t information)
{
	const struct info *info = (const struct info *)(uintptr_t)information;

	if (magic == MULTIBOOT_BOOT_MAGIC && info->flags & INFO_HAS_CMDLINE)
		command_line = (const char *)(uintptr_t)info->cmdline;
	serial = nested_has_word("serial");
	if (serial) {
		guest_out8(GUEST_PORT_SERIAL + LINE_CONTROL, LINE_8N1 | LINE_DIVISOR);
		guest_out8(GUEST_PORT_SERIAL, 1); /* 115200 baud */
		guest_out8(GUEST_PORT_SERIAL + 1, 0);
		guest_out8(GUEST_PORT_SERIAL + LINE_CONTROL, LINE_8N1);
	}
	set_tables();
}

void nested_end(uint32_t code)
{
	nested_print("code %u\n", (uint64_t)code);
	while (serial && !(guest_in8(GUEST_PORT_SERIAL + LINE_STATUS) & LINE_SENT))
		;
	guest_out32(GUEST_PORT_EXIT, code);
	/* Bochs. */
	for (const char *at = "Shutdown"; *at; at++)
		guest_out8(0x8900, (uint8_t)*at);
	for (;;)
		__asm__ volatile("cli; hlt");
}
