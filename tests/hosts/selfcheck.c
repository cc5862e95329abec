/* SPDX-License-Identifier: MIT */
/* What selfcheck.sh sends through a host: programs that end in every way that a test can. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define HLT     0xf4
#define SKIPPED 77

static int give_up(const char *what)
{
	perror(what);
	return 1;
}

/* One instruction in real mode, in the last 16 bytes below 4 GiB, where a processor starts. */
static int run_guest(int vm, int vcpu, size_t run_bytes)
{
	const size_t page = 4096;
	struct kvm_run *run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	unsigned char *ram =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = 0xfffff000u,
		.memory_size = page,
		.userspace_addr = (unsigned long)ram};

	if (run == MAP_FAILED || ram == MAP_FAILED)
		return give_up("mmap");
	memset(ram, HLT, page);
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return give_up("KVM_SET_USER_MEMORY_REGION");
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return give_up("KVM_RUN");
	printf("exit reason %u\n", run->exit_reason);
	return run->exit_reason == KVM_EXIT_HLT ? 0 : 1;
}

static int halt(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm, vcpu;

	if (kvm < 0) {
		perror("/dev/kvm");
		return SKIPPED;
	}
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return give_up("KVM_CREATE_VM");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return give_up("KVM_CREATE_VCPU");
	return run_guest(vm, vcpu, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
}

/* Arguments, environment and a file, as they arrive; the last line without its newline. */
static int show(int count, char *arguments[])
{
	char line[80] = "no such file";
	FILE *file = fopen(arguments[0], "r");

	if (file) {
		if (!fgets(line, sizeof line, file))
			line[0] = '\0';
		fclose(file);
	}
	printf("file: %s\n", line);
	for (int i = 1; i < count; i++)
		printf("argument: [%s]\n", arguments[i]);
	printf("host: %s\n", getenv("PW_HOST"));
	printf("terminal: %d\n", isatty(STDOUT_FILENO));
	printf("variable: [%s]", getenv("SELFCHECK"));
	return 0;
}

/* A process that outlives its parent and keeps the output open. */
static int leave(void)
{
	if (fork() == 0)
		for (;;)
			pause();
	return 0;
}

static int flood(int lines)
{
	for (int i = 1; i <= lines; i++)
		printf("line %d of %d, and some more text to make it as long as others are\n", i,
			lines);
	return 0;
}

int main(int argc, char *argv[])
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "halt") == 0)
		return halt();
	if (strcmp(command, "leave") == 0)
		return leave();
	if (strcmp(command, "show") == 0 && argc > 2)
		return show(argc - 2, argv + 2);
	if (strcmp(command, "exit") == 0 && argc > 2)
		return atoi(argv[2]);
	if (strcmp(command, "flood") == 0 && argc > 2)
		return flood(atoi(argv[2]));
	if (strcmp(command, "crash") == 0)
		raise(SIGSEGV);
	if (strcmp(command, "hang") == 0)
		for (;;)
			pause();
	fprintf(stderr, "what is %s?\n", command);
	return 2;
}
