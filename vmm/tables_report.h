/* SPDX-License-Identifier: MIT */
/*
 * What `pagewalk ept`, `npt` and `shadow` have built: the root, the EPTP, and how many tables and
 * pages.
 */
#ifndef PAGEWALK_TABLES_REPORT_H
#define PAGEWALK_TABLES_REPORT_H

#include <pagewalk/space.h>

/* What shadow tables leave to emulation, in pages of 4 KiB of the guest's address space. */
struct shadow_left {
	uint64_t tables; /* writes to the guest's own tables */
	uint64_t device; /* where the map has no memory */
	uint64_t rights; /* what the map's rights do not allow to be read */
	uint64_t lost;   /* behind a table of the guest that is in no memory */
};

struct tables_report {
	const struct pw_space *space;
	uint64_t base, bytes; /* of the image */
	bool has_eptp;
	uint64_t eptp_options;          /* as pw_eptp_make() takes them */
	const struct shadow_left *left; /* NULL: these are no shadow tables */
};

void tables_report_print(const struct tables_report *report, bool json);

#endif
