/* SPDX-License-Identifier: MIT */
#include "target.h"

#include "cmd.h"

static int make_spaces(
	struct target *target, const struct space_args *space, const struct nested_args *nested)
{
	const struct pw_memory *memory = &target->source.memory;
	int status = space_args_make(space, memory, &target->space);

	target->stage2 = NULL;
	if (status != EXIT_DATA || nested == NULL || nested->format == NULL)
		return status;
	target->stage2 = &target->stage2_space;
	return nested_args_make(nested, memory, &target->stage2_space);
}

int target_open(struct target *target, const struct space_args *space,
	const struct nested_args *nested, const char *source)
{
	int status;

	if (nested != NULL && !nested_args_fit(nested, space))
		return EXIT_USAGE;
	status = source_open(&target->source, source);
	if (status != EXIT_DATA)
		return status;
	status = make_spaces(target, space, nested);
	if (status != EXIT_DATA)
		source_close(&target->source);
	return status;
}

void target_close(struct target *target)
{
	source_close(&target->source);
}
