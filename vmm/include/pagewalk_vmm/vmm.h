/* SPDX-License-Identifier: MIT */
/*
 * The VMM library: boots a guest under KVM and hands each of its exits to the caller, with the
 * guest's address space as a struct pw_space. It prints nothing, never exits, and keeps no global
 * state but one signal handler (vcpu.h). Objects are the caller's; no call allocates them.
 *
 * In order: vmm_vm_create(), vmm_image_load_...(), vmm_vcpu_create(), vmm_vcpu_boot(),
 * vmm_ports_add() and friends, vmm_ports_run() or vmm_vcpu_run() in a loop, vmm_vcpu_destroy(),
 * vmm_vm_destroy(). Or all of it at once: vmm_machine_create(), vmm_machine_run(),
 * vmm_machine_destroy().
 */
#ifndef PAGEWALK_VMM_VMM_H
#define PAGEWALK_VMM_VMM_H

#include <pagewalk_vmm/image.h>
#include <pagewalk_vmm/machine.h>
#include <pagewalk_vmm/multiboot.h>
#include <pagewalk_vmm/ports.h>
#include <pagewalk_vmm/run.h>
#include <pagewalk_vmm/status.h>
#include <pagewalk_vmm/uart.h>
#include <pagewalk_vmm/vcpu.h>
#include <pagewalk_vmm/vm.h>

#endif
