/* SPDX-License-Identifier: MIT */
/*
 * Private: what an x86 CPU does with a linear address before it looks at any table: LAM takes the
 * metadata out, and LASS refuses what lies in the other half. SDM vol. 3A "Linear-Address
 * Pre-Processing".
 */
#ifndef PW_PRIVATE_LINEAR_H
#define PW_PRIVATE_LINEAR_H

#include "bits.h"
#include <pagewalk/translate.h>

/* struct pw_space.lass */
#define PW_LASS_ON       1u /* user accesses, and fetches of the supervisor */
#define PW_LASS_EXPLICIT 2u /* and the supervisor's explicit data accesses, */
#define PW_LASS_IMPLICIT 4u /* and its implicit ones */

PW_INLINE bool pw_has_linear_rules(const struct pw_space *space)
{
	return (space->lam_user | space->lam_supervisor | space->lass) != 0;
}

/*
 * For spaces that have such rules. *va becomes the address that is walked. PW_NON_CANONICAL or
 * PW_LASS: the access ends here.
 */
PW_NODISCARD enum pw_status pw_linear(const struct pw_space *space, pw_va *va, pw_access access);

#endif
