/* SPDX-License-Identifier: MIT */
/* Resets, power-off, fw_cfg and the clock: what programs expect of every PC. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include "pc.h"

#include <string.h>
#include <time.h>

#define PORT_KEYBOARD 0x64
#define PORT_CMOS     0x70
#define PORT_POST     0x80 /* for codes of progress, and written to as a short delay */
#define PORT_FAST_A20 0x92
#define PORT_FW_CFG   0x510
#define PORT_POWER    0x604 /* where QEMU's PC has ACPI's PM1a_CNT */
#define PORT_RESET    0xcf9

#define KEYBOARD_RESET  0xfe
#define FAST_A20_ON     0x02
#define FAST_A20_RESET  0x01
#define RESET_CPU       0x04
#define POWER_SLEEP_BIT (1u << 13)

/* QEMU, docs/specs/fw_cfg. */
#define FW_CFG_SIGNATURE 0x00
#define FW_CFG_ID        0x01
#define FW_CFG_RAM_SIZE  0x03
#define FW_CFG_CPUS      0x05
#define FW_CFG_CPUS_MAX  0x0f

/* MC146818A. */
#define CMOS_STATUS_A 0x0a
#define CMOS_STATUS_B 0x0b
#define CMOS_STATUS_D 0x0d
#define CMOS_CENTURY  0x32
#define CMOS_24_HOURS 0x02
#define CMOS_DIVIDER  0x26
#define CMOS_VALID    0x80
#define MIB           UINT64_C(0x100000)

static uint32_t written(const struct vmm_port_access *access)
{
	uint32_t value = 0;

	memcpy(&value, access->data, access->bytes);
	return value;
}

static void answer(const struct vmm_port_access *access, uint8_t value)
{
	memset(access->data, value, (size_t)access->bytes * access->count);
}

/* ---- Resets and power-off ---- */

static enum vmm_status end(struct vmm_pc *pc, uint32_t event)
{
	pc->event = event;
	return VMM_FINISHED;
}

/* Always ready for a command, and never has a key: there is no keyboard. */
static enum vmm_status handle_keyboard(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	(void)vcpu;
	if (access->out && (written(access) & 0xff) == KEYBOARD_RESET)
		return end(ctx, KVM_SYSTEM_EVENT_RESET);
	if (!access->out)
		answer(access, 0);
	return VMM_OK;
}

/* The A20 line is always on. */
static enum vmm_status handle_port_92(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_pc *pc = ctx;

	(void)vcpu;
	if (!access->out) {
		answer(access, pc->port_92 | FAST_A20_ON);
		return VMM_OK;
	}
	pc->port_92 = (uint8_t)written(access) & (uint8_t)~FAST_A20_RESET;
	return written(access) & FAST_A20_RESET ? end(pc, KVM_SYSTEM_EVENT_RESET) : VMM_OK;
}

static enum vmm_status handle_reset(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	(void)vcpu;
	if (!access->out)
		answer(access, 0);
	else if (written(access) & RESET_CPU)
		return end(ctx, KVM_SYSTEM_EVENT_RESET);
	return VMM_OK;
}

static enum vmm_status handle_power(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	(void)vcpu;
	if (!access->out)
		answer(access, 0);
	else if (written(access) & POWER_SLEEP_BIT)
		return end(ctx, KVM_SYSTEM_EVENT_SHUTDOWN);
	return VMM_OK;
}

static enum vmm_status handle_post(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	(void)ctx;
	(void)vcpu;
	if (!access->out)
		answer(access, 0xff);
	return VMM_OK;
}

/* ---- fw_cfg ---- */

static uint8_t byte_of(uint64_t value, uint32_t offset)
{
	return offset < 8 ? (uint8_t)(value >> 8 * offset) : 0;
}

uint8_t pc_fw_cfg_byte(const struct vmm_vm *vm, uint16_t key, uint32_t offset)
{
	switch (key) {
	case FW_CFG_SIGNATURE:
		return offset < 4 ? (uint8_t) "QEMU"[offset] : 0;
	case FW_CFG_ID:
		return byte_of(1, offset); /* no DMA */
	case FW_CFG_RAM_SIZE:
		return byte_of(vm->memory_bytes, offset);
	case FW_CFG_CPUS:
	case FW_CFG_CPUS_MAX:
		return byte_of(vm->vcpus, offset);
	default:
		return 0;
	}
}

static enum vmm_status handle_fw_cfg(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_pc *pc = ctx;
	uint8_t *bytes = access->data;

	(void)vcpu;
	if (access->out && access->port == PORT_FW_CFG) {
		pc->fw_cfg_key = (uint16_t)written(access);
		pc->fw_cfg_offset = 0;
	}
	if (access->out || access->port == PORT_FW_CFG)
		return VMM_OK;
	for (size_t i = 0; i < (size_t)access->bytes * access->count; i++)
		bytes[i] = pc_fw_cfg_byte(pc->vm, pc->fw_cfg_key, pc->fw_cfg_offset++);
	return VMM_OK;
}

/* ---- The clock ---- */

static uint8_t decimal(int value)
{
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

/* In BCD and UTC. */
static uint8_t clock_register(uint8_t index, int64_t seconds)
{
	time_t now = (time_t)seconds;
	struct tm date;

	if (!gmtime_r(&now, &date))
		return 0;
	switch (index) {
	case 0:
		return decimal(date.tm_sec);
	case 2:
		return decimal(date.tm_min);
	case 4:
		return decimal(date.tm_hour);
	case 6:
		return decimal(date.tm_wday + 1);
	case 7:
		return decimal(date.tm_mday);
	case 8:
		return decimal(date.tm_mon + 1);
	case 9:
		return decimal(date.tm_year % 100);
	case CMOS_CENTURY:
		return decimal((date.tm_year + 1900) / 100);
	default:
		return 0;
	}
}

/* Where firmware leaves the size of memory; each pair is a 16-bit number that stops at its most. */
static uint8_t memory_register(const struct vmm_vm *vm, uint8_t index)
{
	uint64_t low = vm->windows[0].size;
	uint64_t above_1m = (low - MIB) >> 10;
	uint64_t above_16m = low > 16 * MIB ? (low - 16 * MIB) >> 16 : 0;
	uint64_t value = index < 0x17 ? 640 : index < 0x34 ? above_1m : above_16m;
	bool high_byte = index == 0x16 || index == 0x18 || index == 0x31 || index == 0x35;

	if (value > UINT16_MAX)
		value = UINT16_MAX;
	return (uint8_t)(high_byte ? value >> 8 : value);
}

uint8_t pc_cmos_register(const struct vmm_vm *vm, uint8_t index, int64_t seconds)
{
	switch (index) {
	case CMOS_STATUS_A:
		return CMOS_DIVIDER; /* never in an update */
	case CMOS_STATUS_B:
		return CMOS_24_HOURS;
	case CMOS_STATUS_D:
		return CMOS_VALID;
	case 0x15:
	case 0x16:
	case 0x17:
	case 0x18:
	case 0x30:
	case 0x31:
	case 0x34:
	case 0x35:
		return memory_register(vm, index);
	default:
		return clock_register(index, seconds);
	}
}

static enum vmm_status handle_cmos(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_pc *pc = ctx;

	(void)vcpu;
	if (access->out && access->port == PORT_CMOS)
		pc->cmos_index =
			written(access) & 0x7f; /* bit 7 masks NMIs, of which there are none */
	else if (!access->out && access->port != PORT_CMOS)
		answer(access, pc_cmos_register(pc->vm, pc->cmos_index, (int64_t)time(NULL)));
	return VMM_OK;
}

enum vmm_status pc_attach(struct vmm_pc *pc, const struct vmm_vm *vm, struct vmm_ports *ports)
{
	static const struct {
		uint16_t first, last;
		vmm_port_handler handler;
	} devices[] = {
		{PORT_KEYBOARD, PORT_KEYBOARD, handle_keyboard},
		{PORT_CMOS, PORT_CMOS + 1, handle_cmos},
		{PORT_POST, PORT_POST, handle_post},
		{PORT_FAST_A20, PORT_FAST_A20, handle_port_92},
		{PORT_FW_CFG, PORT_FW_CFG + 1, handle_fw_cfg},
		{PORT_POWER, PORT_POWER, handle_power},
		{PORT_RESET, PORT_RESET, handle_reset},
	};
	enum vmm_status status = VMM_OK;

	pc->vm = vm;
	for (size_t i = 0; status == VMM_OK && i < sizeof devices / sizeof devices[0]; i++)
		status = vmm_ports_add(
			ports, devices[i].first, devices[i].last, devices[i].handler, pc);
	return status;
}
