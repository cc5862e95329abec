/* SPDX-License-Identifier: MIT */
/* One test that passes and one that fails, on purpose: selfcheck.sh wants to see both. */
#include <fcntl.h>
#include <unistd.h>

#include <criterion/criterion.h>

Test(selfcheck, passes_where_kvm_is)
{
	int kvm = open("/dev/kvm", O_RDWR);

	cr_expect(kvm >= 0);
	close(kvm);
}

Test(selfcheck, fails_on_purpose)
{
	cr_expect(0, "this had to fail");
}
