/* SPDX-License-Identifier: MIT */
/* Bits of EPT entries. SDM vol. 3C, "The Extended Page Table Mechanism (EPT)". */
#ifndef PW_FORMATS_EPT_H
#define PW_FORMATS_EPT_H

#include "../bits.h"

#define EPT_R       PW_BIT(0)
#define EPT_W       PW_BIT(1)
#define EPT_X       PW_BIT(2)
#define EPT_RWX     PW_BITS(0, 2)
#define EPT_PS      PW_BIT(7)
#define EPT_A       PW_BIT(8)
#define EPT_D       PW_BIT(9)
#define EPT_ADDRESS PW_BITS(12, 51)

/* A bitmap: memory types that are none. */
#define EPT_NO_TYPES (1u << 2 | 1u << 3 | 1u << 7)

#endif
