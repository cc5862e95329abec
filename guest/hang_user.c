/* SPDX-License-Identifier: MIT */
/* A guest that never exits, in ring 3, where a host runs it natively even if it emulates ring 0. */
#include "probe.h"
#include "tables.h"

__attribute__((section(".user.text"))) static void spin(void)
{
	for (;;)
		__asm__ volatile("pause");
}

int main(void)
{
	guest_begin();
	tables_init();
	tables_map_image();
	tables_load();
	probe_init();
	/* Nothing interrupts the guest, but some hosts get their own interrupts only then. */
	__asm__ volatile("sti");
	probe_in_ring3(0, (uintptr_t)spin, 0);
	return 1;
}
