/* SPDX-License-Identifier: MIT */
#include "access_judge.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <criterion/criterion.h>

#define COMPLAINTS_SHOWN 10

#define CPUID_1_EDX_PSE  (1u << 3)
#define CPUID_7_EBX_SMEP (1u << 7)
#define CPUID_7_EBX_SMAP (1u << 20)
#define CPUID_7_ECX_PKU  (1u << 3)
#define CPUID_8_EDX_NX   (1u << 20)

static const struct {
	const char *name;
	bool deviates[JUDGE_DEVIATIONS];
} emulators[] = {
	{"QEMU TCG", {[JUDGE_RESERVED_WITHOUT_P] = true,
			     [JUDGE_IMPLICIT_OBEYS_AC] = true,
			     [JUDGE_PDPTE_ACCESSED] = true,
			     [JUDGE_GIB_ACCESSED] = true}},
	{"Bochs", {[JUDGE_IMPLICIT_OBEYS_AC] = true, [JUDGE_IMPLICIT_3_OBEYS_AC] = true}},
};

/*
 * QEMU's TCG says so in the name of its CPU, to the KVM that runs on it and to us. Bochs bears the
 * name of the CPU that it plays: there we have the word of tests/hosts/run.sh.
 */
static const char *emulator(void)
{
	const char *host = getenv("PW_HOST");
	uint32_t name[13] = {0};

	for (unsigned i = 0; i < 3; i++)
		(void)!__get_cpuid(0x80000002u + i, &name[4 * i], &name[4 * i + 1],
			&name[4 * i + 2], &name[4 * i + 3]);
	if (strstr((const char *)name, "QEMU TCG"))
		return "QEMU TCG";
	return host && strcmp(host, "bochs-vmx") == 0 ? "Bochs" : NULL;
}

void judge_begin(struct judge *judge, struct machine *machine, const struct model_group *group,
	enum judge_layout layout, uint64_t wanted)
{
	*judge = (struct judge){
		.machine = machine,
		.group = *group,
		.layout = layout,
		.one_pde = group == &model_cpu_huge || group == &model_cpu_huge_la57,
		.emulator = emulator(),
		.wanted = wanted,
	};
	for (unsigned i = 0; judge->emulator && i < sizeof emulators / sizeof emulators[0]; i++)
		if (strcmp(judge->emulator, emulators[i].name) == 0)
			memcpy(judge->deviates, emulators[i].deviates, sizeof judge->deviates);
}

/* The choice is not offered: the CPU does not have what it needs. */
static void drop(struct judge *judge, enum model_field field, uint64_t bits)
{
	struct model_choice *choices = judge->group.choices;

	for (unsigned i = 0; i < MODEL_CHOICES && choices[i].settings; i++) {
		if (choices[i].settings[0].field != field || choices[i].settings[0].flip != bits)
			continue;
		memmove(&choices[i], &choices[i + 1], (MODEL_CHOICES - i - 1) * sizeof choices[0]);
		choices[MODEL_CHOICES - 1] = (struct model_choice){NULL, 0};
		i--;
	}
}

/*
 * What KVM can do for a guest. Some KVM lets the guest's CPUID instruction through to the host's
 * processor, which can do more.
 */
static struct kvm_cpuid_entry2 supported(const struct judge *judge, uint32_t leaf)
{
	enum {
		ENTRIES = 512
	};
	struct kvm_cpuid_entry2 found = {.function = leaf};
	struct kvm_cpuid2 *table = calloc(1, sizeof *table + ENTRIES * sizeof table->entries[0]);

	cr_assert(table != NULL);
	table->nent = ENTRIES;
	cr_assert(ioctl(judge->machine->vm.kvm_fd, KVM_GET_SUPPORTED_CPUID, table) == 0);
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == 0)
			found = table->entries[i];
	free(table);
	return found;
}

static void drop_what_is_missing(struct judge *judge)
{
	const struct guest_batch *batch = judge->batch;
	const struct kvm_cpuid_entry2 leaf_1 = supported(judge, 1), leaf_7 = supported(judge, 7);
	const struct kvm_cpuid_entry2 leaf_8 = supported(judge, 0x80000001u);

	if (!(batch->cpuid_80000001_edx & leaf_8.edx & CPUID_8_EDX_NX))
		drop(judge, MODEL_EFER, PW_EFER_NXE);
	if (!(batch->cpuid_1_edx & leaf_1.edx & CPUID_1_EDX_PSE))
		drop(judge, MODEL_CR4, PW_CR4_PSE);
	if (!(batch->cpuid_7_ebx & leaf_7.ebx & CPUID_7_EBX_SMEP))
		drop(judge, MODEL_CR4, PW_CR4_SMEP);
	if (!(batch->cpuid_7_ebx & leaf_7.ebx & CPUID_7_EBX_SMAP)) {
		/* Then AC says nothing, and implicit accesses are like others. */
		drop(judge, MODEL_CR4, PW_CR4_SMAP);
		drop(judge, MODEL_RFLAGS, PW_RFLAGS_AC);
		drop(judge, MODEL_ACCESS, PW_ACCESS_IMPLICIT);
	}
	if (!(batch->cpuid_7_ecx & leaf_7.ecx & CPUID_7_ECX_PKU)) {
		drop(judge, MODEL_CR4, PW_CR4_PKE);
		for (unsigned bit = 0; bit < 32; bit++)
			drop(judge, MODEL_PKRU, UINT64_C(1) << bit);
	}
}

static bool is_prime(uint64_t n)
{
	for (uint64_t i = 2; i * i <= n; i++)
		if (n % i == 0)
			return false;
	return n > 1;
}

/*
 * As many legal combinations as are wanted, evenly spread: measured, then a prime to step by. Where
 * upper entries vary most, the ways of access stay together, so that a batch has more than one.
 */
static void choose_stride(struct judge *judge)
{
	const struct model_choice *choices = judge->group.choices;
	uint64_t probes = 0, legal = 0;

	judge->block = 1;
	for (unsigned i = 0; judge->one_pde && choices[i].settings[0].field == MODEL_ACCESS; i++)
		judge->block *= choices[i].count + 1;
	judge->combinations = model_count(&judge->group);
	model_begin(&judge->cursor, &judge->group);
	do {
		probes++;
		legal += model_is_legal(&judge->cursor);
	} while (model_advance(&judge->cursor, judge->combinations / 9973 + 1));
	judge->stride = judge->combinations / probes * legal / judge->wanted;
	judge->stride += judge->stride == 0;
	while (judge->stride > 1 && !is_prime(judge->stride))
		judge->stride++;
}

static void fetch_batch(struct judge *judge, uint64_t pa)
{
	judge->batch = vmm_vm_host(&judge->machine->vm, pa, sizeof *judge->batch);
	cr_assert(judge->batch != NULL, "the guest's batch lies outside its memory");
	cr_assert(judge->batch->version == GUEST_BATCH_VERSION, "the guest's batch is version %u",
		judge->batch->version);
	if (judge->begun)
		return;
	judge->begun = true;
	drop_what_is_missing(judge);
	choose_stride(judge);
	/* Elsewhere for each layout, so that two of them do not try the same part. */
	judge->ordinal = judge->block * judge->layout;
	model_begin(&judge->cursor, &judge->group);
	judge->exhausted = !model_advance(&judge->cursor, judge->ordinal);
}

enum vmm_status judge_call(void *ctx, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	struct judge *judge = ctx;

	cr_expect(call->number != GUEST_CALL_FAILURE, "%s:%u: %#llx instead of %#llx",
		call->failure.file, call->failure.line, (unsigned long long)call->failure.got,
		(unsigned long long)call->failure.wanted);
	if (call->number != GUEST_CALL_BATCH)
		return VMM_OK;
	fetch_batch(judge, call->batch.pa);
	switch (call->batch.stage) {
	case GUEST_BATCH_WANTED:
		call->answer = judge_fill(judge) ? GUEST_ANSWER_AGREE : GUEST_ANSWER_NONE;
		break;
	case GUEST_BATCH_READY:
		judge_foretell(judge, vcpu);
		break;
	case GUEST_BATCH_DONE:
		judge_compare(judge);
		break;
	default:
		cr_assert(false, "the guest's batch is in no stage");
	}
	return VMM_OK;
}

void judge_complain(
	struct judge *judge, unsigned n, const char *what, uint64_t walker, uint64_t cpu)
{
	struct model_cursor cursor;
	char name[512];

	judge->wrong++;
	if (judge->wrong > COMPLAINTS_SHOWN)
		return;
	model_begin(&cursor, &judge->group);
	(void)model_advance(&cursor, judge->forecast[n].ordinal);
	cr_expect(false, "%s: %s at %#llx access %#x: %s: the walker %#llx, the CPU %#llx",
		judge->group.name, model_describe(&cursor, name, sizeof name),
		(unsigned long long)judge->batch->accesses[n].va, judge->batch->accesses[n].access,
		what, (unsigned long long)walker, (unsigned long long)cpu);
}

void judge_report(const struct judge *judge)
{
	static const char *const names[JUDGE_FEATURES] = {"user", "write", "fetch", "implicit",
		"WP=0", "NXE", "SMEP", "SMAP", "AC", "PKU", "2 or 4 MiB", "1 GiB", "reserved bit",
		"key alone"};

	static const char *const deviations[JUDGE_DEVIATIONS] = {
		[JUDGE_RESERVED_WITHOUT_P] = "reserved-bit faults without P",
		[JUDGE_IMPLICIT_OBEYS_AC] = "implicit accesses of ring 0 that AC opened",
		[JUDGE_IMPLICIT_3_OBEYS_AC] = "implicit accesses of ring 3 that AC opened",
		[JUDGE_PDPTE_ACCESSED] = "PAE PDPTEs marked accessed",
		[JUDGE_GIB_ACCESSED] = "refused 1 GiB pages marked accessed",
	};

	printf("%s: %llu accesses judged in %llu batches (one in %llu of %llu combinations), %llu "
	       "faults, %llu wrong\n   ",
		judge->group.name, (unsigned long long)judge->judged,
		(unsigned long long)judge->batches, (unsigned long long)judge->stride,
		(unsigned long long)judge->combinations, (unsigned long long)judge->faults,
		(unsigned long long)judge->wrong);
	for (unsigned i = 0; i < JUDGE_FEATURES; i++)
		printf(" %s %llu%s", names[i], (unsigned long long)judge->feature[i],
			i + 1 < JUDGE_FEATURES ? "," : "\n");
	for (unsigned i = 0; i < JUDGE_DEVIATIONS; i++)
		if (judge->deviates[i])
			printf("    known of %s: %s: %llu\n", judge->emulator, deviations[i],
				(unsigned long long)judge->deviation[i]);
}
