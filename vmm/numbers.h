/* SPDX-License-Identifier: MIT */
/* Numbers as the command line has them: 0x hexadecimal or decimal, nothing around them. */
#ifndef PAGEWALK_NUMBERS_H
#define PAGEWALK_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/* A 64-bit number. A leading zero does not mean octal. False: not one; *value is untouched. */
bool number_parse(const char *text, uint64_t *value);

/* A number of bytes, which K, M, G or T multiplies by a power of 1024. */
bool size_parse(const char *text, uint64_t *bytes);

#endif
