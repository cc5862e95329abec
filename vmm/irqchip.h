/* SPDX-License-Identifier: MIT */
/* Private: interrupt controllers and timer that live in KVM. */
#ifndef VMM_IRQCHIP_H
#define VMM_IRQCHIP_H

#include <pagewalk_vmm/vm.h>

/* Before the first vCPU. The reason of a failure stands in vm->error. */
enum vmm_status irqchip_create(struct vmm_vm *vm);

#endif
