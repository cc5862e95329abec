/* SPDX-License-Identifier: MIT */
/*
 * An image that tables are built in: they are taken from it one behind the other, and those given
 * back are used again.
 */
#ifndef PAGEWALK_TABLE_IMAGE_H
#define PAGEWALK_TABLE_IMAGE_H

#include <pagewalk/memory.h>

#define TABLE_IMAGE_BASE  0x1000 /* of the root, unless one is asked for */
#define TABLE_IMAGE_ALIGN 4096

/* It must stay where it is: `memory` points into it. */
struct table_image {
	uint64_t used; /* bytes from the window's base on */
	struct pw_window window;
	struct pw_memory memory; /* allocates tables, and frees them */
	pw_pa *spare;
	size_t spare_count, spare_room;
};

/* An empty image whose first byte has that physical address. False after a complaint. */
bool table_image_begin(struct table_image *image, pw_pa base);
void table_image_end(struct table_image *image);

#endif
