/* SPDX-License-Identifier: MIT */
/*
 * Runs of entries in tables that are directly addressable and that no CPU walks: plain stores of
 * whole aligned entries, several at a time where entries have 8 bytes in the host's byte order.
 */
#include "build.h"

void *memset(void *to, int byte, size_t bytes);

#if defined(__GNUC__)
/* The narrowest vector registers: what is wider is taken apart entry by entry where it is missing.
 */
#define LANES 2
typedef uint64_t vector __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef uint32_t halves __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* Returns the number of entries stored; the rest is fewer than a vector's. */
static uint64_t fill_vectors(char *at, uint64_t count, uint64_t value, uint64_t stride)
{
	const uint64_t step = LANES * stride;
	vector a = {value, value + stride}, b = a + step, c = b + step, d = c + step;
	uint64_t done = 0;

	for (; done + 4 * LANES <= count; done += 4 * LANES) {
		vector *to = (vector *)(void *)(at + done * 8);

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = d;
		a += 4 * step;
		b += 4 * step;
		c += 4 * step;
		d += 4 * step;
	}
	return done;
}
#endif

/* Vector code for runs of this format's entries; NULL: there is none. */
static const struct pw_kernels *kernels_of(const struct pw_build *b)
{
	return pw_is_plain(b->format) ? b->memory->kernels : NULL;
}

/* False: the kernels cannot tell what is present. */
static bool presence_of(const struct pw_level *row, struct pw_presence *presence)
{
	presence->all = row->present_all;
	presence->any = row->present_any ? row->present_any : row->present_all;
	return presence->any != 0;
}

void pw_fill_run(const struct pw_build *b, const struct pw_run *run)
{
	const struct pw_format *format = b->format;
	const struct pw_kernels *kernels = kernels_of(b);
	unsigned bytes = format->entry_bytes;
	char *at = run->table->host + run->index * bytes;
	uint64_t done = 0, entry;

	if (!run->value && !run->stride) {
		memset(at, 0, run->count * bytes);
		return;
	}
	if (kernels) {
		kernels->fill((void *)at, run->count, run->value, run->stride);
		return;
	}
#if defined(__GNUC__)
	if (pw_is_plain(format))
		done = fill_vectors(at, run->count, run->value, run->stride);
#endif
	for (entry = run->value + done * run->stride; done < run->count; done++) {
		pw_put(format, at + done * bytes, entry);
		entry += run->stride;
	}
}

static bool is_span(const struct pw_level *row, uint64_t entry)
{
	return row->span.size_log2 && (entry & row->span.mask) == row->span.value;
}

/* The changed entry; a hole stays as it is. */
static uint64_t changed(const struct pw_level *row, const struct pw_run *run, uint64_t entry)
{
	const struct pw_change *change = is_span(row, entry) ? &run->span : &run->change;

	return pw_is_present(row, entry) ? (entry & change->keep) | change->set : entry;
}

#if defined(__GNUC__)
/* AND and OR of all entries of a run. */
struct bits {
	uint64_t all, some;
};

static uint64_t common_vectors(
	const char *at, const char *ahead, uint64_t count, struct bits *common)
{
	vector none = {0, 0}, all[2] = {~none, ~none}, some[2] = {none, none};
	uint64_t done = 0;

	for (; done + 2 * LANES <= count; done += 2 * LANES) {
		const vector *from = (const vector *)(const void *)(at + done * 8);

		all[0] &= from[0];
		all[1] &= from[1];
		some[0] |= from[0];
		some[1] |= from[1];
		if (!(done & 7))
			__builtin_prefetch(ahead + done * 8, 1);
	}
	common->all = all[0][0] & all[0][1] & all[1][0] & all[1][1];
	common->some = some[0][0] | some[0][1] | some[1][0] | some[1][1];
	return done;
}

/*
 * All ones in the lanes whose entry is present, if only low bits decide about that: comparing 64
 * bits at a time takes more than the narrowest vector units have. Vectors go by address: how they
 * are passed by value depends on the CPU that the caller was compiled for.
 */
PW_INLINE void present_lanes(const struct pw_level *row, const vector *entries, vector *lanes)
{
	const vector low = {UINT32_MAX, UINT32_MAX};
	vector wanted = {row->present_all, row->present_all};
	/* The high halves compare 0 with 0: all ones. */
	vector equal = (vector)((halves)(*entries & wanted) == (halves)wanted);

	*lanes = equal & (equal << 32 | low);
	if (row->present_any) {
		vector any = {row->present_any, row->present_any};

		equal = (vector)((halves)(*entries & any) == (halves)(any ^ any));
		*lanes &= ~(equal & (equal << 32 | low));
	}
}

static bool has_low_present_bits(const struct pw_level *row)
{
	return (row->present_all | row->present_any) <= UINT32_MAX;
}

static uint64_t change_vectors(const struct pw_level *row, const struct pw_run *run, char *at,
	uint64_t count, uint64_t *different)
{
	uint64_t keep = run->change.keep, set = run->change.set, done = 0;
	vector any = {0, 0};

	if (run->all_present) {
		for (; done + 2 * LANES <= count; done += 2 * LANES) {
			vector *to = (vector *)(void *)(at + done * 8), old[] = {to[0], to[1]};

			to[0] = (old[0] & keep) | set;
			to[1] = (old[1] & keep) | set;
			any |= (old[0] ^ to[0]) | (old[1] ^ to[1]);
		}
	} else if (has_low_present_bits(row)) {
		for (; done + LANES <= count; done += LANES) {
			vector *to = (vector *)(void *)(at + done * 8), old = *to, flip;

			present_lanes(row, &old, &flip);
			flip &= old ^ ((old & keep) | set);
			any |= flip;
			*to = old ^ flip;
		}
	}
	*different = any[0] | any[1];
	return done;
}
#endif

uint64_t pw_change_run(const struct pw_build *b, const struct pw_run *run)
{
	const struct pw_format *format = b->format;
	const struct pw_kernels *kernels = kernels_of(b);
	struct pw_presence presence;
	const struct pw_level *row = &format->level[run->level];
	unsigned bytes = format->entry_bytes;
	char *at = run->table->host + run->index * bytes;
	uint64_t done = 0, different = 0, count = 0;
	bool spans = pw_has_spans(b->space, run->level);

	if (kernels && !spans && presence_of(row, &presence)) {
		different = kernels->change((void *)at,
			(const void *)(run->ahead ? run->ahead : at), run->count,
			run->all_present ? NULL : &presence, run->change.keep, run->change.set);
		return different ? run->count : 0;
	}
#if defined(__GNUC__)
	if (pw_is_plain(format) && !spans) {
		done = change_vectors(row, run, at, run->count, &different);
		count = different ? done : 0;
	}
#endif
	for (; done < run->count; done++) {
		uint64_t old = pw_peek(format, at + done * bytes);
		uint64_t entry = changed(row, run, old);

		if (entry == old)
			continue;
		pw_put(format, at + done * bytes, entry);
		count++;
	}
	return count;
}

uint64_t pw_change_live_run(const struct pw_format *format, const struct pw_run *run)
{
	const struct pw_level *row = &format->level[run->level];
	pw_word *at = (pw_word *)(void *)run->table->host + run->index;
	uint64_t count = 0;

	for (uint64_t i = 0; i < run->count; i++) {
		uint64_t old = __atomic_load_n(&at[i], __ATOMIC_RELAXED), entry;

		do {
			entry = changed(row, run, old);
		} while (entry != old && !__atomic_compare_exchange_n(&at[i], &old, entry, true,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
		count += entry != old;
	}
	return count;
}

static void survey_entry(struct pw_common *survey, const struct pw_level *row, uint64_t entry)
{
	survey->nonzero |= entry != 0;
	if (pw_is_present(row, entry)) {
		survey->all &= entry;
		survey->some |= entry;
	} else {
		survey->full = false;
	}
}

#if defined(__GNUC__)
static uint64_t survey_vectors(struct pw_common *survey, const struct pw_level *row, const char *at,
	const char *ahead, uint64_t count)
{
	struct bits common;
	uint64_t last = common_vectors(at, ahead, count, &common), done = 0;
	vector none = {0, 0}, all = ~none, some = none;

	if (!last)
		return 0;
	survey->full = pw_is_present(row, common.all);
	survey->nonzero = common.some != 0;
	if (!common.some)
		return last;
	if (survey->full) {
		survey->all &= common.all;
		survey->some |= common.some;
		return last;
	}
	if (!has_low_present_bits(row))
		return 0;
	for (; done < last; done += LANES) {
		vector entries = *(const vector *)(const void *)(at + done * 8), lanes;

		present_lanes(row, &entries, &lanes);
		all &= entries | ~lanes;
		some |= entries & lanes;
	}
	survey->all &= all[0] & all[1];
	survey->some |= some[0] | some[1];
	return last;
}
#endif

struct pw_common pw_survey_run(
	const struct pw_build *b, unsigned level, const char *at, const char *ahead, uint64_t count)
{
	const struct pw_format *format = b->format;
	const struct pw_level *row = &format->level[level];
	const struct pw_kernels *kernels = kernels_of(b);
	struct pw_common survey = {~(uint64_t)0, 0, false, true};
	struct pw_presence presence;
	uint64_t done = 0;

	if (!ahead)
		ahead = at;
	if (kernels && presence_of(row, &presence)) {
		kernels->survey((const void *)at, (const void *)ahead, count, &presence, &survey);
		return survey;
	}
#if defined(__GNUC__)
	if (pw_is_plain(format))
		done = survey_vectors(&survey, row, at, ahead, count);
#endif
	for (; done < count; done++)
		survey_entry(&survey, row, pw_peek(format, at + done * format->entry_bytes));
	return survey;
}
