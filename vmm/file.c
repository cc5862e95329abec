/* SPDX-License-Identifier: MIT */
/* Reads whole files. */
#define _POSIX_C_SOURCE 200809L
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pagewalk_vmm/image.h>

#include "error.h"

static enum vmm_status no_file(struct vmm_error *error, const char *path)
{
	struct vmm_error reason;

	vmm_error_system(&reason, path);
	return vmm_error_set(error, VMM_NO_FILE, "%s", reason.message);
}

static enum vmm_status read_all(
	struct vmm_error *error, const char *path, int fd, uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = read(fd, bytes + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return no_file(error, path);
		if (count == 0)
			return vmm_error_set(error, VMM_NO_FILE, "%s: shrank while read", path);
		done += (size_t)count;
	}
	return VMM_OK;
}

/* The caller frees *bytes; it is NULL after a failure and for an empty file. */
static enum vmm_status read_open_file(
	struct vmm_error *error, const char *path, int fd, uint8_t **bytes, size_t *size)
{
	enum vmm_status status;
	struct stat file;

	if (fstat(fd, &file) < 0)
		return no_file(error, path);
	if (!S_ISREG(file.st_mode))
		return vmm_error_set(error, VMM_NO_FILE, "%s: not a regular file", path);
	if (file.st_size > VMM_IMAGE_FILE_MAX)
		return vmm_error_set(error, VMM_BAD_IMAGE,
			"%s: %jd bytes are more than an image may have (1 GiB)", path,
			(intmax_t)file.st_size);
	*size = (size_t)file.st_size;
	if (*size == 0)
		return VMM_OK;
	*bytes = malloc(*size);
	if (!*bytes)
		return vmm_error_set(
			error, VMM_NO_MEMORY, "%s: no memory for its %zu bytes", path, *size);
	status = read_all(error, path, fd, *bytes, *size);
	if (status != VMM_OK) {
		free(*bytes);
		*bytes = NULL;
	}
	return status;
}

enum vmm_status file_read(struct vmm_error *error, const char *path, uint8_t **bytes, size_t *size)
{
	/* Not to hang on a FIFO that nobody writes to. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum vmm_status status;

	*bytes = NULL;
	*size = 0;
	if (fd < 0)
		return no_file(error, path);
	status = read_open_file(error, path, fd, bytes, size);
	close(fd);
	return status;
}
