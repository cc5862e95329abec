/* SPDX-License-Identifier: MIT */
/* Private: whole files. */
#ifndef VMM_FILE_H
#define VMM_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <pagewalk_vmm/status.h>

/*
 * Reads a regular file of at most VMM_IMAGE_FILE_MAX bytes. The caller frees *bytes, which is NULL
 * after a failure and for an empty file. VMM_NO_FILE, VMM_BAD_IMAGE for a file that is too large,
 * or VMM_NO_MEMORY.
 */
enum vmm_status file_read(struct vmm_error *error, const char *path, uint8_t **bytes, size_t *size);

#endif
