/* SPDX-License-Identifier: MIT */
/* What `pagewalk ept` and `npt` have built: the root, the EPTP, and how many tables and pages. */
#ifndef PAGEWALK_EPT_REPORT_H
#define PAGEWALK_EPT_REPORT_H

#include <pagewalk/space.h>

struct ept_report {
	const struct pw_space *space;
	uint64_t base, bytes; /* of the image */
	bool has_eptp;
	uint64_t eptp_options; /* as pw_eptp_make() takes them */
};

void ept_report_print(const struct ept_report *report, bool json);

#endif
