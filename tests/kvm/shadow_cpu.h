/* SPDX-License-Identifier: MIT */
/* What the two halves of the shadow host share. */
#ifndef TESTS_KVM_SHADOW_CPU_H
#define TESTS_KVM_SHADOW_CPU_H

#include "shadow_host.h"

/* Where the first 2 MiB of KVM's memory are mapped for ring 0, under every root. */
#define SHADOW_OWN UINT64_C(0xffffff0000000000)

uint64_t shadow_host_hpa(uint64_t gpa);
/* KVM forgets what the flush list says. */
void shadow_host_flush(struct shadow_host *host);
/* A write into a read-only slot has been made, and the shadow has heard of it. */
bool shadow_host_stored(struct shadow_host *host, const struct vmm_mmio_access *mmio);

#endif
