/* SPDX-License-Identifier: MIT */
/*
 * Takes page faults on purpose, from ring 0 and ring 3, and reports what the processor said beside
 * what the manual says it must.
 */
#include "probe.h"
#include "tables.h"

#define FRAME(n)      (UINT64_C(0x600000) + (n)*PAGE_4K)
#define MEMORY_NEEDED UINT64_C(0x800000)

#define W              PTE_WRITE
#define U              PTE_USER
#define NX             PTE_NO_EXECUTE
#define LINK           (PTE_WRITE | PTE_USER)
#define ROOT_WITH_PS   (LINK | PTE_LARGE)  /* bit 7 of a root entry is reserved on every CPU */
#define LARGE_RESERVED (UINT64_C(1) << 13) /* as is bit 13 of a 2 MiB page */

/* Where the pages are. */
enum {
	READ_ONLY = 0x800000,
	USER_WRITABLE = 0x801000,
	USER_READ_ONLY = 0x802000,
	USER_CODE = 0x803000,
	CODE = 0x804000,
	HOLE = 0x805000,
	WRITABLE = 0x806000,
	LARGE_BAD = 0x40000000,
};
#define ROOT_BAD      UINT64_C(0x18000000000)
#define NO_TABLES     UINT64_C(0xffffa00000000000)
#define NOT_CANONICAL UINT64_C(0x0001000000000000)

#define READ  GUEST_ACCESS_READ
#define WRITE GUEST_ACCESS_WRITE
#define FETCH GUEST_ACCESS_FETCH
#define USER  GUEST_ACCESS_USER

#define GP   13
#define PF   14
#define NONE GUEST_NO_FAULT

/* SDM vol. 3A "Page-Fault Exceptions": the bits of the error code. */
#define P    1
#define WR   2
#define US   4
#define RSVD 8
#define ID   16

struct attempt {
	const char *label;
	uint64_t va;
	uint32_t access;
	uint32_t vector;
	uint32_t error_code;
	bool without_wp; /* with CR0.WP off */
};

static const struct attempt attempts[] = {
	{"read of a hole", HOLE, READ, PF, 0, false},
	{"write to a hole", HOLE + 0x123, WRITE, PF, WR, false},
	{"fetch from a hole", HOLE, FETCH, PF, ID, false},
	{"read where there are no tables", NO_TABLES + 8, READ, PF, 0, false},
	{"read of an address that is not canonical", NOT_CANONICAL, READ, GP, 0, false},
	{"read of a read-only page", READ_ONLY, READ, NONE, 0, false},
	{"write to a read-only page", READ_ONLY + 0xffc, WRITE, PF, P | WR, false},
	{"write to it with CR0.WP off", READ_ONLY + 0xffc, WRITE, NONE, 0, true},
	{"write to a writable page", WRITABLE, WRITE, NONE, 0, false},
	{"fetch from a no-execute page", WRITABLE, FETCH, PF, P | ID, false},
	{"fetch from an executable page", CODE, FETCH, NONE, 0, false},
	{"read through a reserved bit", LARGE_BAD + 0x1234, READ, PF, P | RSVD, false},
	{"write through a reserved bit", LARGE_BAD, WRITE, PF, P | WR | RSVD, false},
	{"fetch through a reserved bit", LARGE_BAD, FETCH, PF, P | RSVD | ID, false},
	{"read through a large root entry", ROOT_BAD, READ, PF, P | RSVD, false},
	{"user read of a hole", HOLE, READ | USER, PF, US, false},
	{"user write to a hole", HOLE, WRITE | USER, PF, US | WR, false},
	{"user fetch from a hole", HOLE, FETCH | USER, PF, US | ID, false},
	{"user read of a supervisor page", READ_ONLY, READ | USER, PF, P | US, false},
	{"user write to a supervisor page", WRITABLE, WRITE | USER, PF, P | US | WR, false},
	{"user fetch from a supervisor page", CODE, FETCH | USER, PF, P | US | ID, false},
	{"user read of a user page", USER_READ_ONLY, READ | USER, NONE, 0, false},
	{"user write to a writable user page", USER_WRITABLE, WRITE | USER, NONE, 0, false},
	{"user write to a read-only user page", USER_READ_ONLY, WRITE | USER, PF, P | US | WR,
		false},
	{"the same with CR0.WP off", USER_READ_ONLY, WRITE | USER, PF, P | US | WR, true},
	{"user fetch from a no-execute page", USER_WRITABLE, FETCH | USER, PF, P | US | ID, false},
	{"user fetch from a user page", USER_CODE, FETCH | USER, NONE, 0, false},
	{"user read through a reserved bit", LARGE_BAD, READ | USER, PF, P | US | RSVD, false},
	{"user read, no canonical address", NOT_CANONICAL, READ | USER, GP, 0, false},
};

static struct tables_cpu cpu;

static void map_page(uint64_t va, uint64_t pa, uint64_t flags)
{
	if (!cpu.no_execute)
		flags &= ~NX;
	tables_set(va, 0, pa | flags | PTE_PRESENT, LINK);
}

static void put_code(uint64_t pa, uint8_t code)
{
	*(volatile uint8_t *)(uintptr_t)pa = code;
}

static void set_up(void)
{
	cpu = tables_init();
	/* While the VMM's identity tables are in force. */
	put_code(FRAME(3), PROBE_CODE_RING3);
	put_code(FRAME(4), PROBE_CODE_RING0);
	tables_map_image();
	map_page(READ_ONLY, FRAME(0), NX);
	map_page(USER_WRITABLE, FRAME(1), W | U | NX);
	map_page(USER_READ_ONLY, FRAME(2), U | NX);
	map_page(USER_CODE, FRAME(3), U);
	map_page(CODE, FRAME(4), 0);
	map_page(WRITABLE, FRAME(6), W | NX);
	tables_set(LARGE_BAD, 1, LARGE_RESERVED | W | U | PTE_LARGE | PTE_PRESENT, LINK);
	tables_set(ROOT_BAD, 2, W | PTE_LARGE | PTE_PRESENT, ROOT_WITH_PS);
	tables_load();
	probe_init();
}

/* Where there is no NX, the error code never tells a fetch. */
static bool is_possible(const struct attempt *attempt)
{
	return cpu.no_execute || !(attempt->access & FETCH);
}

static bool report(const struct attempt *attempt, const struct probe_outcome *outcome)
{
	static struct guest_call call;

	call.fault = (struct guest_fault){
		.va = attempt->va,
		.cr2 = outcome->cr2,
		.access = attempt->access,
		.vector = outcome->vector,
		.error_code = outcome->error_code,
		.expected_vector = attempt->vector,
		.expected_error_code = attempt->error_code,
	};
	guest_make_call(&call, GUEST_CALL_FAULT, attempt->label);
	return outcome->vector == attempt->vector && outcome->error_code == attempt->error_code &&
	       outcome->cr2 == (outcome->vector == PF ? attempt->va : PROBE_CR2);
}

int main(void)
{
	uint64_t cr0 = x86_read_cr0();
	bool as_expected = true;

	if (guest_begin() < MEMORY_NEEDED) {
		guest_puts("faults: this guest needs 8 MiB of memory\n");
		return 1;
	}
	set_up();
	for (unsigned i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		struct probe_outcome outcome;

		if (!is_possible(&attempts[i]))
			continue;
		x86_write_cr0(attempts[i].without_wp ? cr0 & ~CR0_WP : cr0 | CR0_WP);
		outcome = probe_access(attempts[i].va, attempts[i].access, 0);
		as_expected &= report(&attempts[i], &outcome);
	}
	return !as_expected;
}
