/* SPDX-License-Identifier: MIT */
/*
 * A share of a test. PW_SHARE=N in the environment asks the tests that try very many cases for one
 * in N: for builds in which each case costs ten times as much, under an emulator or a sanitizer,
 * and which are there for another kind of defect than too few cases (see tests/CMakeLists.txt,
 * which sets it there). Without it, all are tried.
 *
 * The seed is that of the whole test, and the cases are among the whole test's; a failure is found
 * again by the same PW_SEED and PW_SHARE. What is checked of a case, and that a test has met enough
 * cases of each kind, is the same: so each caller states how few would not be enough.
 */
#ifndef HARNESS_SHARE_H
#define HARNESS_SHARE_H

#include <stdint.h>
#include <stdlib.h>

#define SHARE_MAX 1000

/* One in so many: 1 for all. Of a loop over all that there is, take every share()-th. */
static inline unsigned share(void)
{
	const char *text = getenv("PW_SHARE");
	unsigned long n = text ? strtoul(text, NULL, 0) : 1;

	return n >= 1 && n <= SHARE_MAX ? (unsigned)n : 1;
}

/* Rounds of a random test: `full`, or a share of them, but never fewer than `least`. */
static inline unsigned share_of(unsigned full, unsigned least)
{
	unsigned part = full / share();

	return part > least ? part : least;
}

#endif
