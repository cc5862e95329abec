/* SPDX-License-Identifier: MIT */
/* The smallest useful guest: prints a line on the serial port and ends with 0. */
#include "lib.h"

#define LINE_STATUS          (GUEST_PORT_SERIAL + 5)
#define LINE_STATUS_CAN_SEND 0x20

int main(void)
{
	const char *text = "Hello from a guest on the serial port\n";

	guest_begin();
	for (; *text; text++) {
		while (!(guest_in8(LINE_STATUS) & LINE_STATUS_CAN_SEND))
			;
		guest_out8(GUEST_PORT_SERIAL, (uint8_t)*text);
	}
	return 0;
}
