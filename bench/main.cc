// SPDX-License-Identifier: MIT
// The benchmarks under Google Benchmark, and the only C++ here.
#include "bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

namespace
{

void run(benchmark::State &state, struct bench *bench)
{
	double nanoseconds = 0, runs = 0;

	bench_open(bench);

	const auto items = static_cast<benchmark::IterationCount>(bench->items);

	while (state.KeepRunningBatch(items)) {
		if (bench->kind->prepare) {
			state.PauseTiming();
			bench->kind->prepare(bench);
			state.ResumeTiming();
		}
		if (bench->kind->clocked) {
			nanoseconds += bench->kind->clocked(bench);
			runs++;
		} else {
			bench->kind->run(bench);
		}
	}
	if (bench->kind->clocked) {
		const double ns = nanoseconds / runs / static_cast<double>(bench->items);

		state.counters["own_clock"] = ns;
		state.counters["items_per_second"] = 1e9 / ns;
		if (bench->item_bytes)
			state.counters["bytes_per_second"] =
				static_cast<double>(bench->item_bytes) * 1e9 / ns;
		return;
	}
	state.SetItemsProcessed(state.iterations());
	if (bench->item_bytes)
		state.SetBytesProcessed(
			state.iterations() * static_cast<int64_t>(bench->item_bytes));
}

/* Puts the time of a benchmark that looks at the clock itself into the place of Google's. */
template <class Reporter> class OwnClock : public Reporter
{
	using Run = benchmark::BenchmarkReporter::Run;

      public:
	using Reporter::Reporter;

      private:
	void ReportRuns(const std::vector<Run> &reports) override
	{
		auto runs = reports;

		for (auto &run : runs) {
			auto own = run.counters.find("own_clock");

			if (own == run.counters.end())
				continue;
			const bool percent = run.run_type == Run::RT_Aggregate &&
					     run.aggregate_unit == benchmark::kPercentage;
			const double time = percent ? own->second.value
						    : own->second.value * 1e-9 *
							      static_cast<double>(run.iterations);

			run.real_accumulated_time = run.cpu_accumulated_time = time;
			run.counters.erase(own);
		}
		Reporter::ReportRuns(runs);
	}
};

int verify(struct bench *benches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bench_open(&benches[i]);
		if (benches[i].kind->prepare)
			benches[i].kind->prepare(&benches[i]);
		if (benches[i].kind->clocked)
			benches[i].kind->clocked(&benches[i]);
		else
			benches[i].kind->run(&benches[i]);
	}
	bench_close_last();
	std::printf("%zu passed, 0 failed, %zu skipped\n", count, bench_left_out_count());
	return 0;
}

void describe()
{
	benchmark::AddCustomContext("cpu", bench_cpu());
	benchmark::AddCustomContext("compiler", PW_BENCH_COMPILER);
	benchmark::AddCustomContext("build_type", PW_BENCH_BUILD_TYPE);
	benchmark::AddCustomContext("avx512", bench_has_avx512() ? "yes" : "no");
	if (*bench_left_out_text())
		benchmark::AddCustomContext("left_out", bench_left_out_text());
}

} // namespace

int main(int argc, char **argv)
{
	const bool only_verify = argc == 2 && !std::strcmp(argv[1], "--verify");
	std::vector<char *> args(argv, argv + argc);
	char repetitions[] = "--benchmark_repetitions=5", seconds[] = "--benchmark_min_time=0.1";
	bool json = false, file = false;
	size_t count;

	for (int i = 1; i < argc; i++) {
		json = json || !std::strcmp(argv[i], "--benchmark_format=json");
		file = file || !std::strncmp(argv[i], "--benchmark_out=", 16);
	}
	args.insert(args.begin() + 1, {repetitions, seconds}); // yours come later and win
	args.push_back(nullptr);
	argc += 2;
	if (only_verify)
		bench_be_small();

	struct bench *benches = bench_all(&count);

	if (only_verify)
		return verify(benches, count);
	benchmark::Initialize(&argc, args.data());
	if (benchmark::ReportUnrecognizedArguments(argc, args.data()))
		return 1;
	describe();
	for (size_t i = 0; i < count; i++)
		benchmark::RegisterBenchmark(benches[i].name, run, &benches[i])
			->ComputeStatistics("min", [](const std::vector<double> &times) {
				return *std::min_element(times.begin(), times.end());
			});

	std::unique_ptr<benchmark::BenchmarkReporter> display(
		json ? static_cast<benchmark::BenchmarkReporter *>(
			       new OwnClock<benchmark::JSONReporter>)
		     : new OwnClock<benchmark::ConsoleReporter>(
			       isatty(STDOUT_FILENO) ? benchmark::ConsoleReporter::OO_Defaults
						     : benchmark::ConsoleReporter::OO_None));
	OwnClock<benchmark::JSONReporter> to_file;

	benchmark::RunSpecifiedBenchmarks(display.get(), file ? &to_file : nullptr);
	bench_close_last();
	benchmark::Shutdown();
	return 0;
}
