/* SPDX-License-Identifier: MIT */
/* What a call of the VMM library answers, and where it says why not. */
#ifndef PAGEWALK_VMM_STATUS_H
#define PAGEWALK_VMM_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The answer of a call that can fail may not be ignored. */
#define VMM_CHECKED __attribute__((warn_unused_result))

enum vmm_status {
	VMM_OK = 0,
	VMM_NO_DEVICE, /* there is no /dev/kvm: not loaded, or no virtualisation on this machine */
	VMM_DENIED,    /* /dev/kvm is there, this user may not open it */
	VMM_NOT_KVM,   /* the device opened, but it is not KVM or not the stable interface */
	VMM_UNSUPPORTED, /* this host's KVM lacks something the request needs */
	VMM_INVALID,     /* an argument that no host could honour */
	VMM_NO_MEMORY,   /* the host cannot give that much */
	VMM_BAD_IMAGE,   /* the guest image is damaged, for another machine, or does not fit */
	VMM_NO_FILE,     /* a file cannot be opened or read */
	VMM_UNHANDLED,   /* nobody answers for this port or this call */
	VMM_BAD_CALL,    /* the guest broke the rules of guest/abi.h */
	VMM_LIMIT,       /* the guest spent what it was allowed (console output) */
	VMM_FINISHED,    /* not a failure: a port handler ended the run, the guest is done */
	VMM_SYSTEM,      /* the kernel refused something it should grant; the message says what */
};

#define VMM_STATUS_COUNT 14

/*
 * The last failure of an object. `message` is one sentence without a full stop and without a
 * newline, never empty after a failure; a call that succeeds leaves it alone.
 */
struct vmm_error {
	enum vmm_status status;
	char message[256];
};

/* The status as a short constant word ("no-device"); "?" for a value outside the enum. */
const char *vmm_status_name(enum vmm_status status);

#ifdef __cplusplus
}
#endif

#endif
