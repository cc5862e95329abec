/* SPDX-License-Identifier: MIT */
/* The library's view of a workload. */
#ifndef BENCH_PAGEWALK_H
#define BENCH_PAGEWALK_H

#include "workload.h"

#include <pagewalk/pagewalk.h>

struct pagewalk {
	struct pw_window window;
	struct pw_memory memory;
	struct pw_space space;
};

enum door {
	DOOR_WINDOW,
	DOOR_CALLBACKS,
};

/* Refers to *p: it must not be moved. */
void pagewalk_open(struct pagewalk *p, const struct image *image, uint64_t root, enum door door);

/* The parts of one page's grant as RIGHT_... */
unsigned pagewalk_rights(pw_rights rights);

#endif
