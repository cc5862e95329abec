/* SPDX-License-Identifier: MIT */
/*
 * The flat model of an address space: one cell for each smallest page of a range. No tables, no
 * levels; what the tables say is compared with it.
 */
#ifndef HARNESS_FLAT_MAP_H
#define HARNESS_FLAT_MAP_H

#include <pagewalk/pagewalk.h>

struct flat_cell {
	pw_pa pa;
	uint16_t rights; /* PW_R ... PW_U and PW_GLOBAL */
	uint16_t software;
	uint8_t type; /* the memory-type index */
	bool mapped, accessed, dirty;
};

struct flat_map {
	pw_va first; /* of cell 0; the range does not wrap */
	uint64_t page, count;
	uint8_t ordinary; /* the memory-type index if none is asked for */
	struct flat_cell *cells;
};

void flat_map_begin(struct flat_map *map, pw_va first, uint64_t page, uint64_t count);
void flat_map_end(struct flat_map *map);

/*
 * Ranges are cells [cell, cell + count). Mapped cells stay as they are: false if there are any.
 * Memory types among the rights are PW_MEM_INDEX(n) or none.
 */
bool flat_map_map(struct flat_map *map, uint64_t cell, uint64_t count, pw_pa pa, pw_rights rights);
/* Both return the number of cells that have changed or may have. */
uint64_t flat_map_unmap(struct flat_map *map, uint64_t cell, uint64_t count);
uint64_t flat_map_protect(struct flat_map *map, uint64_t cell, uint64_t count, pw_rights rights);
void flat_map_modify(
	struct flat_map *map, uint64_t cell, uint64_t count, pw_rights set, pw_rights clear);

bool flat_map_is_empty(const struct flat_map *map, uint64_t cell, uint64_t count);
pw_va flat_map_va(const struct flat_map *map, uint64_t cell);

#endif
