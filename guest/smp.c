/* SPDX-License-Identifier: MIT */
/*
 * Finds the other processors in every table that names them, starts each by INIT and start-up
 * messages and counts those that come. (SeaBIOS's MP table names one processor a package only.)
 */
#include "pc.h"

#define ROM_FIRST    0xe0000u
#define ROM_END      0x100000u
#define RSDP_BYTES   20
#define MP_BYTES     16
#define FW_CFG       0x510
#define FW_CFG_CPUS  5
#define DELAY_PORT   0x80
#define WAIT_ROUNDS  1000000u
#define TRAMPOLINE   0x8000u
#define IDS          64
#define MADT_ENTRIES 44u

#define ICR_INIT    0x4500u /* level, asserted */
#define ICR_STARTUP 0x4600u
#define ICR_PENDING (1u << 12)

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
};

static volatile uint8_t came[IDS]; /* by APIC ID; the processors write it */

static uint32_t cpuid_topology_id(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (a < 0xb)
		return UINT32_MAX;
	a = 0xb;
	c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b ? d : UINT32_MAX;
}

/* Only the registers and `came`: the others run here at the same time. */
void pc_processor_main(uint32_t id)
{
	uint32_t topology = cpuid_topology_id();
	bool same = *pc_apic(PC_APIC_ID) >> 24 == id && (topology == UINT32_MAX || topology == id);

	if (id < IDS)
		came[id] = same ? 1 : 2;
}

static bool same_text(const char *at, const char *text)
{
	while (*text && *at == *text) {
		at++;
		text++;
	}
	return !*text;
}

static bool adds_up(const void *bytes, uint32_t count)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	return sum == 0;
}

static const char *find_in_rom(const char *text, uint32_t bytes)
{
	for (uint32_t at = ROM_FIRST; at < ROM_END; at += 16)
		if (same_text((const char *)at, text) && adds_up((const char *)at, bytes))
			return (const char *)at;
	return NULL;
}

/* The first table of that name in the RSDT. */
static const struct acpi_header *find_table(const char *signature)
{
	const char *rsdp = find_in_rom("RSD PTR ", RSDP_BYTES);
	const struct acpi_header *rsdt;

	if (!pc_check(rsdp, "there is an RSDP"))
		return NULL;
	rsdt = *(const struct acpi_header *const *)(rsdp + 16);
	pc_check(adds_up(rsdt, rsdt->length), "the RSDT's checksum");
	for (uint32_t at = 36; at < rsdt->length; at += 4) {
		const struct acpi_header *table =
			*(const struct acpi_header *const *)((const char *)rsdt + at);

		if (same_text(table->signature, signature))
			return table;
	}
	return NULL;
}

/* Fills the list of enabled processors' APIC IDs and returns how many. */
static uint32_t read_madt(uint8_t ids[IDS])
{
	const struct acpi_header *madt = find_table("APIC");
	const uint8_t *entry = (const uint8_t *)madt + MADT_ENTRIES;
	uint32_t count = 0;

	if (!pc_check(madt, "there is a MADT"))
		return 0;
	pc_check(adds_up(madt, madt->length), "the MADT's checksum");
	for (; entry < (const uint8_t *)madt + madt->length; entry += entry[1])
		if (entry[0] == 0 && (entry[4] & 1) && count < IDS)
			ids[count++] = entry[3];
	return count;
}

static uint32_t count_in_mp_table(void)
{
	const char *pointer = find_in_rom("_MP_", MP_BYTES);
	const uint8_t *config, *entry;
	uint32_t count = 0;

	if (!pc_check(pointer, "there is an MP table"))
		return 0;
	config = *(const uint8_t *const *)(pointer + 4);
	pc_check(adds_up(config, *(const uint16_t *)(config + 4)), "the MP table's checksum");
	entry = config + 44;
	for (uint32_t i = *(const uint16_t *)(config + 34); i > 0; i--) {
		count += entry[0] == 0 && (entry[3] & 1);
		entry += entry[0] == 0 ? 20 : 8;
	}
	return count;
}

static uint32_t count_in_fw_cfg(void)
{
	uint32_t low;

	guest_out16(FW_CFG, FW_CFG_CPUS);
	low = guest_in8(FW_CFG + 1);
	return low | (uint32_t)guest_in8(FW_CFG + 1) << 8;
}

static void send_message(uint32_t id, uint32_t message)
{
	*pc_apic(PC_APIC_ICR_HIGH) = id << 24;
	*pc_apic(PC_APIC_ICR_LOW) = message;
	while (*pc_apic(PC_APIC_ICR_LOW) & ICR_PENDING)
		;
}

static void start_processor(uint32_t id)
{
	send_message(id, ICR_INIT);
	send_message(id, ICR_STARTUP | TRAMPOLINE >> 12);
	/* On a host that emulates this, real time passes at the port only. */
	for (uint32_t i = 0; !came[id] && i < WAIT_ROUNDS; i++)
		guest_out8(DELAY_PORT, 0);
	pc_check(came[id], "a processor came");
	pc_check(came[id] != 2, "its APIC and CPUID name the same ID");
}

int main(uint32_t eax, uint32_t ebx)
{
	uint8_t ids[IDS];
	uint32_t count = read_madt(ids);
	uint32_t own = *pc_apic(PC_APIC_ID) >> 24;
	uint32_t started = 1;

	(void)eax;
	(void)ebx;
	__builtin_memcpy(
		(void *)TRAMPOLINE, pc_trampoline, (size_t)(pc_trampoline_end - pc_trampoline));
	pc_check(count > 0 && ids[0] == own, "the first processor is this");
	pc_check(count_in_mp_table() == count, "the MP table names as many as the MADT");
	pc_check(count_in_fw_cfg() == count, "fw_cfg names as many as the MADT");
	pc_init_apic();
	for (uint32_t i = 1; i < count; i++) {
		start_processor(ids[i]);
		started += came[ids[i]] != 0;
	}
	pc_print_number(started);
	guest_puts(" of ");
	pc_print_number(count);
	guest_puts(" processors are here\n");
	return pc_result();
}
