/* SPDX-License-Identifier: MIT */
/* The slow twin as a judge of what iterators and regions say about single addresses. */
#ifndef HARNESS_TWIN_H
#define HARNESS_TWIN_H

#include "ram.h"
#include "slow_walk.h"

struct twin {
	struct slow_config config;
	struct slow_memory memory;
};

/* The twin of a space made by pw_space_init() over `ram`; `high` for Arm's upper half. */
static inline bool twin_begin(struct twin *twin, const struct pw_format *format, pw_pa root,
	const struct ram *ram, bool high)
{
	if (!slow_config_tables(&twin->config, format->name, root))
		return false;
	twin->config.arm_high = high;
	twin->memory = (struct slow_memory){ram->bytes, ram->base, ram->size, false, NULL};
	return true;
}

/* What is at va, regardless of rights. */
static inline struct slow_result twin_look(const struct twin *twin, pw_va va)
{
	static const struct slow_access any = {.op = SLOW_OP_NONE};
	struct slow_result result;

	slow_walk(&twin->config, &twin->memory, va, &any, &result);
	return result;
}

static inline unsigned twin_letters(struct slow_rights rights)
{
	return (rights.read ? PW_R : 0) | (rights.write ? PW_W : 0) | (rights.execute ? PW_X : 0);
}

/* The page at va has these rights for user and supervisor mode. */
static inline bool twin_grants(const struct slow_result *result, pw_grant grant)
{
	return twin_letters(result->user) == pw_grant_user(grant) &&
	       twin_letters(result->supervisor) == pw_grant_supervisor(grant);
}

#endif
