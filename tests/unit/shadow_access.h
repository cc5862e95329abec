/* SPDX-License-Identifier: MIT */
/* What the two halves of the world tell each other. */
#ifndef SHADOW_ACCESS_H
#define SHADOW_ACCESS_H

#include "shadow_world.h"

/* After a write to the page at gpa: its alias has the same bytes. */
void world_mirror(const struct world *w, uint8_t *bytes, pw_pa gpa);

/* The TLB does what the flush list asks for. */
void world_flush(struct world *w);

/* The guest's tables map va to something, whatever the rights. */
bool world_maps(const struct world *w, pw_va va);

/* A table, a root, a place where some table may have an entry of *level, an entry of some level. */
pw_pa world_random_table(struct world *w, unsigned level);
pw_pa world_random_root(struct world *w);
pw_pa world_random_place(struct world *w, unsigned *level);
uint64_t world_random_entry(struct world *w);

#endif
