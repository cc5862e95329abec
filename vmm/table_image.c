/* SPDX-License-Identifier: MIT */
#include "table_image.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "output.h"

#define ROOM (UINT64_C(1) << 30) /* of tables: enough for half a TiB in 4 KiB pages */

static bool allocate_table(void *ctx, uint64_t bytes, pw_pa *pa)
{
	struct table_image *image = ctx;

	if (image->spare_count > 0) {
		*pa = image->spare[--image->spare_count];
		return true;
	}
	if (image->used + bytes > ROOM)
		return false;
	*pa = image->window.base + image->used;
	image->used += bytes;
	return true;
}

/* A table that finds no place in the list stays in the image, unused. */
static void free_table(void *ctx, pw_pa pa, uint64_t bytes)
{
	struct table_image *image = ctx;

	(void)bytes;
	if (image->spare_count == image->spare_room) {
		size_t more = image->spare_room ? 2 * image->spare_room : 64;
		pw_pa *spare = reallocarray(image->spare, more, sizeof *spare);

		if (spare == NULL)
			return;
		image->spare = spare;
		image->spare_room = more;
	}
	image->spare[image->spare_count++] = pa;
}

bool table_image_begin(struct table_image *image, pw_pa base)
{
	void *host = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*image = (struct table_image){.used = 0};
	if (host == MAP_FAILED) {
		output_out_of_memory();
		return false;
	}
	image->window = (struct pw_window){.base = base, .size = ROOM, .host = host};
	image->memory = (struct pw_memory){.windows = &image->window,
		.window_count = 1,
		.allocate_table = allocate_table,
		.free_table = free_table,
		.ctx = image};
	return true;
}

void table_image_end(struct table_image *image)
{
	if (image->window.host != NULL)
		(void)munmap(image->window.host, ROOM);
	free(image->spare);
}
