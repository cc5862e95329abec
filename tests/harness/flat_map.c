/* SPDX-License-Identifier: MIT */
#include "flat_map.h"
#include <criterion/criterion.h>
#include <stdlib.h>

void flat_map_begin(struct flat_map *map, pw_va first, uint64_t page, uint64_t count)
{
	*map = (struct flat_map){.first = first, .page = page, .count = count};
	map->cells = calloc(count, sizeof *map->cells);
	cr_assert(map->cells != NULL, "no memory for the model");
}

void flat_map_end(struct flat_map *map)
{
	free(map->cells);
}

bool flat_map_is_empty(const struct flat_map *map, uint64_t cell, uint64_t count)
{
	for (uint64_t i = cell; i < cell + count; i++) {
		if (map->cells[i].mapped)
			return false;
	}
	return true;
}

bool flat_map_map(struct flat_map *map, uint64_t cell, uint64_t count, pw_pa pa, pw_rights rights)
{
	if (!flat_map_is_empty(map, cell, count))
		return false;
	for (uint64_t i = 0; i < count; i++)
		map->cells[cell + i] = (struct flat_cell){
			.pa = pa + i * map->page, .rights = (uint16_t)rights, .mapped = true};
	return true;
}

uint64_t flat_map_unmap(struct flat_map *map, uint64_t cell, uint64_t count)
{
	uint64_t changed = 0;

	for (uint64_t i = cell; i < cell + count; i++) {
		changed += map->cells[i].mapped;
		map->cells[i] = (struct flat_cell){.mapped = false};
	}
	return changed;
}

uint64_t flat_map_protect(struct flat_map *map, uint64_t cell, uint64_t count, pw_rights rights)
{
	uint64_t changed = 0;

	for (uint64_t i = cell; i < cell + count; i++) {
		if (!map->cells[i].mapped)
			continue;
		changed += map->cells[i].rights != rights;
		map->cells[i].rights = (uint16_t)rights;
	}
	return changed;
}

pw_va flat_map_va(const struct flat_map *map, uint64_t cell)
{
	return map->first + cell * map->page;
}
