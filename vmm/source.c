/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "numbers.h"
#include "output.h"

/* What libpagewalk asks of a window. */
#define WINDOW_ALIGNMENT 8

const uint8_t *source_bytes(const struct source *source, pw_pa pa, uint64_t count)
{
	if (count == 0 || pa < source->base || pa > source->last || source->last - pa < count - 1)
		return NULL;
	return source->data + (pa - source->base);
}

/* Entries are little-endian in every built-in format. */
static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const uint8_t *at = source_bytes(ctx, pa, bytes);
	uint64_t value = 0;

	if (at == NULL)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	*entry = value;
	return true;
}

static bool read_bytes(void *ctx, pw_pa pa, void *to, size_t bytes)
{
	const uint8_t *at = source_bytes(ctx, pa, bytes);

	if (at == NULL)
		return false;
	memcpy(to, at, bytes);
	return true;
}

/* In a copy, which nobody else changes. */
static bool write_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	struct source *source = ctx;

	if (source_bytes(source, pa, bytes) == NULL)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		source->data[pa - source->base + i] = (uint8_t)(entry >> (8 * i));
	return true;
}

static bool exchange_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	uint64_t entry;

	if (!read_pte(ctx, pa, bytes, &entry))
		return false;
	if (entry == *expected)
		return write_pte(ctx, pa, bytes, desired);
	*expected = entry;
	return false;
}

/* A window is faster, but cannot be had for an odd base or up to the very last address. */
static void describe_memory(struct source *source, bool copy)
{
	if (source->base % WINDOW_ALIGNMENT != 0 || source->last == UINT64_MAX) {
		source->memory = (struct pw_memory){
			.read_pte = read_pte, .read_bytes = read_bytes, .ctx = source};
		if (copy) {
			source->memory.write_pte = write_pte;
			source->memory.exchange_pte = exchange_pte;
		}
		return;
	}
	source->window = (struct pw_window){
		.base = source->base,
		.size = source->last - source->base + 1,
		.host = source->data,
		.read_only = !copy,
	};
	source->memory = (struct pw_memory){.windows = &source->window, .window_count = 1};
}

/* The file's size; 0 after a complaint. */
static uint64_t usable_size(int fd, const char *path)
{
	struct stat about;
	off_t size;

	if (fstat(fd, &about) != 0) {
		output_complain("cannot use '%s': %s", path, strerror(errno));
		return 0;
	}
	if (S_ISDIR(about.st_mode)) {
		output_complain("cannot use '%s': it is a directory", path);
		return 0;
	}
	if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode)) {
		output_complain("cannot use '%s': it is neither a file nor a block device", path);
		return 0;
	}
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		output_complain("cannot use '%s': %s", path, strerror(errno));
	else if (size == 0)
		output_complain("cannot use '%s': it is empty", path);
	return size > 0 ? (uint64_t)size : 0;
}

static int map_file(struct source *source, int fd, const char *path, bool copy)
{
	uint64_t size = usable_size(fd, path);

	if (size == 0)
		return EXIT_SOURCE;
	if (size - 1 > UINT64_MAX - source->base) {
		output_complain("'%s' at 0x%" PRIx64 " would reach beyond the last address", path,
			source->base);
		return EXIT_USAGE;
	}
	/* Shared: the file may be the memory of a guest that is running. */
	source->data =
		copy ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0)
		     : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (source->data == MAP_FAILED) {
		output_complain("cannot map '%s' into memory: %s", path, strerror(errno));
		return EXIT_SOURCE;
	}
	source->last = source->base + (size - 1);
	describe_memory(source, copy);
	return EXIT_DATA;
}

/* Splits at the last '@' if a number follows: other names may have one too. */
static char *split_base(const char *argument, uint64_t *base)
{
	const char *at = strrchr(argument, '@');

	*base = 0;
	if (at != NULL && at != argument && number_parse(at + 1, base))
		return strndup(argument, (size_t)(at - argument));
	return strdup(argument);
}

static int open_as(struct source *source, const char *argument, bool copy)
{
	char *path = split_base(argument, &source->base);
	int status, fd;

	if (path == NULL) {
		output_out_of_memory();
		return EXIT_SOURCE;
	}
	/* A fifo without a writer must not make us wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		output_complain("cannot open '%s': %s", path, strerror(errno));
		status = EXIT_SOURCE;
	} else {
		status = map_file(source, fd, path, copy);
		(void)close(fd);
	}
	free(path);
	return status;
}

int source_open(struct source *source, const char *argument)
{
	return open_as(source, argument, false);
}

int source_open_copy(struct source *source, const char *argument)
{
	return open_as(source, argument, true);
}

void source_close(struct source *source)
{
	(void)munmap(source->data, source->last - source->base + 1);
}
