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

static uint16_t kept(pw_rights rights)
{
	return (uint16_t)(rights & (PW_RIGHTS_MASK | PW_GLOBAL));
}

static uint8_t type_of(pw_rights rights)
{
	return (uint8_t)(rights >> 11 & 31);
}

bool flat_map_map(struct flat_map *map, uint64_t cell, uint64_t count, pw_pa pa, pw_rights rights)
{
	if (!flat_map_is_empty(map, cell, count))
		return false;
	for (uint64_t i = 0; i < count; i++)
		map->cells[cell + i] = (struct flat_cell){.pa = pa + i * map->page,
			.rights = kept(rights),
			.software = (uint16_t)(rights >> 16),
			.type = rights & PW_MEM_MASK ? type_of(rights) : map->ordinary,
			.mapped = true};
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
		struct flat_cell *c = &map->cells[i];
		uint8_t type = rights & PW_MEM_MASK ? type_of(rights) : c->type;

		if (!c->mapped)
			continue;
		changed += c->rights != kept(rights) || c->type != type;
		c->rights = kept(rights);
		c->type = type;
	}
	return changed;
}

void flat_map_modify(
	struct flat_map *map, uint64_t cell, uint64_t count, pw_rights set, pw_rights clear)
{
	for (uint64_t i = cell; i < cell + count; i++) {
		struct flat_cell *c = &map->cells[i];

		if (!c->mapped)
			continue;
		c->rights = (uint16_t)((c->rights & ~clear) | kept(set));
		c->software = (uint16_t)((c->software & ~(clear >> 16)) | set >> 16);
		c->type = set & PW_MEM_MASK ? type_of(set) : c->type;
	}
}

pw_va flat_map_va(const struct flat_map *map, uint64_t cell)
{
	return map->first + cell * map->page;
}
