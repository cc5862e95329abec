/* SPDX-License-Identifier: MIT */
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/*
 * mkostemp() makes the file for its owner alone; a new file has the rights that the umask leaves,
 * and one that takes another's place has that one's.
 */
static bool open_up(int fd, const char *path)
{
	struct stat old;
	mode_t mask = umask(0);

	(void)umask(mask);
	return fchmod(fd, stat(path, &old) == 0 ? old.st_mode & 0777 : 0666 & ~mask) == 0;
}

/* Everything is on the disk before the name is. */
static bool fill(int fd, const char *path, const void *bytes, size_t count)
{
	bool good = write_all(fd, bytes, count) && open_up(fd, path) && fsync(fd) == 0;
	int error = errno;

	if (close(fd) != 0 && good)
		return false;
	errno = error;
	return good;
}

/* The name of a new file beside the one that it will be. NULL: there is no memory. */
static char *temporary_name(const char *path)
{
	size_t size = strlen(path) + sizeof ".XXXXXX";
	char *name = malloc(size);

	if (name != NULL)
		(void)snprintf(name, size, "%s.XXXXXX", path);
	return name;
}

static bool replace(const char *path, const void *bytes, size_t count)
{
	char *temporary = temporary_name(path);
	bool good;
	int fd;

	if (temporary == NULL) {
		output_out_of_memory();
		return false;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	good = fd >= 0 && fill(fd, path, bytes, count) && rename(temporary, path) == 0;
	if (!good) {
		output_complain("cannot write '%s': %s", path, strerror(errno));
		if (fd >= 0)
			(void)unlink(temporary);
	}
	free(temporary);
	return good;
}

/* The rename would put a file in the place of a device, a pipe, or a link. */
static bool is_replaceable(const char *path)
{
	struct stat about;

	if (stat(path, &about) != 0) {
		if (errno != ENOENT || lstat(path, &about) != 0 || !S_ISLNK(about.st_mode))
			return true;
		output_complain("cannot write '%s': it is a link to nothing", path);
		return false;
	}
	if (S_ISREG(about.st_mode))
		return true;
	output_complain("cannot write '%s': it is %s", path,
		S_ISDIR(about.st_mode) ? "a directory" : "no regular file");
	return false;
}

/* What would end the command waits until the new file has its name or is gone. */
static void hold_signals(sigset_t *before)
{
	static const int ending[] = {SIGHUP, SIGINT, SIGTERM};
	sigset_t signals;

	(void)sigemptyset(&signals);
	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
		(void)sigaddset(&signals, ending[i]);
	(void)sigprocmask(SIG_BLOCK, &signals, before);
}

bool whole_file_write(const char *path, const void *bytes, size_t count)
{
	sigset_t before;
	char *target;
	bool good;

	if (!is_replaceable(path))
		return false;
	/* NULL: there is no such file yet. */
	target = realpath(path, NULL);
	hold_signals(&before);
	good = replace(target != NULL ? target : path, bytes, count);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	free(target);
	return good;
}
