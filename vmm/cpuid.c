/* SPDX-License-Identifier: MIT */
/* The vCPU's CPUID: what KVM supports, and where the vCPU stands among the others. */
#include "cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "error.h"

/* KVM answers E2BIG while the table is too short; no host comes near the second. */
#define CPUID_ENTRIES_FIRST 128
#define CPUID_ENTRIES_MOST  4096

#define LEAF_BASIC           1u
#define LEAF_CACHES          4u
#define LEAF_FEATURES        7u
#define LEAF_TOPOLOGY        0xbu
#define LEAF_XSAVE           0xdu
#define LEAF_TOPOLOGY_2      0x1fu
#define LEAF_EXTENDED        0x80000001u
#define LEAF_ADDRESS_SIZES   0x80000008u
#define LEAF_AMD_CACHES      0x8000001du
#define LEAF_AMD_TOPOLOGY    0x8000001eu
#define XSAVE_COMPONENT_PKRU 9u

#define BASIC_ECX_TSC_DEADLINE (1u << 24)

/* SDM "CPUID", leaf 0BH, ECX[15:8]. */
#define LEVEL_SMT  1u
#define LEVEL_CORE 2u

#define VENDOR_EBX_INTEL 0x756e6547u /* "Genu" */
#define VENDOR_EBX_AMD   0x68747541u /* "Auth" */
#define VENDOR_EBX_HYGON 0x6f677948u /* "Hygo" */

/* The caller frees *cpuid. */
static enum vmm_status supported_cpuid(struct vmm_vcpu *vcpu, struct kvm_cpuid2 **cpuid)
{
	for (unsigned count = CPUID_ENTRIES_FIRST; count <= CPUID_ENTRIES_MOST; count *= 2) {
		size_t entries = count + CPUID_TOPOLOGY_ENTRIES;
		struct kvm_cpuid2 *table;
		int reason;

		table = calloc(1, sizeof *table + entries * sizeof table->entries[0]);
		if (!table)
			return vmm_error_set(&vcpu->error, VMM_NO_MEMORY, "no memory for CPUID");
		table->nent = count;
		if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, table) == 0) {
			*cpuid = table;
			return VMM_OK;
		}
		reason = errno;
		free(table);
		errno = reason;
		if (reason != E2BIG)
			break;
	}
	return vmm_error_system(&vcpu->error, "KVM_GET_SUPPORTED_CPUID");
}

static struct kvm_cpuid_entry2 *find_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

static enum vmm_vendor vendor_of(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *leaf = find_leaf(cpuid, 0, 0);

	switch (leaf ? leaf->ebx : 0) {
	case VENDOR_EBX_INTEL:
		return VMM_VENDOR_INTEL;
	case VENDOR_EBX_AMD:
	case VENDOR_EBX_HYGON:
		return VMM_VENDOR_AMD;
	default:
		return VMM_VENDOR_OTHER;
	}
}

static void read_model(struct vmm_cpu_model *model, struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *basic = find_leaf(cpuid, LEAF_BASIC, 0);
	const struct kvm_cpuid_entry2 *features = find_leaf(cpuid, LEAF_FEATURES, 0);
	const struct kvm_cpuid_entry2 *pkru = find_leaf(cpuid, LEAF_XSAVE, XSAVE_COMPONENT_PKRU);
	const struct kvm_cpuid_entry2 *extended = find_leaf(cpuid, LEAF_EXTENDED, 0);
	const struct kvm_cpuid_entry2 *sizes = find_leaf(cpuid, LEAF_ADDRESS_SIZES, 0);

	model->vendor = vendor_of(cpuid);
	model->pse36 = basic && (basic->edx >> 17 & 1);
	model->la57 = features && (features->ecx >> 16 & 1);
	model->pkru_offset = pkru ? pkru->ebx : 0;
	model->no_execute = extended && (extended->edx >> 20 & 1);
	model->gib_pages = extended && (extended->edx >> 26 & 1);
	model->long_mode = extended && (extended->edx >> 29 & 1);
	/* Without the leaf: SDM "CPUID", MAXPHYADDR is 36 where there is PAE. */
	model->physical_bits = sizes ? sizes->eax & 0xff : 36;
	model->linear_bits = sizes ? sizes->eax >> 8 & 0xff : 32;
}

/* Bits that hold the numbers below `count`. */
static uint32_t width_of(uint32_t count)
{
	uint32_t width = 0;

	while (UINT32_C(1) << width < count)
		width++;
	return width;
}

static uint32_t with_field(uint32_t value, unsigned shift, unsigned bits, uint32_t field)
{
	const uint32_t mask = ((UINT32_C(1) << bits) - 1) << shift;

	return (value & ~mask) | (field << shift & mask);
}

/* SDM leaf 04H and APM Fn8000_001D: every core has its caches, all share those of level 3 up. */
static void set_cache(struct kvm_cpuid_entry2 *entry, uint32_t width)
{
	uint32_t level = entry->eax >> 5 & 7;
	uint32_t others = (UINT32_C(1) << width) - 1;

	if ((entry->eax & 0x1f) == 0)
		return; /* the list's end */
	entry->eax = with_field(entry->eax, 14, 12, level >= 3 ? others : 0);
	if (entry->function == LEAF_CACHES)
		entry->eax = with_field(entry->eax, 26, 6, others);
}

static void set_basic(struct kvm_cpuid_entry2 *entry, uint32_t index, uint32_t count)
{
	entry->ebx = with_field(entry->ebx, 16, 8, count);
	entry->ebx = with_field(entry->ebx, 24, 8, index);
	entry->edx = with_field(entry->edx, 28, 1, count > 1);
}

static void set_entry(struct kvm_cpuid_entry2 *entry, bool amd, uint32_t index, uint32_t count)
{
	uint32_t width = width_of(count);

	switch (entry->function) {
	case LEAF_BASIC:
		set_basic(entry, index, count);
		break;
	case LEAF_CACHES:
	case LEAF_AMD_CACHES:
		set_cache(entry, width);
		break;
	case LEAF_EXTENDED:
		if (amd)
			entry->ecx = with_field(entry->ecx, 1, 1, count > 1);
		break;
	case LEAF_ADDRESS_SIZES:
		if (amd)
			entry->ecx =
				with_field(with_field(entry->ecx, 0, 8, count - 1), 12, 4, width);
		break;
	case LEAF_AMD_TOPOLOGY:
		entry->eax = index;
		entry->ebx = index; /* one thread a core */
		entry->ecx = 0;     /* one node */
		break;
	default:
		break;
	}
}

static void remove_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function != leaf)
			cpuid->entries[kept++] = cpuid->entries[i];
	cpuid->nent = kept;
}

static void add_level(struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t level_index, uint32_t shift,
	uint32_t processors)
{
	static const uint32_t types[] = {LEVEL_SMT, LEVEL_CORE, 0};

	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = level_index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = shift,
		.ebx = processors,
		.ecx = level_index | types[level_index] << 8,
	};
}

/* SDM "CPUID", leaves 0BH and 1FH: one thread a core, all cores in one package. */
static void replace_topology(
	struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index, uint32_t count)
{
	uint32_t first;

	remove_leaf(cpuid, leaf);
	first = cpuid->nent;
	add_level(cpuid, leaf, 0, 0, 1);
	add_level(cpuid, leaf, 1, width_of(count), count);
	add_level(cpuid, leaf, 2, 0, 0);
	for (uint32_t i = first; i < cpuid->nent; i++)
		cpuid->entries[i].edx = index;
}

void cpuid_set_topology(struct kvm_cpuid2 *cpuid, uint32_t index, uint32_t count)
{
	const struct kvm_cpuid_entry2 *maximum = find_leaf(cpuid, 0, 0);
	uint32_t most = maximum ? maximum->eax : 0;
	bool amd = vendor_of(cpuid) == VMM_VENDOR_AMD;

	for (uint32_t i = 0; i < cpuid->nent; i++)
		set_entry(&cpuid->entries[i], amd, index, count);
	if (most >= LEAF_TOPOLOGY)
		replace_topology(cpuid, LEAF_TOPOLOGY, index, count);
	if (most >= LEAF_TOPOLOGY_2)
		replace_topology(cpuid, LEAF_TOPOLOGY_2, index, count);
}

/* KVM's local APIC has this timer mode, but says so only when it is asked for it by name. */
static void set_deadline_timer(const struct vmm_vm *vm, struct kvm_cpuid2 *cpuid)
{
	struct kvm_cpuid_entry2 *basic = find_leaf(cpuid, LEAF_BASIC, 0);

	if (basic && vm->irqchip &&
		ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		basic->ecx |= BASIC_ECX_TSC_DEADLINE;
}

enum vmm_status cpuid_set(struct vmm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = NULL;
	enum vmm_status status = supported_cpuid(vcpu, &cpuid);

	if (status != VMM_OK)
		return status;
	cpuid_set_topology(cpuid, vcpu->index, vcpu->vm->vcpus);
	set_deadline_timer(vcpu->vm, cpuid);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		status = vmm_error_system(&vcpu->error, "KVM_SET_CPUID2");
	else
		read_model(&vcpu->model, cpuid);
	free(cpuid);
	return status;
}
