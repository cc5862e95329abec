/* SPDX-License-Identifier: MIT */
/* What the walker and its slow twin must say alike about one address. */
#ifndef HARNESS_AGREE_H
#define HARNESS_AGREE_H

#include "slow_walk.h"
#include <pagewalk/translate.h>

/* The twin's word for a status of pw_translate(). */
enum slow_status agree_slow_status(unsigned status);

/* The walk ended at a page, whether or not the access was allowed. */
bool agree_has_page(const struct pw_result *result);

/* The first field in which the two differ, or NULL. */
const char *agree_difference(const struct pw_format *format, const struct pw_result *result,
	const struct slow_result *twin);

#endif
