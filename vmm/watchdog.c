/* SPDX-License-Identifier: MIT */
/* A wall-clock limit for a vCPU. */
#define _POSIX_C_SOURCE 200809L /* pthread_condattr_setclock */
#include <pagewalk_vmm/run.h>

#include <errno.h>
#include <signal.h>

#include "error.h"

#define NANOSECONDS 1000000000L

static struct timespec deadline_after(uint64_t milliseconds)
{
	/* Longer than any machine runs; keeps the sum inside time_t. */
	const uint64_t most = UINT64_C(1000) * 3600 * 24 * 36500;
	struct timespec time;

	if (milliseconds > most)
		milliseconds = most;
	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += (time_t)(milliseconds / 1000);
	time.tv_nsec += (long)(milliseconds % 1000) * 1000000L;
	if (time.tv_nsec >= NANOSECONDS) {
		time.tv_sec++;
		time.tv_nsec -= NANOSECONDS;
	}
	return time;
}

static void *wait_for_deadline(void *context)
{
	struct vmm_watchdog *watchdog = context;
	int result = 0;

	pthread_mutex_lock(&watchdog->lock);
	while (!watchdog->cancelled && result != ETIMEDOUT)
		result = pthread_cond_timedwait(
			&watchdog->wake, &watchdog->lock, &watchdog->deadline);
	if (!watchdog->cancelled) {
		watchdog->fired = true;
		vmm_vcpu_stop(watchdog->vcpu);
	}
	pthread_mutex_unlock(&watchdog->lock);
	return NULL;
}

static int init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attributes;
	int result = pthread_condattr_init(&attributes);

	if (result != 0)
		return result;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	result = pthread_cond_init(wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return result;
}

/* The program's signals are for its own threads: this one takes none. */
static int start_quiet_thread(struct vmm_watchdog *watchdog)
{
	sigset_t all, old;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	result = pthread_create(&watchdog->thread, NULL, wait_for_deadline, watchdog);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result;
}

enum vmm_status vmm_watchdog_start(
	struct vmm_watchdog *watchdog, struct vmm_vcpu *vcpu, uint64_t milliseconds)
{
	int result;

	*watchdog = (struct vmm_watchdog){.vcpu = vcpu, .deadline = deadline_after(milliseconds)};
	pthread_mutex_init(&watchdog->lock, NULL); /* glibc: a plain mutex never fails */
	result = init_wake(&watchdog->wake);
	if (result == 0) {
		result = start_quiet_thread(watchdog);
		if (result == 0)
			return VMM_OK;
		pthread_cond_destroy(&watchdog->wake);
	}
	pthread_mutex_destroy(&watchdog->lock);
	errno = result;
	return vmm_error_system(&vcpu->error, "starting the clock of the time limit");
}

bool vmm_watchdog_fired(struct vmm_watchdog *watchdog)
{
	bool fired;

	pthread_mutex_lock(&watchdog->lock);
	fired = watchdog->fired;
	pthread_mutex_unlock(&watchdog->lock);
	return fired;
}

bool vmm_watchdog_end(struct vmm_watchdog *watchdog)
{
	pthread_mutex_lock(&watchdog->lock);
	watchdog->cancelled = true;
	pthread_cond_signal(&watchdog->wake);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	pthread_cond_destroy(&watchdog->wake);
	pthread_mutex_destroy(&watchdog->lock);
	return watchdog->fired;
}
