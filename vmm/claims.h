/* SPDX-License-Identifier: MIT */
/* What a guest claims about its memory in a call, for the story. */
#ifndef PAGEWALK_CLAIMS_H
#define PAGEWALK_CLAIMS_H

#include <guest/abi.h>
#include <pagewalk/space.h>

/* For GUEST_CALL_TRANSLATE, _STRING and _FAULT. */
pw_va claim_va(const struct guest_call *call);
pw_access claim_access(const struct guest_call *call);

/* "user write" */
const char *claim_access_text(uint32_t guest_access);

#endif
