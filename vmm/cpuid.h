/* SPDX-License-Identifier: MIT */
/* Private: what CPUID tells the guest. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <pagewalk_vmm/vcpu.h>

/*
 * Gives the vCPU what KVM supports, with its own place among the VM's vCPUs, and fills
 * vcpu->model. The reason of a failure stands in vcpu->error.
 */
enum vmm_status cpuid_set(struct vmm_vcpu *vcpu);

/*
 * The same table without a vCPU: writes into `cpuid`, which has room for CPUID_TOPOLOGY_ENTRIES
 * more entries, that it is about vCPU number `index` of `count`.
 */
#define CPUID_TOPOLOGY_ENTRIES 6
void cpuid_set_topology(struct kvm_cpuid2 *cpuid, uint32_t index, uint32_t count);

#endif
