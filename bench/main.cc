// SPDX-License-Identifier: MIT
// The benchmarks under Google Benchmark, and the only C++ here.
#include "bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
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

/*
 * One reporter for all groups: what they find goes to the display and, as JSON, to a file. The time
 * of a benchmark that looks at the clock itself takes the place of Google's.
 */
class Everything : public benchmark::BenchmarkReporter
{
      public:
	Everything(bool json, const std::string &path, size_t width) : width_(width)
	{
		if (json)
			reporters_.push_back(std::make_unique<benchmark::JSONReporter>());
		else
			reporters_.push_back(std::make_unique<benchmark::ConsoleReporter>(
				isatty(STDOUT_FILENO) ? benchmark::ConsoleReporter::OO_Defaults
						      : benchmark::ConsoleReporter::OO_None));
		if (path.empty())
			return;
		file_.open(path);
		if (!file_)
			bench_die("%s: %s", path.c_str(), std::strerror(errno));
		reporters_.push_back(std::make_unique<benchmark::JSONReporter>());
		reporters_.back()->SetOutputStream(&file_);
	}

	bool ReportContext(const Context &context) override
	{
		Context wide = context;

		wide.name_field_width = width_;
		if (!begun_) {
			for (auto &reporter : reporters_)
				reporter->ReportContext(wide);
		}
		begun_ = true;
		return true;
	}

	void ReportRuns(const std::vector<Run> &reports) override
	{
		auto &runs = held_[reports.at(0).run_name.str()]; /* repetitions, then statistics */

		for (auto run : reports) {
			use_own_clock(run);
			runs.push_back(run);
		}
	}

	/* Those that took turns come in the order in which they were registered. */
	void release(const std::vector<std::string> &names)
	{
		for (const auto &name : names) {
			auto held = held_.find(name);

			if (held == held_.end())
				continue;
			for (auto &reporter : reporters_)
				reporter->ReportRuns(held->second);
		}
		held_.clear();
	}

	/* True if all of it is written. */
	bool end()
	{
		if (begun_) {
			for (auto &reporter : reporters_)
				reporter->Finalize();
		}
		if (file_.is_open())
			file_.close();
		return !file_.fail() && std::cout.flush();
	}

      private:
	static void use_own_clock(Run &run)
	{
		auto own = run.counters.find("own_clock");

		if (own == run.counters.end())
			return;
		const bool percent = run.run_type == Run::RT_Aggregate &&
				     run.aggregate_unit == benchmark::kPercentage;
		const double time =
			percent ? own->second.value
				: own->second.value * 1e-9 * static_cast<double>(run.iterations);

		run.real_accumulated_time = run.cpu_accumulated_time = time;
		run.counters.erase(own);
	}

	std::vector<std::unique_ptr<benchmark::BenchmarkReporter>> reporters_;
	std::map<std::string, std::vector<Run>> held_; /* of one column, by name */
	std::ofstream file_;
	size_t width_;
	bool begun_ = false;
};

/* "translate/random/W1" of "translate/random/W1/limit" */
std::string column_of(const std::string &name)
{
	return name.substr(0, name.rfind('/'));
}

/* As Google Benchmark understands a filter: a leading "-" turns it round. */
bool chosen(const std::string &name, const std::string &filter)
{
	const bool negative = filter[0] == '-';

	return std::regex_search(name, std::regex(filter.substr(negative), std::regex::extended)) !=
	       negative;
}

/*
 * Those of one column are compared with each other: their repetitions take turns, so that a machine
 * that becomes slower or faster meanwhile does so for all of them. Then they are closed.
 */
void run_columns(const std::vector<std::string> &names, Everything &everything)
{
	std::vector<std::string> columns;

	for (const auto &name : names) {
		if (std::find(columns.begin(), columns.end(), column_of(name)) == columns.end())
			columns.push_back(column_of(name));
	}
	for (const auto &column : columns) {
		std::string those;

		for (const auto &name : names) {
			if (column_of(name) == column)
				those += (those.empty() ? "^(" : "|") + name;
		}
		benchmark::RunSpecifiedBenchmarks(&everything, nullptr, those + ")$");
		everything.release(names);
		bench_close_all();
	}
}

int verify(struct bench *benches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i && column_of(benches[i].name) != column_of(benches[i - 1].name))
			bench_close_all();
		bench_open(&benches[i]);
		if (benches[i].kind->prepare)
			benches[i].kind->prepare(&benches[i]);
		if (benches[i].kind->clocked)
			benches[i].kind->clocked(&benches[i]);
		else
			benches[i].kind->run(&benches[i]);
	}
	bench_close_all();
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

/* Registers all and returns the names that the filter leaves. */
std::vector<std::string> choose(struct bench *benches, size_t count)
{
	const std::string filter = benchmark::GetBenchmarkFilter();
	const bool all = filter.empty() || filter == "all";
	std::vector<std::string> names;

	for (size_t i = 0; i < count; i++) {
		benchmark::RegisterBenchmark(benches[i].name, run, &benches[i])
			->ComputeStatistics("min", [](const std::vector<double> &times) {
				return *std::min_element(times.begin(), times.end());
			});
		if (all || chosen(benches[i].name, filter))
			names.emplace_back(benches[i].name);
	}
	if (names.empty())
		std::fprintf(stderr, "pagewalk_bench: no benchmark matches %s\n", filter.c_str());
	return names;
}

/* Ours come first: yours come later and win. The file is ours, as Google's begins anew at each
 * group. */
std::vector<char *> arguments(int argc, char **argv, bool *json, std::string *file)
{
	static char repetitions[] = "--benchmark_repetitions=11",
		    seconds[] = "--benchmark_min_time=0.05",
		    turns[] = "--benchmark_enable_random_interleaving=true";
	static const std::string out = "--benchmark_out=", out_format = "--benchmark_out_format=";
	std::vector<char *> args{argv[0], repetitions, seconds, turns};

	for (int i = 1; i < argc; i++) {
		const std::string arg = argv[i];

		*json = *json || arg == "--benchmark_format=json";
		if (!arg.compare(0, out.size(), out))
			*file = arg.substr(out.size());
		else if (arg.compare(0, out_format.size(), out_format) != 0)
			args.push_back(argv[i]);
		else if (arg.substr(out_format.size()) != "json")
			bench_die("%s: a file is written as json only", argv[i]);
	}
	return args;
}

} // namespace

int main(int argc, char **argv)
{
	const bool only_verify = argc == 2 && !std::strcmp(argv[1], "--verify");
	bool json = false;
	std::string file;
	size_t count, width = 0;

	if (only_verify)
		bench_be_small();

	struct bench *benches = bench_all(&count);

	if (only_verify)
		return verify(benches, count);

	auto args = arguments(argc, argv, &json, &file);
	int arg_count = static_cast<int>(args.size());

	args.push_back(nullptr);
	benchmark::Initialize(&arg_count, args.data());
	if (benchmark::ReportUnrecognizedArguments(arg_count, args.data()))
		return 1;
	describe();

	const auto names = choose(benches, count);

	for (const auto &name : names)
		width = std::max(width, name.size());

	Everything everything(json, file, width);

	run_columns(names, everything);
	benchmark::Shutdown();
	if (!everything.end())
		bench_die("%s: not all could be written", file.empty() ? "output" : file.c_str());
	return names.empty();
}
