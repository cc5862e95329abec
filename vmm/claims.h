/* SPDX-License-Identifier: MIT */
/* What a guest claims about its memory in a call, and whether the tables say the same. */
#ifndef PAGEWALK_CLAIMS_H
#define PAGEWALK_CLAIMS_H

#include <stdbool.h>

#include <guest/abi.h>
#include <pagewalk/space.h>

/* For GUEST_CALL_TRANSLATE, _STRING and _FAULT. */
bool claim_agrees(const struct pw_space *space, const struct guest_call *call);
pw_va claim_va(const struct guest_call *call);
pw_access claim_access(const struct guest_call *call);

/* "user write" */
const char *claim_access_text(uint32_t guest_access);

#endif
