/* SPDX-License-Identifier: MIT */
#include "nested_args.h"

#include <errno.h>
#include <string.h>

#include "args.h"

enum {
	KEY_NESTED = 0x6000,
	KEY_MAXPHYADDR,
	KEY_NO_1G,
	KEY_NO_2M,
	KEY_NO_AD,
	KEY_NO_EXECUTE_ONLY,
	KEY_MBEC,
	KEY_ADVANCED,
	KEY_SHADOW_STACK,
	KEY_NO_NXE,
	KEY_SMEP,
	KEY_GMET,
	KEY_SVNAPOT,
	KEY_SVADU,
};

static const struct argp_option nested_options[] = {
	{NULL, 0, NULL, 0, "Under a hypervisor:", 4},
	{"nested", KEY_NESTED, "FORMAT:ROOT", 0,
		"SOURCE is the machine's memory: the tables are a guest's, under these of its "
		"hypervisor",
		4},
	{"nested-maxphyaddr", KEY_MAXPHYADDR, "BITS", 0, "Width of the machine's addresses", 4},
	{"nested-no-1g", KEY_NO_1G, NULL, 0, "EPT, NPT: there are no 1 GiB pages", 4},
	{"nested-no-2m", KEY_NO_2M, NULL, 0, "EPT: there are no 2 MiB pages", 4},
	{"nested-no-ad", KEY_NO_AD, NULL, 0, "EPT: Accessed and Dirty flags are not enabled", 4},
	{"nested-no-execute-only", KEY_NO_EXECUTE_ONLY, NULL, 0,
		"EPT: execute-only entries are misconfigured", 4},
	{"nested-mbec", KEY_MBEC, NULL, 0, "EPT: mode-based execute control", 4},
	{"nested-advanced", KEY_ADVANCED, NULL, 0,
		"EPT: qualifications tell of the linear address (bits 9 to 11)", 4},
	{"nested-shadow-stack", KEY_SHADOW_STACK, NULL, 0,
		"EPT: bit 60 marks supervisor shadow-stack pages", 4},
	{"nested-no-nxe", KEY_NO_NXE, NULL, 0, "NPT: the host's EFER.NXE is 0", 4},
	{"nested-smep", KEY_SMEP, NULL, 0, "NPT: the host's CR4.SMEP is 1", 4},
	{"nested-gmet", KEY_GMET, NULL, 0, "NPT: guest-mode execute trap", 4},
	{"nested-svnapot", KEY_SVNAPOT, NULL, 0, "RISC-V: bit 63 makes 64 KiB pages (Svnapot)", 4},
	{"nested-svadu", KEY_SVADU, NULL, 0, "RISC-V: the hardware sets A and D (Svadu)", 4},
	{0},
};

static bool is_second_stage(const struct pw_format *format)
{
	return format->family == PW_FAMILY_EPT || format->family == PW_FAMILY_NPT ||
	       ((format->family == PW_FAMILY_ARM || format->family == PW_FAMILY_RISCV) &&
		       !format->has_user);
}

/* FORMAT:ROOT */
static error_t parse_nested(struct nested_args *args, const char *arg)
{
	const char *colon = strchr(arg, ':');
	char name[32];

	if (colon == NULL || (size_t)(colon - arg) >= sizeof name)
		return args_wrong("--nested '%s' is not FORMAT:ROOT", arg);
	memcpy(name, arg, (size_t)(colon - arg));
	name[colon - arg] = '\0';
	args->format = pw_format_find(name);
	if (args->format == NULL || !is_second_stage(args->format))
		return args_wrong("--nested '%s' is not a second stage: an ept, npt, arm64-s2 or "
				  "riscv x4 format",
			name);
	return args_number("the root of --nested", colon + 1, &args->root);
}

static error_t parse_maxphyaddr(struct nested_args *args, const char *arg)
{
	uint64_t bits;
	error_t status = args_number("--nested-maxphyaddr", arg, &bits);

	if (status != 0)
		return status;
	if (bits < 12 || bits > 64)
		return args_wrong(
			"--nested-maxphyaddr %s is not a width of physical addresses", arg);
	args->rules.pa_bits = (uint8_t)bits;
	args->rule_option = "--nested-maxphyaddr";
	return 0;
}

static error_t parse_ept(int key, struct nested_args *args)
{
	struct pw_rules *rules = &args->rules;

	switch (key) {
	case KEY_NO_2M:
		rules->ept_no_2m_pages = true;
		args->ept_option = "--nested-no-2m";
		break;
	case KEY_NO_AD:
		rules->ept_no_accessed_dirty = true;
		args->ept_option = "--nested-no-ad";
		break;
	case KEY_NO_EXECUTE_ONLY:
		rules->ept_no_execute_only = true;
		args->ept_option = "--nested-no-execute-only";
		break;
	case KEY_MBEC:
		rules->ept_mode_based_execute = true;
		args->ept_option = "--nested-mbec";
		break;
	case KEY_ADVANCED:
		rules->ept_advanced = true;
		args->ept_option = "--nested-advanced";
		break;
	case KEY_SHADOW_STACK:
		rules->ept_shadow_stack = true;
		args->ept_option = "--nested-shadow-stack";
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	args->rule_option = args->ept_option;
	return 0;
}

static error_t parse_npt(int key, struct nested_args *args)
{
	switch (key) {
	case KEY_NO_NXE:
		args->rules.npt_no_execute_disable = true;
		args->npt_option = "--nested-no-nxe";
		break;
	case KEY_SMEP:
		args->rules.npt_smep = true;
		args->npt_option = "--nested-smep";
		break;
	case KEY_GMET:
		args->rules.npt_gmet = true;
		args->npt_option = "--nested-gmet";
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	args->rule_option = args->npt_option;
	return 0;
}

static error_t parse_riscv(int key, struct nested_args *args)
{
	switch (key) {
	case KEY_SVNAPOT:
		args->rules.riscv_napot = true;
		args->riscv_option = "--nested-svnapot";
		break;
	case KEY_SVADU:
		args->rules.riscv_hardware_ad = true;
		args->riscv_option = "--nested-svadu";
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	args->rule_option = args->riscv_option;
	return 0;
}

/* Of EPT and NPT it is x86, where they translate for a guest and for a guest's guest. */
static unsigned architecture(const struct pw_format *format)
{
	bool x86 = format->family == PW_FAMILY_EPT || format->family == PW_FAMILY_NPT;

	return x86 ? PW_FAMILY_X86 : format->family;
}

bool nested_args_fit(const struct nested_args *args, const struct space_args *space)
{
	/* Without a format there are the registers of an x86 CPU. */
	unsigned stage1 = space->format != NULL ? architecture(space->format) : PW_FAMILY_X86;

	if (args->format == NULL || stage1 == architecture(args->format))
		return true;
	(void)args_wrong("--nested %s is no second stage of %s: the architectures differ",
		args->format->name, space->format != NULL ? space->format->name : "an x86 CPU");
	return false;
}

int nested_args_make(
	const struct nested_args *args, const struct pw_memory *memory, struct pw_space *stage2)
{
	enum pw_status status;

	if (args->format == NULL)
		return EXIT_DATA;
	status = pw_space_init_rules(stage2, args->format, args->root, memory, &args->rules);
	if (status == PW_OK)
		return EXIT_DATA;
	if (status == PW_E_ALIGNMENT)
		(void)args_wrong(
			"the root of --nested is not aligned as %s wants it", args->format->name);
	else
		(void)args_wrong("there is no such second stage (%s)", pw_status_name(status));
	return EXIT_USAGE;
}

/* Also tries the space on no memory at all: wrong usage is told before a source is opened. */
static error_t check(const struct nested_args *args)
{
	static const struct pw_memory nothing;
	struct pw_space stage2;

	if (args->rule_option != NULL && args->format == NULL)
		return args_wrong("%s needs --nested", args->rule_option);
	if (args->ept_option != NULL && args->format->family != PW_FAMILY_EPT)
		return args_wrong("%s is for EPT only", args->ept_option);
	if (args->npt_option != NULL && args->format->family != PW_FAMILY_NPT)
		return args_wrong("%s is for NPT only", args->npt_option);
	if (args->riscv_option != NULL && args->format->family != PW_FAMILY_RISCV)
		return args_wrong("%s is for RISC-V only", args->riscv_option);
	if (args->rules.no_1g_pages && args->format->family != PW_FAMILY_EPT &&
		args->format->family != PW_FAMILY_NPT)
		return args_wrong("--nested-no-1g is for EPT and NPT only");
	return nested_args_make(args, &nothing, &stage2) == EXIT_DATA ? 0 : EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct nested_args *args = state->input;
	error_t status;

	switch (key) {
	case KEY_NESTED:
		return parse_nested(args, arg);
	case KEY_MAXPHYADDR:
		return parse_maxphyaddr(args, arg);
	case KEY_NO_1G:
		args->rules.no_1g_pages = true;
		args->rule_option = "--nested-no-1g";
		return 0;
	case ARGP_KEY_END:
		return check(args);
	default:
		status = parse_ept(key, args);
		if (status == ARGP_ERR_UNKNOWN)
			status = parse_npt(key, args);
		return status == ARGP_ERR_UNKNOWN ? parse_riscv(key, args) : status;
	}
}

const struct argp nested_argp = {.options = nested_options, .parser = parse};
