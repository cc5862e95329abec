/* SPDX-License-Identifier: MIT */
#include "shadow_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "cmd.h"
#include "output.h"

#define PAGE_BYTES 4096
#define PA_BITS    52 /* of the machine that the tables are for */

/* A try takes about three microseconds, and there are two passes: a minute and a half. */
#define PAGES_MAX (UINT64_C(1) << 24)

/* Of the library's list of the guest's tables in use: a table can be met on many ways. */
#define WAYS_PER_TABLE 16
#define USES_MIN       256
#define USES_MAX       (UINT64_C(1) << 20)

#define PROGRESS_STRIDE 4096

struct work {
	struct shadow_build *build;
	struct pw_shadow shadow;
	struct pw_shadow_root root;
	struct pw_shadow_use *uses;
	uint64_t pages; /* tried in this pass */
	time_t shown;
};

/* ---- The map ---- */

static int by_first(const void *a, const void *b)
{
	const struct memory_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static const char *wrong_with_range(const struct memory_range *range)
{
	uint64_t size = range->last - range->first + 1;

	if ((range->first | size) % PAGE_BYTES != 0 || size == 0)
		return "does not begin and end at 4 KiB pages";
	if (range->host % PAGE_BYTES != 0)
		return "has a HOST where no 4 KiB page begins";
	if (range->host >> PA_BITS != 0 || (range->host + (size - 1)) >> PA_BITS != 0)
		return "reaches beyond physical addresses, which have 52 bits";
	return NULL;
}

static bool is_map_good(struct memory_map *map)
{
	qsort(map->ranges, map->count, sizeof map->ranges[0], by_first);
	for (size_t i = 0; i < map->count; i++) {
		const struct memory_range *range = &map->ranges[i], *before = range - 1;
		const char *wrong = wrong_with_range(range);

		if (wrong != NULL) {
			memory_map_complain(map, range, "the range 0x%" PRIx64 " 0x%" PRIx64 " %s",
				range->first, range->last, wrong);
			return false;
		}
		if (i > 0 && before->last >= range->first) {
			memory_map_complain(map, range,
				"the range 0x%" PRIx64 " 0x%" PRIx64 " overlaps that of line %u",
				range->first, range->last, before->line);
			return false;
		}
	}
	return true;
}

/* How many ranges begin at gpa or below. */
static size_t ranges_up_to(const struct memory_map *map, pw_pa gpa)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->ranges[middle].first <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool find(void *ctx, pw_pa gpa, struct pw_shadow_block *block)
{
	const struct memory_map *map = ctx;
	size_t count = ranges_up_to(map, gpa);
	const struct memory_range *range = map->ranges + (count - 1);

	if (count == 0 || gpa > range->last)
		return false;
	*block = (struct pw_shadow_block){.gpa = range->first,
		.hpa = range->host,
		.bytes = range->last - range->first + 1,
		.rights = range->rights & PW_RIGHTS_MASK};
	return true;
}

/* Up to where the map's answer is that for gpa: the last byte. */
static pw_pa same_until(const struct memory_map *map, pw_pa gpa)
{
	size_t count = ranges_up_to(map, gpa);

	if (count > 0 && gpa <= map->ranges[count - 1].last)
		return map->ranges[count - 1].last;
	return count < map->count ? map->ranges[count].first - 1 : UINT64_MAX;
}

/* ---- Pages ---- */

/* From va to the last byte of its page of that size, or of the smallest if it has none. */
static uint64_t rest_of_page(pw_va va, uint64_t page_size)
{
	uint64_t size = page_size ? page_size : PAGE_BYTES;

	return size - (va & (size - 1));
}

/* How much of the guest's page from va on is left for the same reason, and counts it. */
static uint64_t leave(struct work *w, pw_va va, const struct pw_shadow_answer *answer)
{
	uint64_t bytes = rest_of_page(va, answer->guest.page_size);
	uint64_t same = same_until(w->build->map, answer->gpa) - answer->gpa;

	if (bytes - 1 > same)
		bytes = same + 1;
	if (answer->reason == PW_SHADOW_RIGHTS)
		w->build->left.rights += bytes / PAGE_BYTES;
	else
		w->build->left.device += bytes / PAGE_BYTES;
	return bytes;
}

/*
 * The page at va, which the guest may access so: by the access that gives most. How far what was
 * found reaches from va on; 0: it failed.
 */
static uint64_t fill_page(struct work *w, pw_va va, pw_rights rights, enum pw_status *status)
{
	static const struct {
		pw_rights right;
		pw_access access;
	} tries[] = {{PW_W, PW_ACCESS_WRITE}, {PW_R, PW_ACCESS_READ}, {PW_X, PW_ACCESS_FETCH}};
	struct pw_shadow_answer answer = {.verdict = PW_SHADOW_INJECT}, last = answer;

	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		if (!(rights & tries[i].right))
			continue;
		*status = pw_shadow_fault(&w->shadow, va, tries[i].access, NULL, &answer);
		if (*status != PW_OK || w->shadow.counts.evicted > 0)
			return 0;
		if (answer.verdict == PW_SHADOW_RETRY) {
			if (last.reason == PW_SHADOW_TABLE)
				w->build->left.tables++;
			return rest_of_page(va, answer.page_size);
		}
		if (answer.verdict == PW_SHADOW_EMULATE)
			last = answer;
	}
	return last.verdict == PW_SHADOW_EMULATE ? leave(w, va, &last)
						 : rest_of_page(va, PAGE_BYTES);
}

static int complain(const struct work *w, enum pw_status status)
{
	if (w->pages > PAGES_MAX)
		output_complain("the guest maps more than %" PRIu64 " pages", PAGES_MAX);
	else if (status == PW_OK || status == PW_E_NO_TABLES)
		output_complain("the guest's tables, or those for them, are too many");
	else
		output_complain("the shadow tables cannot be built: %s", pw_status_name(status));
	return EXIT_USAGE;
}

static void show_progress(struct work *w, pw_va va)
{
	time_t now;

	if (w->pages % PROGRESS_STRIDE != 0 || !output_progress_is_seen())
		return;
	now = time(NULL);
	if (now != w->shown)
		output_progress("%" PRIu64 " pages, at 0x%" PRIx64, w->pages, va);
	w->shown = now;
}

static int fill_region(struct work *w, const struct pw_region *region)
{
	pw_rights rights =
		w->build->user ? pw_grant_user(region->grant) : pw_grant_supervisor(region->grant);
	enum pw_status status = PW_OK;
	pw_va va = region->first;

	if (!(rights & (PW_R | PW_W | PW_X)))
		return EXIT_DATA;
	for (;;) {
		uint64_t bytes = ++w->pages > PAGES_MAX ? 0 : fill_page(w, va, rights, &status);

		if (bytes == 0)
			return complain(w, status);
		if (region->last - va < bytes)
			return EXIT_DATA;
		va += bytes;
		show_progress(w, va);
	}
}

/*
 * Each page once. Pages that turn out to be the guest's tables are taken from those that could
 * write them; the second pass gives what can be given back, and counts.
 */
static int fill_all(struct work *w)
{
	struct shadow_build *build = w->build;
	struct pw_regions regions;
	struct pw_region region;
	int status = EXIT_DATA;

	build->left = (struct shadow_left){.lost = 0};
	w->pages = 0;
	pw_regions_begin(&regions, build->guest, 0, UINT64_MAX, NULL, 0);
	regions.expand = true;
	while (status == EXIT_DATA && pw_regions_next(&regions, &region)) {
		if (region.kind == PW_REGION_MAPPED)
			status = fill_region(w, &region);
		else if (region.kind == PW_REGION_LOST)
			build->left.lost += (region.last - region.first) / PAGE_BYTES + 1;
	}
	if (status == EXIT_DATA && regions.status != PW_OK) {
		output_complain(
			"the guest's tables have more than %" PRIu64 " entries", regions.budget);
		status = EXIT_USAGE;
	}
	return status;
}

/* ---- The whole ---- */

static int complain_of_guest(const struct pw_space *guest, enum pw_status status)
{
	if (status != PW_E_UNSUPPORTED)
		output_complain("there is no room for a root table");
	else if (guest->format == &pw_format_x86_pae)
		output_complain("PAE paging: the PDPTE registers are missing, give --pdptes or "
				"--load-pdptes");
	else
		output_complain(
			"shadow tables are made for x86 guests, not for %s", guest->format->name);
	return EXIT_USAGE;
}

static int load(struct work *w, const struct pw_shadow_config *config)
{
	struct shadow_build *build = w->build;
	enum pw_status status = pw_shadow_begin(&w->shadow, config);
	pw_pa root;

	if (status == PW_OK)
		status = pw_shadow_load(&w->shadow, build->guest, build->user, NULL, &root);
	if (status == PW_OK)
		status = pw_space_init(&build->shadow, config->format, root, &build->image->memory);
	return status == PW_OK ? EXIT_DATA : complain_of_guest(build->guest, status);
}

int shadow_build(struct shadow_build *build)
{
	struct work w = {.build = build};
	struct pw_shadow_config config = {.memory = &build->image->memory,
		.format = build->guest->format->va_bits > 48 ? &pw_format_x86_64_la57
							     : &pw_format_x86_64,
		.largest_page = build->largest,
		.roots = &w.root,
		.root_max = 1,
		.find = find,
		.ctx = build->map};
	int status;

	if (!is_map_good(build->map))
		return EXIT_USAGE;
	config.use_max = USES_MIN + (build->guest_bytes / PAGE_BYTES) * WAYS_PER_TABLE;
	if (config.use_max > USES_MAX)
		config.use_max = USES_MAX;
	config.uses = w.uses = calloc(config.use_max, sizeof *w.uses);
	if (w.uses == NULL) {
		output_out_of_memory();
		return EXIT_SOURCE;
	}
	status = load(&w, &config);
	if (status == EXIT_DATA)
		status = fill_all(&w);
	if (status == EXIT_DATA)
		status = fill_all(&w);
	free(w.uses);
	return status;
}
