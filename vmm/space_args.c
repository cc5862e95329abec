/* SPDX-License-Identifier: MIT */
#include "space_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "numbers.h"

#define CR0_DEFAULT  (PW_CR0_PE | PW_CR0_WP | PW_CR0_PG)
#define CR4_DEFAULT  PW_CR4_PAE
#define EFER_DEFAULT (PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE)

enum {
	KEY_FORMAT = 0x2000,
	KEY_ROOT,
	KEY_HIGH,
	KEY_MAXPHYADDR,
	KEY_CR3,
	KEY_CR0,
	KEY_CR4,
	KEY_EFER,
	KEY_PKRU,
	KEY_PKRS,
	KEY_AC,
	KEY_NO_1G,
	KEY_NO_PSE36,
	KEY_AMD,
	KEY_PDPTES,
	KEY_LOAD_PDPTES,
	KEY_C_BIT,
	KEY_SVNAPOT,
	KEY_SVADU,
	KEY_SUM,
	KEY_MXR,
};

static const struct argp_option space_options[] = {
	{NULL, 0, NULL, 0, "The address space, by its tables:", 1},
	{"format", KEY_FORMAT, "NAME", 0, "Format of the tables; see `pagewalk formats`", 1},
	{"root", KEY_ROOT, "PA", 0, "Physical address of the root table", 1},
	{"high", KEY_HIGH, NULL, 0,
		"Arm: the root is TTBR1's, addresses are those of the high half", 1},
	{"maxphyaddr", KEY_MAXPHYADDR, "BITS", 0, "Width of physical addresses", 1},
	{"svnapot", KEY_SVNAPOT, NULL, 0, "RISC-V: bit 63 makes 64 KiB pages (Svnapot)", 1},
	{"svadu", KEY_SVADU, NULL, 0, "RISC-V: the hardware sets A and D (Svadu)", 1},
	{"sum", KEY_SUM, NULL, 0, "RISC-V: the supervisor may access user data", 1},
	{"mxr", KEY_MXR, NULL, 0, "RISC-V: loads may read what is executable", 1},
	{NULL, 0, NULL, 0, "Or by the registers of an x86 CPU:", 2},
	{"cr3", KEY_CR3, "VALUE", 0, "CR3; alone it means 4-level paging with WP and NXE", 2},
	{"cr0", KEY_CR0, "VALUE", 0, "CR0 instead of 0x80010001 (PE, WP, PG)", 2},
	{"cr4", KEY_CR4, "VALUE", 0, "CR4 instead of 0x20 (PAE)", 2},
	{"efer", KEY_EFER, "VALUE", 0, "EFER instead of 0xd00 (LME, LMA, NXE)", 2},
	{"pkru", KEY_PKRU, "VALUE", 0, "Protection keys of user pages, with CR4.PKE", 2},
	{"pkrs", KEY_PKRS, "VALUE", 0, "Protection keys of supervisor pages, with CR4.PKS", 2},
	{"ac", KEY_AC, NULL, 0, "EFLAGS.AC is set: suspends SMAP", 2},
	{"no-1g", KEY_NO_1G, NULL, 0, "The CPU has no 1 GiB pages", 2},
	{"no-pse36", KEY_NO_PSE36, NULL, 0, "The CPU has no PSE-36", 2},
	{"pdptes", KEY_PDPTES, "A,B,C,D", 0, "PAE: the CPU's four PDPTE registers", 2},
	{"load-pdptes", KEY_LOAD_PDPTES, NULL, 0,
		"PAE: load them from memory first, as a MOV to CR3 does", 2},
	{"c-bit", KEY_C_BIT, "N", 0, "Bit of addresses in entries that encrypts memory", 2},
	{"amd", KEY_AMD, NULL, 0, "Bit 8 of upper entries is reserved, as on AMD's CPUs", 2},
	{0},
};

static error_t parse_32_bits(const char *option, const char *arg, uint32_t *value)
{
	uint64_t number;
	error_t status = args_number(option, arg, &number);

	if (status != 0)
		return status;
	if (number > UINT32_MAX)
		return args_wrong("%s %s has more than 32 bits", option, arg);
	*value = (uint32_t)number;
	return 0;
}

static error_t parse_maxphyaddr(struct space_args *args, const char *arg)
{
	uint64_t bits;
	error_t status = args_number("--maxphyaddr", arg, &bits);

	if (status != 0)
		return status;
	if (bits == 0 || bits > 64)
		return args_wrong("--maxphyaddr %s is not a width of physical addresses", arg);
	args->rules.pa_bits = (uint8_t)bits;
	args->state.maxphyaddr = (uint8_t)bits;
	return 0;
}

static error_t parse_tables(int key, const char *arg, struct space_args *args)
{
	switch (key) {
	case KEY_FORMAT:
		args->format = pw_format_find(arg);
		if (args->format == NULL)
			return args_wrong("--format '%s' is not a format: `pagewalk formats` lists "
					  "them",
				arg);
		return 0;
	case KEY_ROOT:
		args->has_root = true;
		return args_number("--root", arg, &args->root);
	case KEY_HIGH:
		args->rules.arm_high = true;
		return 0;
	case KEY_MAXPHYADDR:
		return parse_maxphyaddr(args, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_riscv(int key, struct space_args *args)
{
	switch (key) {
	case KEY_SVNAPOT:
		args->rules.riscv_napot = true;
		args->riscv_option = "--svnapot";
		return 0;
	case KEY_SVADU:
		args->rules.riscv_hardware_ad = true;
		args->riscv_option = "--svadu";
		return 0;
	case KEY_SUM:
		args->rules.riscv_sum = true;
		args->riscv_option = "--sum";
		return 0;
	case KEY_MXR:
		args->rules.riscv_mxr = true;
		args->riscv_option = "--mxr";
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_control_register(int key, const char *arg, struct space_args *args)
{
	switch (key) {
	case KEY_CR3:
		args->has_cr3 = true;
		return args_number("--cr3", arg, &args->state.cr3);
	case KEY_CR0:
		args->register_option = "--cr0";
		return args_number("--cr0", arg, &args->state.cr0);
	case KEY_CR4:
		args->register_option = "--cr4";
		return args_number("--cr4", arg, &args->state.cr4);
	case KEY_EFER:
		args->has_efer = true;
		args->register_option = "--efer";
		return args_number("--efer", arg, &args->state.efer);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_cpu(int key, const char *arg, struct space_args *args)
{
	switch (key) {
	case KEY_PKRU:
		args->register_option = "--pkru";
		return parse_32_bits("--pkru", arg, &args->state.pkru);
	case KEY_PKRS:
		args->register_option = "--pkrs";
		return parse_32_bits("--pkrs", arg, &args->state.pkrs);
	case KEY_AC:
		args->register_option = "--ac";
		args->state.rflags |= PW_RFLAGS_AC;
		return 0;
	case KEY_NO_1G:
		args->register_option = "--no-1g";
		args->state.no_1g_pages = true;
		return 0;
	case KEY_NO_PSE36:
		args->register_option = "--no-pse36";
		args->state.no_pse36 = true;
		return 0;
	case KEY_AMD:
		args->register_option = "--amd";
		args->state.amd = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_pdptes(struct space_args *args, const char *arg)
{
	const char *at = arg;

	for (unsigned i = 0; i < 4; i++) {
		size_t length = strcspn(at, ",");
		char text[32];

		(void)snprintf(text, sizeof text, "%.*s", (int)length, at);
		if (length >= sizeof text || !number_parse(text, &args->state.pdpte[i]) ||
			(at[length] == ',') != (i < 3))
			return args_wrong("--pdptes '%s' is not four numbers, A,B,C,D", arg);
		at += length + 1;
	}
	args->state.pdpte_loaded = true;
	return 0;
}

static error_t parse_c_bit(struct space_args *args, const char *arg)
{
	uint64_t bit;
	error_t status = args_number("--c-bit", arg, &bit);

	if (status != 0)
		return status;
	if (bit < 12 || bit > 51)
		return args_wrong("--c-bit %s is not a bit of addresses, 12 to 51", arg);
	args->state.encryption_mask = UINT64_C(1) << bit;
	return 0;
}

static error_t parse_entries(int key, const char *arg, struct space_args *args)
{
	switch (key) {
	case KEY_PDPTES:
		args->register_option = "--pdptes";
		return parse_pdptes(args, arg);
	case KEY_LOAD_PDPTES:
		args->register_option = "--load-pdptes";
		args->load_pdptes = true;
		return 0;
	case KEY_C_BIT:
		args->register_option = "--c-bit";
		return parse_c_bit(args, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t check_combination(const struct space_args *args)
{
	if (args->format != NULL && args->has_cr3)
		return args_wrong("--format and --cr3 exclude each other");
	if (args->register_option != NULL && !args->has_cr3)
		return args_wrong("%s needs --cr3", args->register_option);
	if (args->format == NULL && args->has_root)
		return args_wrong("--root needs --format");
	if (args->format == NULL && !args->has_cr3)
		return args_wrong("the address space is missing: --format NAME --root PA, or "
				  "--cr3 VALUE");
	if (args->format != NULL && !args->has_root && args->format->levels > 0)
		return args_wrong("--format %s needs --root", args->format->name);
	if (args->riscv_option != NULL &&
		(args->format == NULL || args->format->family != PW_FAMILY_RISCV))
		return args_wrong("%s is for RISC-V only", args->riscv_option);
	if (args->load_pdptes && args->state.pdpte_loaded)
		return args_wrong("--pdptes and --load-pdptes exclude each other");
	if (args->rules.arm_high && (args->format == NULL || !args->format->has_user ||
					    args->format->family != PW_FAMILY_ARM))
		return args_wrong("--high is for the stage-1 formats of Arm only");
	return 0;
}

static enum pw_status make_space(const struct space_args *args, const struct pw_memory *memory,
	struct pw_space *space, const char **why)
{
	struct pw_x86_state state = args->state;

	if (args->format != NULL)
		return pw_space_init_rules(space, args->format, args->root, memory, &args->rules);
	/* LMA is LME and PG: its default must not contradict a CR0 that was given. */
	if (!(state.cr0 & PW_CR0_PG) && !args->has_efer)
		state.efer &= ~PW_EFER_LMA;
	return pw_space_init_x86(space, &state, memory, why);
}

static error_t refuse_space(const struct space_args *args, enum pw_status status, const char *why)
{
	if (why != NULL)
		return args_wrong("the registers contradict each other: %s", why);
	if (status == PW_NO_MEMORY)
		return args_wrong("the PDPTEs are not in the source");
	if (status == PW_E_ALIGNMENT)
		return args_wrong("--root 0x%" PRIx64 " is not aligned as %s wants it", args->root,
			args->format->name);
	if (args->rules.pa_bits != 0)
		return args_wrong("--maxphyaddr %u is outside what %s can have",
			(unsigned)args->rules.pa_bits,
			args->format != NULL ? args->format->name : "an x86 CPU");
	if (args->rules.arm_high)
		return args_wrong("--high: %s has no high half", args->format->name);
	return args_wrong("there is no such address space (%s)", pw_status_name(status));
}

static int make_or_refuse(
	const struct space_args *args, const struct pw_memory *memory, struct pw_space *space)
{
	const char *why = NULL;
	enum pw_status status = make_space(args, memory, space, &why);

	if (status == PW_OK)
		return EXIT_DATA;
	(void)refuse_space(args, status, why);
	return EXIT_USAGE;
}

int space_args_make(
	const struct space_args *args, const struct pw_memory *memory, struct pw_space *space)
{
	struct space_args loading = *args;

	loading.state.pdpte_load = args->load_pdptes;
	return make_or_refuse(&loading, memory, space);
}

/* Tries the space on no memory at all: wrong usage is told before a source is opened. */
static error_t check_space(const struct space_args *args)
{
	static const struct pw_memory nothing;
	struct pw_space space;

	return make_or_refuse(args, &nothing, &space) == EXIT_DATA ? 0 : EINVAL;
}

static error_t parse_space(int key, char *arg, struct argp_state *state)
{
	struct space_args *args = state->input;
	error_t status;

	if (key == ARGP_KEY_INIT) {
		args->state.cr0 = CR0_DEFAULT;
		args->state.cr4 = CR4_DEFAULT;
		args->state.efer = EFER_DEFAULT;
		return 0;
	}
	if (key == ARGP_KEY_END) {
		status = check_combination(args);
		return status != 0 ? status : check_space(args);
	}
	status = parse_tables(key, arg, args);
	if (status == ARGP_ERR_UNKNOWN)
		status = parse_riscv(key, args);
	if (status == ARGP_ERR_UNKNOWN)
		status = parse_control_register(key, arg, args);
	if (status == ARGP_ERR_UNKNOWN)
		status = parse_cpu(key, arg, args);
	if (status == ARGP_ERR_UNKNOWN)
		status = parse_entries(key, arg, args);
	return status;
}

const struct argp space_argp = {.options = space_options, .parser = parse_space};
