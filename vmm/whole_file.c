/* SPDX-License-Identifier: MIT */
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

static bool write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t written = write(fd, bytes, count);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		count -= (size_t)written;
	}
	return true;
}

/* mkostemp() makes the file for its owner alone; a file has the rights that the umask leaves. */
static bool open_up(int fd)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return fchmod(fd, 0666 & ~mask) == 0;
}

/* Everything is on the disk before the name is. */
static bool fill(int fd, const void *bytes, size_t count)
{
	bool good = write_all(fd, bytes, count) && open_up(fd) && fsync(fd) == 0;
	int error = errno;

	if (close(fd) != 0 && good)
		return false;
	errno = error;
	return good;
}

bool whole_file_write(const char *path, const void *bytes, size_t count)
{
	size_t size = strlen(path) + sizeof ".XXXXXX";
	char *temporary = malloc(size);
	bool good;
	int fd;

	if (temporary == NULL) {
		output_out_of_memory();
		return false;
	}
	(void)snprintf(temporary, size, "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	good = fd >= 0 && fill(fd, bytes, count) && rename(temporary, path) == 0;
	if (!good) {
		output_complain("cannot write '%s': %s", path, strerror(errno));
		if (fd >= 0)
			(void)unlink(temporary);
	}
	free(temporary);
	return good;
}
