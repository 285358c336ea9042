#include "tests/bench/list_speed.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "client/load.h"
#include "common/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/http_client.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

constexpr std::uint64_t kPage = 1'000;

// Of one run of a program, from before it is started.
struct Run {
  absl::Duration to_first_byte;
  absl::Duration to_end;  // it has exited
  std::uint64_t lines = 0;
  int exit_code = -1;
};

// `pipe` is a named one: it carries what the program prints.
Run RunOnce(const std::vector<std::string>& command, const std::string& pipe) {
  Run out;
  const MonotonicTime start = SystemClock().Now();
  testing::ChildProcess child(command, {.in = "", .out = pipe, .err = ""});
  const int fd = open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
  PCHECK(fd >= 0) << pipe;
  std::array<char, 65'536> bytes{};
  for (bool is_first = true;; is_first = false) {
    const ssize_t got = read(fd, bytes.data(), bytes.size());
    if (is_first) out.to_first_byte = SystemClock().Now() - start;
    if (got <= 0) break;
    out.lines += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.begin() + got, '\n'));
  }
  out.exit_code = child.WaitFor(absl::Seconds(60)).value_or(-1);
  out.to_end = SystemClock().Now() - start;
  close(fd);
  return out;
}

// As an application names them.
std::string NameOf(std::uint64_t number) { return "folder/" + std::to_string(number % 100) + "/file-" + std::to_string(number); }

std::string PutNames(const testing::ProcessCluster& cluster, std::uint64_t names) {
  constexpr std::size_t kClients = 16;
  client::FileClient files(cluster.Endpoints());
  const Slices none;
  const auto result = client::RunLoad(kClients, names, absl::InfiniteDuration(), [&](std::size_t, std::uint64_t number) {
    client::PatternSource source(none, 0);
    return files.Put(NameOf(number), source).status();
  });
  return result.errors == 0 ? "" : std::to_string(result.errors) + " ERRORS: " + result.first_error.ToString();
}

}  // namespace

void MeasureList(Report& report, bool is_quick) {
  const std::uint64_t names = is_quick ? 5'000 : 100'000;
  testing::TemporaryFolder folder;
  const std::string pipe = folder.File("pipe");
  PCHECK(mkfifo(pipe.c_str(), 0600) == 0) << pipe;
  testing::ProcessCluster cluster;
  const absl::Status up = cluster.Up(3);
  CHECK(up.ok()) << up;
  std::string error = PutNames(cluster, names);
  testing::HttpClient http(cluster.HttpAddressOf(1));
  const std::string cli = testing::ProcessCluster::CliBinary();
  client::Latencies starts;
  client::Latencies first_lines;
  client::Latencies ends;
  client::Latencies pages;
  for (int round = -1; round < (is_quick ? 21 : 31); ++round) {
    const Run start = RunOnce({cli, "version", "--help"}, pipe);
    const Run list = RunOnce({cli, "--endpoints=" + cluster.EndpointOf(1), "ls"}, pipe);
    const MonotonicTime before = SystemClock().Now();
    const auto page = http.Get("/files?limit=" + std::to_string(kPage));
    const absl::Duration page_time = SystemClock().Now() - before;
    if (list.exit_code != 0 || list.lines != names) error = std::to_string(list.lines) + " NAMES, exit " + std::to_string(list.exit_code);
    if (page.code != 200) error = "HTTP " + std::to_string(page.code);
    if (round < 0) continue;  // the first round warms up
    starts.Add(start.to_end);
    first_lines.Add(list.to_first_byte);
    ends.Add(list.to_end);
    pages.Add(page_time);
  }
  const auto add = [&](const std::string& name, const client::Latencies& times, std::optional<Target> target) {
    report.Add({.name = name, .value = times.QuantileMs(0.5), .unit = "ms", .raw = std::nullopt, .target = target, .note = error});
  };
  const std::string of = "dfs-cli ls of " + std::to_string(names) + " names, ";
  add(of + "first line, p50", first_lines, Target{Target::Sense::kAtMost, 20});
  add(of + "end, p50", ends, is_quick ? std::nullopt : std::optional(Target{Target::Sense::kAtMost, 1'500}));
  add("a dfs-cli that only starts and ends, p50", starts, std::nullopt);
  add("HTTP, a page of " + std::to_string(kPage) + " names, p50", pages, std::nullopt);
}

}  // namespace dfs::bench
