/* SPDX-License-Identifier: MIT */
/* Private: the small devices of a PC. */
#ifndef VMM_PC_H
#define VMM_PC_H

#include <pagewalk_vmm/machine.h>

/*
 * Adds the devices' ports. A reset or power-off comes out of the dispatch as VMM_FINISHED, with
 * pc->event set to KVM_SYSTEM_EVENT_...
 */
enum vmm_status pc_attach(struct vmm_pc *pc, const struct vmm_vm *vm, struct vmm_ports *ports);

/* One byte of an item of fw_cfg; 0 for an item that is not there, and behind an item's end. */
uint8_t pc_fw_cfg_byte(const struct vmm_vm *vm, uint16_t key, uint32_t offset);

/* One register of the clock, at a time in seconds since 1970. */
uint8_t pc_cmos_register(const struct vmm_vm *vm, uint8_t index, int64_t seconds);

#endif
