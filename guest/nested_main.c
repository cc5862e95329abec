/* SPDX-License-Identifier: MIT */
/*
 * Words of the command line: "serial" prints on the first serial port instead of port 0xe9;
 * "verbose" tells each case; "quick" leaves out all but a few random ones, and "long" makes more;
 * "tcg" and "bochs" say whose known deviations are to be expected.
 */
#include "nested_case.h"

int main(uint32_t magic, uint32_t information);

int main(uint32_t magic, uint32_t information)
{
	nested_init(magic, information);
	if (nested_cpu_init()) {
		nested_cases();
		nested_group(NULL);
	}
	return (int)nested_result();
}
