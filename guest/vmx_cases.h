/* SPDX-License-Identifier: MIT */
/* What the files with cases for EPT share. */
#ifndef GUEST_VMX_CASES_H
#define GUEST_VMX_CASES_H

#include "nested_case.h"
#include "vmx.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* An outcome is 0 if the access goes through, this, or bits of an exit qualification: */
#define MISCONFIGURED 0xffffu

#define RD  VMX_VIOLATION_READ
#define WR  VMX_VIOLATION_WRITE
#define F   VMX_VIOLATION_FETCH
#define PR  VMX_VIOLATION_READABLE
#define PW  VMX_VIOLATION_WRITABLE
#define PX  VMX_VIOLATION_EXECUTABLE
#define PUX VMX_VIOLATION_USER_EXECUTE

/* How many levels can hold pages: 1, 2 or 3. */
unsigned vmx_leaf_levels(void);

/* R is missing where the processor insists on it. */
bool vmx_is_unsupported(unsigned rights);

/* The bit is reserved at this level of a way that ends with a page at level `leaf`. */
bool vmx_is_reserved(unsigned bit, unsigned level, unsigned leaf);

/* Runs the case against this outcome, there. */
void vmx_expect(const struct nested_case *c, unsigned outcome, enum nested_place place);

/* Every level of every page size. */
void vmx_for_each_place(struct nested_case *c, void (*try)(struct nested_case *c));

/* vmx_pages.c: groups of cases; `control` is VMX_CONTROL_... */
void vmx_try_pages(uint32_t control);
void vmx_try_misconfigurations(void);
void vmx_try_wide_addresses(void);

/* vmx_tables.c */
void vmx_try_tables(uint32_t control);

#endif
