/* SPDX-License-Identifier: MIT */
/*
 * The walker against its slow twin in all combinations of entry bits, control bits and access: the
 * matrix that kvm-unit-tests' `access` runs, and what it leaves out. Status, level, error code,
 * address, rights, and the Accessed and Dirty flags afterwards.
 *
 * By default every STRIDE-th combination is tried; all of them with PW_EXHAUSTIVE in the
 * environment, fewer if a share is asked for.
 */
#include "access_groups.h"
#include "share.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Primes that divide no product of choices, so that every setting meets every other. */
#define STRIDE       31
#define SHARE_STRIDE 211

#define FAILURES_SHOWN 10

static struct model_bench bench;

struct tally {
	uint64_t tried, differ;
};

static void try_one(struct model_cursor *cursor, struct tally *tally)
{
	char text[1024];
	const char *difference = model_try(&bench, &cursor->at[0]);

	tally->tried++;
	if (!difference)
		return;
	tally->differ++;
	if (tally->differ <= FAILURES_SHOWN)
		cr_expect(false, "%s: %s", model_describe(cursor, text, sizeof text), difference);
}

/* Tells of each case which is tried; counts what the caller wants counted. */
static struct tally try_group(const struct model_group *group,
	void (*count)(const struct model_case *c, uint64_t *counts), uint64_t *counts)
{
	uint64_t part = share() > 1 ? SHARE_STRIDE : STRIDE;
	uint64_t stride = getenv("PW_EXHAUSTIVE") ? 1 : part;
	struct tally tally = {0, 0};
	struct model_cursor cursor;

	model_bench_begin(&bench);
	model_begin(&cursor, group);
	do {
		if (!model_is_legal(&cursor))
			continue;
		try_one(&cursor, &tally);
		if (count)
			count(&cursor.at[0], counts);
	} while (model_advance(&cursor, stride));
	printf("%s: %llu cases, %llu differ%s\n", group->name, (unsigned long long)tally.tried,
		(unsigned long long)tally.differ,
		stride > 1 ? " (a part; PW_EXHAUSTIVE=1 for all)" : "");
	cr_expect(tally.differ == 0);
	cr_expect(tally.tried > 1000);
	return tally;
}

static void try_all(const struct model_group *group)
{
	(void)try_group(group, NULL, NULL);
}

/* What kvm-unit-tests counts: [0] without keys, [1] with them, [2] and a second reserved bit. */
static void count_matrix(const struct model_case *c, uint64_t *counts)
{
	const uint64_t bit_36 = UINT64_C(1) << 36;
	bool second = (c->field[MODEL_PTE] | c->field[MODEL_PDE]) & bit_36;
	bool keys =
		c->field[MODEL_KEY] || c->field[MODEL_PKRU] || (c->field[MODEL_CR4] & PW_CR4_PKE);

	counts[0] += !second && !keys;
	counts[1] += !second;
	counts[2]++;
}

static void try_matrix(const struct model_group *group)
{
	uint64_t counts[3] = {0, 0, 0};

	(void)try_group(group, count_matrix, counts);
	printf("    of them without keys %llu, with keys %llu, with a second reserved bit %llu\n",
		(unsigned long long)counts[0], (unsigned long long)counts[1],
		(unsigned long long)counts[2]);
	if (!getenv("PW_EXHAUSTIVE"))
		return;
	cr_expect(counts[0] == 1916928);
	cr_expect(counts[1] == 19169280);
	cr_expect(counts[2] == 28999680);
}

Test(access_model, matrix_of_kvm_unit_tests)
{
	try_matrix(&model_matrix);
}

Test(access_model, matrix_of_kvm_unit_tests_with_5_levels)
{
	try_matrix(&model_matrix_la57);
}

Test(access_model, supervisor_mode_access_prevention)
{
	try_all(&model_supervisor);
}

Test(access_model, protection_keys)
{
	try_all(&model_keys);
}

Test(access_model, shadow_stacks)
{
	try_all(&model_shadow_stack);
}

Test(access_model, pae)
{
	try_all(&model_pae);
}

Test(access_model, paging_32_bit)
{
	try_all(&model_32);
}

Test(access_model, huge_pages)
{
	try_all(&model_huge);
}

Test(access_model, every_bit_of_4_levels)
{
	try_all(&model_bits_long);
}

Test(access_model, every_bit_of_5_levels)
{
	try_all(&model_bits_la57);
}

Test(access_model, every_two_bits_of_4_levels)
{
	try_all(&model_pairs);
}

Test(access_model, every_two_bits_of_5_levels)
{
	try_all(&model_pairs_la57);
}

Test(access_model, every_two_bits_of_pae)
{
	try_all(&model_bits_pae);
}

Test(access_model, every_two_bits_of_32_bit_paging)
{
	try_all(&model_bits_32);
}
