/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include <inttypes.h>

void exit_handler(const struct pw_space *space, pw_va gva, FILE *out)
{
	struct pw_result hit;
	char text[128], name[16];

	if (pw_translate(space, gva, PW_ACCESS_WRITE | PW_ACCESS_USER, &hit) == PW_OK)
		fprintf(out, "%#" PRIx64 " -> %#" PRIx64 " (%s page)\n", gva, hit.pa,
			pw_size_name(hit.page_size));
	else
		fprintf(out, "%s\n", pw_explain(&hit, text, sizeof text));
	if (pw_read(space, gva, name, sizeof name) == PW_OK)
		fprintf(out, "%.16s\n", name);
}
