/* SPDX-License-Identifier: MIT */
/*
 * main() of a fuzzer without libFuzzer: `fuzz_x 1000` feeds it 1000 random inputs (PW_SEED chooses
 * others), `fuzz_x FILE...` the files, such as a crash that libFuzzer has found.
 */
#include "random.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_random(unsigned long inputs)
{
	static uint8_t input[INPUT_MAX];
	uint64_t seed = random_seed(1);
	struct random random = random_from(seed);

	printf("%lu random inputs, PW_SEED=%" PRIu64 "\n", inputs, seed);
	fflush(stdout); /* an input may crash us */
	while (inputs-- > 0) {
		size_t size = random_below(&random, sizeof input + 1);

		for (size_t i = 0; i < size; i++)
			input[i] = (uint8_t)random_next(&random);
		LLVMFuzzerTestOneInput(input, size);
	}
}

static int feed_file(const char *name)
{
	static uint8_t input[1 << 20];
	FILE *file = fopen(name, "rb");
	size_t size;

	if (!file) {
		perror(name);
		return EXIT_FAILURE;
	}
	size = fread(input, 1, sizeof input, file);
	fclose(file);
	LLVMFuzzerTestOneInput(input, size);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int status = EXIT_SUCCESS;

	if (argc == 2 && argv[1][strspn(argv[1], "0123456789")] == 0) {
		feed_random(strtoul(argv[1], NULL, 10));
		return EXIT_SUCCESS;
	}
	for (int i = 1; i < argc; i++)
		if (feed_file(argv[i]) != EXIT_SUCCESS)
			status = EXIT_FAILURE;
	return status;
}
