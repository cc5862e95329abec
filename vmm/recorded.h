/* SPDX-License-Identifier: MIT */
/* Private: the recording of the `paging` guest inside this program. */
#ifndef PAGEWALK_RECORDED_H
#define PAGEWALK_RECORDED_H

#include <stddef.h>

extern const unsigned char recorded_guest[];
extern const unsigned char recorded_guest_end[];

#define RECORDED_GUEST_BYTES ((size_t)(recorded_guest_end - recorded_guest))

#endif
