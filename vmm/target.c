/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "cmd.h"

int target_open(struct target *target, const struct space_args *args, const char *source)
{
	int status = source_open(&target->source, source);

	if (status != EXIT_DATA)
		return status;
	status = space_args_make(args, &target->source.memory, &target->space);
	if (status != EXIT_DATA)
		source_close(&target->source);
	return status;
}

void target_close(struct target *target)
{
	source_close(&target->source);
}
