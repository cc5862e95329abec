/* SPDX-License-Identifier: MIT */
/*
 * kvm-translate: the kernel's own walker. The image is the memory of a virtual machine, as it
 * stands, and KVM_TRANSLATE is asked. The call sets the Accessed bit, which is set already.
 */
#include "bare_kvm.h"
#include "bench.h"
#include "translator.h"
#include "x86.h"

#if defined(__linux__) && defined(__x86_64__)

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct kvm {
	struct bare_kvm bare;
	uint64_t ring[RING];
};

static const char *refuses_large(void)
{
	return bare_kvm_has_1gib() ? NULL : "W4: this KVM has no 1 GiB pages";
}

static void *open_kvm(const struct workload *w, enum order order)
{
	struct kvm *kvm = calloc(1, sizeof *kvm);

	(void)order;
	if (!kvm)
		bench_die("no memory");
	bare_kvm_open(&kvm->bare, w->image.bytes, w->image.size, w->root, 0);
	return kvm;
}

static void run(void *self, const uint64_t *va, size_t count)
{
	struct kvm *kvm = self;

	for (size_t i = 0; i < count; i++) {
		struct kvm_translation translation = {.linear_address = va[i]};

		if (ioctl(kvm->bare.vcpu, KVM_TRANSLATE, &translation) != 0)
			bench_die("KVM_TRANSLATE: %s", strerror(errno));
		kvm->ring[RING_AT(i)] =
			translation.valid ? translation.physical_address : LIST_HOLE;
	}
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	answer->pa = ((const struct kvm *)self)->ring[index];
	answer->mapped = answer->pa != LIST_HOLE;
}

static void close_kvm(void *self)
{
	struct kvm *kvm = self;

	bare_kvm_close(&kvm->bare);
	free(kvm);
}

const struct translator translator_kvm = {
	.who = "kvm-translate",
	.missing = bare_kvm_missing,
	.refuses_large = refuses_large,
	.open = open_kvm,
	.run = run,
	.answer = answer,
	.close = close_kvm,
	.group = RING,
	.verify_count = 1u << 13,
};

#else

static const char *missing(void)
{
	return "KVM_TRANSLATE is x86 Linux's";
}

const struct translator translator_kvm = {
	.who = "kvm-translate",
	.missing = missing,
};

#endif
