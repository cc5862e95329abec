/* SPDX-License-Identifier: MIT */
/* The story of a guest that runs under KVM. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <pagewalk_vmm/vmm.h>

#include "bundled.h"
#include "cmd.h"
#include "guest_run.h"
#include "output.h"
#include "recording.h"
#include "story.h"

#define CODE_MAX      255
#define SIGNAL_STATUS 128 /* plus the signal's number, as shells have it */

/* A guest that floods its console is stopped: nobody would read more. */
#define CONSOLE_LIMIT (UINT64_C(16) << 20)

/* Accesses outside RAM that are reported; the guest goes on after each. */
#define STRAY_REPORTS_MAX 8

struct live {
	const struct guest_run *run;
	struct story story;
	struct vmm_machine machine;
	struct vmm_watchdog watchdog;
	struct recorder recorder;
	unsigned strays;
};

/* ---- Signals: the only way from a handler to the run is a global. ---- */

static struct vmm_machine *volatile interruptible;
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
	struct vmm_machine *machine = interruptible;

	caught = signal;
	if (machine != NULL)
		vmm_machine_stop(machine);
}

static void catch_signals(struct vmm_machine *machine)
{
	struct sigaction action = {.sa_handler = on_signal};

	interruptible = machine;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static void release_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	interruptible = NULL;
}

/* ---- What the guest does ---- */

static void take_console(void *ctx, const char *bytes, size_t count)
{
	struct live *live = ctx;

	story_console(&live->story, bytes, count);
	if (live->run->record != NULL)
		recorder_console(&live->recorder, bytes, count);
	if (output_failed())
		vmm_machine_stop(&live->machine);
}

static enum vmm_status take_call(void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	struct live *live = ctx;
	struct pw_space space;
	struct pw_x86_state state;
	enum vmm_status status = vmm_vcpu_space(vcpu, &space);

	if (status == VMM_OK)
		status = vmm_vcpu_x86_state(vcpu, &state);
	if (status != VMM_OK)
		return status;
	if (live->run->record != NULL)
		recorder_call(&live->recorder, live->machine.vm.windows[0].host, &state, call);
	story_call(&live->story, &space, call);
	if (output_failed())
		vmm_machine_stop(&live->machine);
	return VMM_OK;
}

/* The guest goes on after each. Small programs try many ports: those are not told. */
static void take_stray(void *ctx, struct vmm_vcpu *vcpu, const struct vmm_exit *access)
{
	struct live *live = ctx;
	char reason[192];

	(void)vcpu;
	if (access->kind == VMM_EXIT_MMIO && live->strays++ < STRAY_REPORTS_MAX)
		story_exit(&live->story, vmm_exit_name(access->kind),
			vmm_exit_describe(access, reason, sizeof reason));
}

/* ---- How it ends ---- */

static int end_with_code(struct live *live)
{
	uint32_t code = live->machine.code;
	int status = code < CODE_MAX ? (int)code : CODE_MAX;

	story_result(&live->story, &code, status);
	return status;
}

static int end_without_code(struct live *live, const char *kind, const char *reason, int status)
{
	story_exit(&live->story, kind, reason);
	story_result(&live->story, NULL, status);
	return status;
}

static int end_stopped(struct live *live)
{
	char reason[80];

	if (output_failed())
		return EXIT_SOURCE;
	if (caught != 0)
		return end_without_code(
			live, "interrupted", "interrupted", SIGNAL_STATUS + (int)caught);
	(void)snprintf(reason, sizeof reason, "the guest did not end within %" PRIu64 " s",
		live->run->timeout_ms / 1000);
	return end_without_code(live, "timeout", reason, EXIT_SOURCE);
}

static int end_after_exit(struct live *live)
{
	const struct vmm_exit *exit = &live->machine.exit;
	char reason[192];
	bool orderly = exit->kind == VMM_EXIT_HALT || exit->kind == VMM_EXIT_SYSTEM_EVENT;

	if (exit->kind == VMM_EXIT_STOPPED)
		return end_stopped(live);
	return end_without_code(live, vmm_exit_name(exit->kind),
		vmm_exit_describe(exit, reason, sizeof reason), orderly ? EXIT_DATA : EXIT_SOURCE);
}

static int run_machine(struct live *live)
{
	enum vmm_status status = vmm_machine_run(&live->machine);

	if (status == VMM_FINISHED)
		return end_with_code(live);
	if (status == VMM_OK)
		return end_after_exit(live);
	return end_without_code(
		live, vmm_status_name(status), live->machine.error.message, EXIT_SOURCE);
}

static int run_with_timeout(struct live *live)
{
	struct vmm_vcpu *first = &live->machine.vcpus[0];
	int status;

	if (live->run->timeout_ms == 0)
		return run_machine(live);
	if (vmm_watchdog_start(&live->watchdog, first, live->run->timeout_ms) != VMM_OK) {
		output_complain("%s", first->error.message);
		return EXIT_SOURCE;
	}
	status = run_machine(live);
	(void)vmm_watchdog_end(&live->watchdog);
	return status;
}

static int run_recorded(struct live *live)
{
	const char *path = live->run->record;
	int status;

	if (path == NULL)
		return run_with_timeout(live);
	if (!recorder_open(&live->recorder, path, live->machine.vm.windows[0].size)) {
		output_complain("cannot record to '%s': %s", path, strerror(errno));
		return EXIT_SOURCE;
	}
	status = run_with_timeout(live);
	if (recorder_close(&live->recorder))
		return status;
	output_complain("cannot record to '%s'", path);
	return EXIT_SOURCE;
}

/* ---- Bringing it up ---- */

static enum vmm_status create(struct live *live)
{
	const struct guest_run *run = live->run;
	struct vmm_machine_config config = {
		.device = run->device,
		.memory_bytes = run->memory_bytes,
		.vcpus = run->vcpus,
		.guest = run->guest,
		.append = run->append,
		.modules = run->modules,
		.module_count = run->module_count,
		.sink = take_console,
		.console_limit = CONSOLE_LIMIT,
		.on_call = take_call,
		.on_stray = take_stray,
		.ctx = live,
	};

	if (run->guest == NULL) {
		config.guest_bytes = vmm_bundled_guest;
		config.guest_size = VMM_BUNDLED_GUEST_BYTES;
	}
	return vmm_machine_create(&live->machine, &config);
}

static int complain_about_machine(const struct live *live, enum vmm_status status)
{
	bool no_kvm = status == VMM_NO_DEVICE || status == VMM_DENIED || status == VMM_NOT_KVM;

	output_complain("%s%s", live->machine.error.message,
		no_kvm && live->run->guest == NULL
			? "; `pagewalk run --recorded` tells the bundled guest's story without it"
			: "");
	return status == VMM_INVALID ? EXIT_USAGE : EXIT_SOURCE;
}

int guest_run_live(const struct guest_run *run)
{
	static struct live live;
	enum vmm_status made;
	int status;

	live = (struct live){.run = run, .story = {.json = run->json}};
	live.story.memory_bytes = run->memory_bytes;
	made = create(&live);
	if (made != VMM_OK)
		return complain_about_machine(&live, made);
	if (run->guest == NULL)
		story_begin(&live.story, "The bundled guest `paging`, running under KVM");
	catch_signals(&live.machine);
	status = run_recorded(&live);
	release_signals();
	vmm_machine_destroy(&live.machine);
	return status;
}
