/* SPDX-License-Identifier: MIT */
/* Statuses and their texts. */
#define _GNU_SOURCE /* strerrordesc_np: thread safe, unlike strerror */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
	[VMM_OK] = "ok",
	[VMM_NO_DEVICE] = "no-device",
	[VMM_DENIED] = "denied",
	[VMM_NOT_KVM] = "not-kvm",
	[VMM_UNSUPPORTED] = "unsupported",
	[VMM_INVALID] = "invalid",
	[VMM_NO_MEMORY] = "no-memory",
	[VMM_BAD_IMAGE] = "bad-image",
	[VMM_NO_FILE] = "no-file",
	[VMM_UNHANDLED] = "unhandled",
	[VMM_BAD_CALL] = "bad-call",
	[VMM_LIMIT] = "limit",
	[VMM_FINISHED] = "finished",
	[VMM_SYSTEM] = "system",
};

_Static_assert(sizeof status_names / sizeof status_names[0] == VMM_STATUS_COUNT,
	"every status has a name");

const char *vmm_status_name(enum vmm_status status)
{
	if ((unsigned)status >= VMM_STATUS_COUNT)
		return "?";
	return status_names[status];
}

enum vmm_status vmm_error_set(
	struct vmm_error *error, enum vmm_status status, const char *format, ...)
{
	va_list args;

	error->status = status;
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return status;
}

enum vmm_status vmm_error_system(struct vmm_error *error, const char *what)
{
	const char *reason = strerrordesc_np(errno);

	return vmm_error_set(error, VMM_SYSTEM, "%s: %s", what, reason ? reason : "unknown error");
}
