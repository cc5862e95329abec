/* SPDX-License-Identifier: MIT */
/* Private: fill a struct vmm_error. */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

#include <pagewalk_vmm/status.h>

/* Store `status` and the formatted message, and return `status`, so that callers can return it. */
enum vmm_status vmm_error_set(struct vmm_error *error, enum vmm_status status, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* The same for a system call that just failed: VMM_SYSTEM, "WHAT: the text of errno". */
enum vmm_status vmm_error_system(struct vmm_error *error, const char *what);

#endif
