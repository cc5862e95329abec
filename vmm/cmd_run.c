/* SPDX-License-Identifier: MIT */
/* pagewalk run: boots a guest and tells what its virtual memory is. */
#include "args.h"
#include "guest_run.h"

#define SUMMARY        "Boot a guest under KVM and explain its virtual memory"
#define MEMORY_DEFAULT (UINT64_C(64) << 20)
#define TIMEOUT_MAX    (UINT64_C(1000000000)) /* seconds: as good as none */

enum {
	KEY_MEMORY = 0x6000,
	KEY_TIMEOUT,
	KEY_RECORDED,
	KEY_DEVICE,
	KEY_RECORD,
	KEY_MODULE,
	KEY_APPEND,
	KEY_VCPUS,
};

struct run_args {
	struct common_args common;
	struct guest_run run;
	const char *live_option; /* an option given that a recorded guest has no use for */
	const char *own_option;  /* one given that only a guest of one's own has a use for */
	bool recorded;
};

static error_t parse_timeout(struct run_args *args, const char *arg)
{
	uint64_t seconds;
	error_t status = args_number("--timeout", arg, &seconds);

	if (status != 0)
		return status;
	if (seconds == 0 || seconds > TIMEOUT_MAX)
		return args_wrong("--timeout %s is not a time in seconds, from 1 on", arg);
	args->run.timeout_ms = seconds * 1000;
	return 0;
}

static error_t parse_vcpus(struct run_args *args, const char *arg)
{
	uint64_t count;
	error_t status = args_number("--vcpus", arg, &count);

	if (status != 0)
		return status;
	if (count == 0 || count > VMM_VCPUS_MAX)
		return args_wrong("--vcpus %s is not a number from 1 to %d", arg, VMM_VCPUS_MAX);
	args->run.vcpus = (unsigned)count;
	return 0;
}

static error_t add_module(struct guest_run *run, const char *path)
{
	if (run->module_count == VMM_MODULES_MAX)
		return args_wrong("a guest takes at most %d modules", VMM_MODULES_MAX);
	run->modules[run->module_count++].path = path;
	return 0;
}

/* What only a guest of one's own can be given: multiboot programs, and more than one vCPU. */
static error_t parse_own_option(int key, char *arg, struct run_args *args)
{
	switch (key) {
	case KEY_MODULE:
		args->own_option = "--module";
		return add_module(&args->run, arg);
	case KEY_APPEND:
		args->own_option = "--append";
		args->run.append = arg;
		return 0;
	case KEY_VCPUS:
		args->own_option = "--vcpus";
		return parse_vcpus(args, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *arg, struct run_args *args)
{
	switch (key) {
	case KEY_MEMORY:
		args->live_option = "--memory";
		return args_size("--memory", arg, &args->run.memory_bytes);
	case KEY_TIMEOUT:
		return parse_timeout(args, arg);
	case KEY_RECORDED:
		args->recorded = true;
		return 0;
	case KEY_DEVICE:
		args->live_option = "--device";
		args->run.device = arg;
		return 0;
	case KEY_RECORD:
		args->live_option = "--record";
		args->run.record = arg;
		return 0;
	default:
		return parse_own_option(key, arg, args);
	}
}

static error_t check(const struct run_args *args)
{
	if (args->recorded && args->run.guest != NULL)
		return args_wrong(
			"--recorded is about the bundled guest, not about '%s'", args->run.guest);
	if (args->recorded && args->live_option != NULL)
		return args_wrong("--recorded and %s exclude each other", args->live_option);
	if (args->own_option != NULL && args->run.guest == NULL)
		return args_wrong("%s needs a guest of your own", args->own_option);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case ARGP_KEY_ARG:
		if (args->run.guest != NULL)
			return args_wrong("'%s' is too much: one guest can be run", arg);
		args->run.guest = arg;
		return 0;
	case ARGP_KEY_END:
		return check(args);
	default:
		return parse_option(key, arg, args);
	}
}

static const struct argp_option options[] = {
	{"memory", KEY_MEMORY, "SIZE", 0, "Guest RAM (default 64M)", 0},
	{"vcpus", KEY_VCPUS, "N", 0, "Processors, at most 64 (default 1)", 0},
	{"append", KEY_APPEND, "TEXT", 0, "Command line behind a multiboot guest's name", 0},
	{"module", KEY_MODULE, "FILE", 0, "Loaded beside a multiboot guest; may be given again", 0},
	{"timeout", KEY_TIMEOUT, "SECONDS", 0, "Stop a guest that runs longer", 0},
	{"recorded", KEY_RECORDED, NULL, 0,
		"Tell the bundled guest's story from its recorded memory, without KVM", 0},
	{"device", KEY_DEVICE, "FILE", 0, "The KVM device (default /dev/kvm)", 0},
	{"record", KEY_RECORD, "FILE", OPTION_HIDDEN, "Record the run", 0}, {0}};
static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[GUEST]",
	.doc = SUMMARY "."
		       "\vGUEST is a static ELF executable or a multiboot image; without it the "
		       "bundled guest `paging` runs, which builds page tables of many kinds and "
		       "asks about them. The exit status is the guest's code, at most 255.",
	.children = children,
};

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct run_args args = {.run = {.memory_bytes = MEMORY_DEFAULT, .vcpus = 1}};
	int status = args_parse(cmd, argc, argv, &args);

	if (status != ARGS_RUN)
		return status;
	args.run.json = args.common.json;
	return args.recorded ? guest_run_recorded(&args.run) : guest_run_live(&args.run);
}

const struct cmd cmd_run = {"run", SUMMARY, &argp, run};
