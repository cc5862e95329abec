/* SPDX-License-Identifier: MIT */
/* Private: what the makers of spaces share, and memory beyond the first window. */
#ifndef PW_PRIVATE_SPACE_H
#define PW_PRIVATE_SPACE_H

#include <pagewalk/space.h>

/* Everything that does not depend on the family's rules. */
PW_NODISCARD enum pw_status pw_space_prepare(struct pw_space *space, const struct pw_format *format,
	pw_pa root, const struct pw_memory *memory, unsigned pa_bits);

/* Puts a finished space over another memory, which has no windows. */
void pw_space_move(struct pw_space *space, const struct pw_memory *memory);

/* After all rules are in: makes the quick path's tables, if one serves this space. */
void pw_space_finish(struct pw_space *space);

/* The row that the rules choose: EPT with mode-based execute control has its own. */
const struct pw_format *pw_stage2_row(const struct pw_format *format, const struct pw_rules *rules);

/* The rules of EPT and NPT, into a space that is prepared. Other families are left alone. */
void pw_stage2_apply(struct pw_space *space, const struct pw_rules *rules);

/* A hole at every level, or 0. */
bool pw_is_empty(const struct pw_format *format, uint64_t entry);

/* The alignment in bytes that a root must have. */
uint64_t pw_root_align(const struct pw_format *format);

/* The host address of `bytes` at pa if one window holds them all (and may be written), else NULL.
 */
char *pw_window_at(const struct pw_memory *memory, pw_pa pa, uint64_t bytes, bool write);

#endif
