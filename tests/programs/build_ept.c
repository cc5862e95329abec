/* SPDX-License-Identifier: MIT */
#include "programs.h"

enum pw_status build_ept(const struct pw_space *ept, uint64_t ram, pw_pa host, pw_va code,
	uint64_t code_bytes, struct pw_flush *flush)
{
	enum pw_status status = pw_map(ept, 0, host, ram, PW_R | PW_W | PW_MEM_WB, flush);

	if (status == PW_OK) /* splits a 1 GiB page if it must */
		status = pw_protect(ept, code, code_bytes, PW_X, flush);
	return status; /* flush->ranges: what INVEPT has to cover; then pw_flush_done() */
}
