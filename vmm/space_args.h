/* SPDX-License-Identifier: MIT */
/* The options that say which address space is meant (SPACE) and who accesses it (ACCESS). */
#ifndef PAGEWALK_SPACE_ARGS_H
#define PAGEWALK_SPACE_ARGS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include <pagewalk/space.h>

struct space_args {
	const struct pw_format *format; /* of --format; NULL: the registers decide */
	const char *register_option;    /* an option given that needs --cr3 */
	const char *riscv_option;       /* an option given that only RISC-V has */
	uint64_t root;
	struct pw_x86_state state;
	struct pw_rules rules;
	bool has_root, has_cr3, has_efer;
	bool load_pdptes;
};

/* Its input is a struct space_args; once all is parsed the space is known to be possible. */
extern const struct argp space_argp;

/* The space over `memory`. EXIT_DATA, or EXIT_USAGE after a complaint. */
int space_args_make(
	const struct space_args *args, const struct pw_memory *memory, struct pw_space *space);

struct access_args {
	pw_access kind; /* PW_ACCESS_READ, _WRITE or _FETCH; 0: none was named */
	bool user, implicit, shadow_stack;
};

/* Its input is a struct access_args. */
extern const struct argp access_argp;

/* The access meant, PW_ACCESS_ANY without options; 0 after a complaint. */
pw_access access_args_resolve(const struct access_args *args, const struct space_args *space);

#endif
