/* SPDX-License-Identifier: MIT */
#include "programs.h"

enum pw_status build_ept(const struct pw_memory *tables, pw_pa host, pw_va code, uint64_t bytes,
	struct pw_flush *flush, struct pw_space *ept)
{
	pw_pa root;
	enum pw_status status = pw_root_create(&pw_format_ept_4, tables, &root);

	if (status == PW_OK)
		status = pw_space_init(ept, &pw_format_ept_4, root, tables);
	if (status == PW_OK)
		status = pw_map(ept, 0, host, UINT64_C(4) << 30, PW_R | PW_W | PW_MEM_WB, flush);
	if (status == PW_OK) /* splits a 1 GiB page if it must */
		status = pw_protect(ept, code, bytes, PW_X, flush);
	return status; /* flush->ranges: what INVEPT has to cover; then pw_flush_done() */
}
