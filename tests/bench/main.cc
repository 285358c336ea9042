// dfs_bench: starts three nodes on loopback, measures them and the raw limits of the machine beside them.
// `tests/bench/run` builds and runs it. It asserts no times.
#include <glog/logging.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/bench/client_load.h"
#include "tests/bench/handover_gain.h"
#include "tests/bench/http_load.h"
#include "tests/bench/list_speed.h"
#include "tests/bench/node_faults.h"
#include "tests/bench/raw_limits.h"
#include "tests/bench/repair_speed.h"
#include "tests/bench/report.h"
#include "tests/bench/tls_cost.h"
#include "tests/support/file_checks.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

using client::LoadResult;

constexpr std::uint64_t kHundredMb = 100'000'000;
constexpr std::uint64_t kTwelveMb = 12'500'000;
constexpr std::uint64_t kHundredKb = 104'829;
constexpr std::uint64_t kFourKib = 4'096;
constexpr int kManyClients = 16;

struct Options {
  bool is_json = false;
  bool is_quick = false;
  std::vector<std::string> sections = {"idle", "bulk", "small", "http", "handover", "faults"};
  std::string raw_stream_port_file;  // the serving half of the raw stream
  std::string command;               // that repeats this run
};

std::string Size(std::uint64_t bytes) {
  if (bytes % 100'000 == 0) {
    const std::string tenths = std::to_string(bytes / 100'000 % 10);
    return std::to_string(bytes / 1'000'000) + (tenths == "0" ? "" : "." + tenths) + " MB";
  }
  return bytes == kFourKib ? "4 KiB" : std::to_string(bytes) + " bytes";
}

Target AtMost(double value) { return {Target::Sense::kAtMost, value}; }
Target AtLeast(double value) { return {Target::Sense::kAtLeast, value}; }

double PerSecond(const LoadResult& result) {
  const double seconds = absl::ToDoubleSeconds(result.elapsed);
  return seconds > 0 ? static_cast<double>(result.latencies.count()) / seconds : 0;
}

std::string ErrorsOf(const LoadResult& result) {
  if (result.errors == 0) return "";
  return std::to_string(result.errors) + " ERRORS: " + result.first_error.ToString();
}

// Puts and gets of one client in turn with the raw limits, so that noise of the machine meets both.
void MeasureBulk(Report& report, testing::ProcessCluster& cluster, RawStream& stream,
                 std::uint64_t size, int rounds) {
  const std::string folder = cluster.folder().path();
  const std::string content = testing::MakeBytes(42, static_cast<std::size_t>(size));
  ClientLoad load(cluster.Endpoints(), 1, ClientLoad::Connections::kShared);
  client::Latencies raw_copies;
  client::Latencies raw_stream;
  LoadResult puts;
  LoadResult gets;
  for (int round = -1; round < rounds; ++round) {
    const absl::Duration copies = ThreeDurableCopies(folder, content);
    const LoadResult put = load.Put(size, 1, absl::ZeroDuration());
    const absl::Duration received = stream.Receive(size);
    const LoadResult get = load.Get(size, 1, absl::ZeroDuration());
    if (round < 0) continue;  // the first round warms up
    raw_copies.Add(copies);
    raw_stream.Add(received);
    puts.Add(put);
    gets.Add(get);
  }
  const bool has_target = size == kHundredMb;
  report.Add({.name = "put " + Size(size) + ", 1 client, p50",
              .value = puts.latencies.QuantileMs(0.5),
              .unit = "ms",
              .raw = raw_copies.QuantileMs(0.5),
              .target = has_target ? std::optional(AtMost(2.5)) : std::nullopt,
              .note = ErrorsOf(puts)});
  report.Add({.name = "get " + Size(size) + ", 1 client, p50",
              .value = gets.latencies.QuantileMs(0.5),
              .unit = "ms",
              .raw = raw_stream.QuantileMs(0.5),
              .target = has_target ? std::optional(AtMost(2)) : std::nullopt,
              .note = ErrorsOf(gets)});
}

void AddRate(Report& report, const std::string& what, std::uint64_t size, const LoadResult& result,
             std::optional<Target> target) {
  report.Add({.name = what + ", files a second",
              .value = PerSecond(result),
              .unit = "/s",
              .raw = std::nullopt,
              .target = target,
              .note = ErrorsOf(result)});
  if (size >= kTwelveMb) {
    report.Add({.name = what + ", bytes a second",
                .value = PerSecond(result) * static_cast<double>(size) / 1e6,
                .unit = "MB/s",
                .raw = std::nullopt,
                .target = std::nullopt,
                .note = ""});
  }
}

void AddLatency(Report& report, const std::string& what, const LoadResult& result,
                std::optional<Target> p50_target) {
  const auto add = [&](const std::string& name, double value, std::optional<Target> target) {
    report.Add({.name = what + ", " + name, .value = value, .unit = "ms", .raw = std::nullopt,
                .target = target, .note = ""});
  };
  add("p50", result.latencies.QuantileMs(0.5), p50_target);
  add("p99", result.latencies.QuantileMs(0.99), std::nullopt);
}

void MeasureManyLarge(Report& report, testing::ProcessCluster& cluster, std::uint64_t size) {
  ClientLoad load(cluster.Endpoints(), kManyClients, ClientLoad::Connections::kOwn);
  const std::string clients = ", " + std::to_string(kManyClients) + " clients";
  AddRate(report, "put " + Size(size) + clients, size, load.Put(size, 1, absl::ZeroDuration()), std::nullopt);
  AddRate(report, "get " + Size(size) + clients, size, load.Get(size, 1, absl::ZeroDuration()), std::nullopt);
}

void MeasureSmall(Report& report, testing::ProcessCluster& cluster, std::uint64_t size, int clients,
                  ClientLoad::Connections connections, absl::Duration time) {
  constexpr int kUnlimited = 1'000'000;
  ClientLoad load(cluster.Endpoints(), clients, connections);
  const bool is_one = clients == 1;
  const bool is_spread = connections == ClientLoad::Connections::kOwn;
  const std::string of = " " + Size(size) + ", " + (is_one ? "1 client" : std::to_string(clients) + " clients") +
                         (is_spread ? " spread over nodes" : "");
  const auto only = [](bool applies, Target target) {
    return applies ? std::optional(target) : std::nullopt;
  };
  load.Put(size, kUnlimited, time / 8);  // warms up
  const LoadResult puts = load.Put(size, kUnlimited, time);
  AddRate(report, "put" + of, size, puts, only(size == kFourKib && !is_one && !is_spread, AtLeast(1'500)));
  AddLatency(report, "put" + of, puts, only(size == kHundredKb && is_one, AtMost(8)));
  load.Get(size, kUnlimited, time / 8);
  const LoadResult gets = load.Get(size, kUnlimited, time);
  AddRate(report, "get" + of, size, gets, only(size == kFourKib && !is_one && !is_spread, AtLeast(4'000)));
  AddLatency(report, "get" + of, gets, only(size == kHundredKb && is_one, AtMost(3)));
}

// One client over HTTP and one over gRPC in turn; then many over HTTP.
void MeasureHttp(Report& report, testing::ProcessCluster& cluster, bool is_quick) {
  // The client library takes the first endpoint, too.
  HttpLoad one({cluster.HttpAddressOf(1)}, 1);
  ClientLoad grpc({cluster.EndpointOf(1)}, 1, ClientLoad::Connections::kShared);
  LoadResult puts;
  LoadResult gets;
  LoadResult grpc_puts;
  LoadResult grpc_gets;
  for (int round = -1; round < (is_quick ? 3 : 7); ++round) {
    const LoadResult grpc_put = grpc.Put(kHundredMb, 1, absl::ZeroDuration());
    const LoadResult put = one.Put(kHundredMb, 1, absl::ZeroDuration());
    const LoadResult grpc_get = grpc.Get(kHundredMb, 1, absl::ZeroDuration());
    const LoadResult get = one.Get(kHundredMb, 1, absl::ZeroDuration());
    if (round < 0) continue;  // the first round warms up
    puts.Add(put);
    gets.Add(get);
    grpc_puts.Add(grpc_put);
    grpc_gets.Add(grpc_get);
  }
  // 0.7 times the rate.
  report.Add({.name = "HTTP put 100 MB, 1 client, p50", .value = puts.latencies.QuantileMs(0.5), .unit = "ms",
              .raw = grpc_puts.latencies.QuantileMs(0.5), .target = AtMost(1 / 0.7), .note = ErrorsOf(puts)});
  report.Add({.name = "HTTP get 100 MB, 1 client, p50", .value = gets.latencies.QuantileMs(0.5), .unit = "ms",
              .raw = grpc_gets.latencies.QuantileMs(0.5), .target = AtMost(1 / 0.7), .note = ErrorsOf(gets)});
  const absl::Duration time = absl::Seconds(is_quick ? 2 : 5);
  constexpr std::uint64_t kFiles = 1'000;
  constexpr std::uint64_t kUnlimited = 1'000'000;
  HttpLoad many({cluster.HttpAddressOf(1)}, kManyClients);
  const LoadResult small_puts = many.Put(kFourKib, kFiles, absl::InfiniteDuration());
  AddRate(report, "HTTP put 4 KiB, 16 connections", kFourKib, small_puts, std::nullopt);
  many.Get(kFourKib, kUnlimited, time / 8);
  const LoadResult small_gets = many.Get(kFourKib, kUnlimited, time);
  AddRate(report, "HTTP get 4 KiB, 16 connections", kFourKib, small_gets, AtLeast(4'000));
  AddLatency(report, "HTTP get 4 KiB, 16 connections", small_gets, std::nullopt);
}

void MeasureFaults(Report& report, testing::ProcessCluster& cluster, bool is_quick) {
  const auto measure = [&](Fault fault, const std::string& what, int times, std::optional<Target> p50) {
    const auto pauses = PausesAfter(fault, cluster, times);
    if (!pauses.ok()) {
      cluster.KeepFolder();
      report.Add({.name = what, .value = 0, .unit = "ms", .raw = std::nullopt, .target = AtLeast(1),
                  .note = pauses.status().ToString()});
      return;
    }
    const std::string count = std::to_string(pauses->count()) + " times";
    report.Add({.name = what + ", p50", .value = pauses->QuantileMs(0.5), .unit = "ms", .raw = std::nullopt,
                .target = p50, .note = count});
    report.Add({.name = what + ", max", .value = pauses->QuantileMs(1), .unit = "ms", .raw = std::nullopt,
                .target = AtMost(2'000), .note = count});
  };
  measure(Fault::kKill, "kill -9 of the leader to the next put", is_quick ? 5 : 20, AtMost(600));
  measure(Fault::kPause, "SIGSTOP of the leader to the next put", is_quick ? 3 : 10, std::nullopt);
}

std::string Load() {
  double one = 0;
  std::ifstream("/proc/loadavg") >> one;
  return std::to_string(one).substr(0, 4);
}

void AddSettings(const Report& report, const testing::ProcessCluster& cluster, const std::string& command) {
  utsname system{};
  uname(&system);
  struct statfs file_system {};
  statfs(cluster.folder().path().c_str(), &file_system);
  std::string cpu = "unknown";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      cpu = line.substr(line.find(':') + 2);
      break;
    }
  }
  report.Settings({
      {"nodes", "3 dfs-server processes and the clients on this machine, over loopback"},
      {"replicas, W, R", "3, 2, 2"},
      {"durable", "fdatasync on W nodes and a synced log entry on a majority before each answer"},
      {"checksums", "CRC32C of each message, and of each 64 KiB block against the log, verified; by the client too"},
      {"reads", "strong (read index, R = 2); warm page cache, connections made before"},
      {"MB, KiB", "1,000,000 and 1,024 bytes; random bytes"},
      {"raw limit of a put", "3 threads: write, sync_file_range every 8 MiB, fdatasync, in the same rounds"},
      {"raw limit of a get", "gRPC stream of slices between 2 processes, no checksums, in the same rounds"},
      {"processors", std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " x " + cpu},
      {"load before the run", Load()},
      {"kernel", std::string(system.sysname) + " " + system.release},
      {"file system of data", file_system.f_type == 0xEF53 ? "ext4" : std::to_string(file_system.f_type)},
      {"servers", testing::ProcessCluster::ServerBinary()},
      {"command", command},
  });
}

void AddRepair(Report& report, bool is_quick) {
  RepairOptions options;
  if (is_quick) {
    options.files = 10;
    options.get_time = absl::Seconds(4);
  }
  const std::string lost = Size(options.file_bytes * static_cast<std::uint64_t>(options.files));
  const std::string gets = "get " + Size(options.get_bytes) + ", " + std::to_string(options.get_clients) + " clients, p99";
  const auto speed = MeasureRepair(options);
  if (!speed.ok()) {
    report.Add({.name = "repair of " + lost, .value = 0, .unit = "MB/s", .raw = std::nullopt,
                .target = AtLeast(1), .note = speed.status().ToString()});
    return;
  }
  report.Add({.name = "repair of " + lost + ", no clients",
              .value = speed->bytes_per_s() / 1e6,
              .unit = "MB/s",
              .raw = speed->raw_bytes_per_s / 1e6,
              .target = AtLeast(0.5),
              .note = "in " + absl::FormatDuration(absl::Trunc(speed->elapsed, absl::Milliseconds(100))) +
                      ", from the word that it is gone"});
  const double alone_ms = speed->gets_alone.latencies.QuantileMs(0.99);
  report.Add({.name = gets + ", nothing to repair", .value = alone_ms, .unit = "ms", .raw = std::nullopt,
              .target = std::nullopt, .note = ErrorsOf(speed->gets_alone)});
  report.Add({.name = gets + ", beside repair",
              .value = speed->gets_beside.latencies.QuantileMs(0.99),
              .unit = "ms",
              .raw = alone_ms,
              .target = AtMost(2),
              .note = ErrorsOf(speed->gets_beside) + (speed->has_lasted ? "" : "REPAIR ENDED BEFORE THE GETS, OR THE LEADER CHANGED")});
  report.Add({.name = "repair beside these clients", .value = speed->beside_bytes_per_s / 1e6, .unit = "MB/s",
              .raw = std::nullopt, .target = std::nullopt, .note = ""});
}

void MeasureAll(const Options& options) {
  const auto wants = [&](const std::string& section) {
    return std::find(options.sections.begin(), options.sections.end(), section) != options.sections.end();
  };
  testing::ProcessCluster cluster;
  Report report(options.is_json);
  AddSettings(report, cluster, options.command);
  if (wants("repair")) {
    report.Section("A lost node's copies (raw: one file to three places at once, synced)");
    AddRepair(report, options.is_quick);
  }
  if (wants("tls")) {
    report.Section("Under TLS (raw: the same in plaintext, in the same rounds)");
    MeasureTlsCost(report, options.is_quick);
  }
  if (wants("handover")) {
    report.Section("Files handed over to clients on the same machine");
    MeasureHandover(report, options.is_quick);
  }
  if (wants("ls")) {
    report.Section("What somebody waits who types dfs-cli ls");
    MeasureList(report, options.is_quick);
  }
  const bool is_apart = std::all_of(options.sections.begin(), options.sections.end(), [](const std::string& section) {
    return section == "repair" || section == "tls" || section == "handover" || section == "ls";
  });
  if (!is_apart) {
    const absl::Status up = cluster.Up(3);
    CHECK(up.ok()) << up;
  }
  if (wants("idle")) {
    report.Section("Three idle nodes");
    MeasureIdle(cluster, absl::Seconds(3));  // lets them come to rest
    const IdleCost idle = MeasureIdle(cluster, absl::Seconds(options.is_quick ? 10 : 30));
    report.Add({.name = "memory (PSS), fresh", .value = idle.pss_mb, .unit = "MB", .raw = std::nullopt,
                .target = AtMost(120), .note = ""});
    report.Add({.name = "CPU, of one core", .value = idle.cpu_percent, .unit = "%", .raw = std::nullopt,
                .target = AtMost(8), .note = ""});
  }
  if (wants("bulk")) {
    report.Section("Large files");
    RawStream stream;
    MeasureBulk(report, cluster, stream, kHundredMb, options.is_quick ? 3 : 7);
    MeasureBulk(report, cluster, stream, kTwelveMb, options.is_quick ? 5 : 15);
    MeasureManyLarge(report, cluster, kTwelveMb);
    if (!options.is_quick) MeasureManyLarge(report, cluster, kHundredMb);
  }
  if (wants("small")) {
    report.Section("Small files");
    report.Add({.name = "append 4 KiB + fdatasync, p50 (raw)",
                .value = absl::ToDoubleMilliseconds(AppendAndSync(cluster.folder().path(), 500)),
                .unit = "ms",
                .raw = std::nullopt,
                .target = std::nullopt,
                .note = ""});
    const absl::Duration time = absl::Seconds(options.is_quick ? 2 : 5);
    for (const std::uint64_t size : {kHundredKb, kFourKib}) {
      MeasureSmall(report, cluster, size, 1, ClientLoad::Connections::kShared, time);
      MeasureSmall(report, cluster, size, kManyClients, ClientLoad::Connections::kShared, time);
      MeasureSmall(report, cluster, size, kManyClients, ClientLoad::Connections::kOwn, time);
    }
    report.Add({.name = "memory (PSS) after load", .value = PssMb(cluster), .unit = "MB",
                .raw = std::nullopt, .target = std::nullopt, .note = ""});
  }
  if (wants("http")) {
    report.Section("HTTP (raw: the same over gRPC, in the same rounds)");
    MeasureHttp(report, cluster, options.is_quick);
  }
  if (wants("faults")) {
    report.Section("A dead or hung leader (one client puts 4 KiB files all the time)");
    MeasureFaults(report, cluster, options.is_quick);
  }
  report.Summary();
}

}  // namespace
}  // namespace dfs::bench

int main(int argc, char** argv) {
  dfs::bench::Options options;
  CLI::App app("Measures three nodes on loopback beside the raw limits of the machine.", "dfs_bench");
  app.add_flag("--json", options.is_json, "one JSON object a line");
  app.add_flag("--quick", options.is_quick, "fewer rounds: for a look, not for publication");
  app.add_option("--only", options.sections, "sections: idle, bulk, small, http, handover, faults; repair, tls and ls only if named")->delimiter(',');
  app.add_flag_callback("--tls", [&options] { options.sections = {"tls"}; }, "the same as --only=tls");
  app.add_option("--serve-raw-stream", options.raw_stream_port_file)->group("");
  CLI11_PARSE(app, argc, argv);
  for (int i = 0; i < argc; ++i) options.command += (i == 0 ? "" : " ") + std::string(argv[i]);
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  // The distribution's Abseil looks for lock cycles at every lock, gRPC's too: 3 % of a small put.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (!options.raw_stream_port_file.empty()) {
    dfs::bench::ServeRawStream(options.raw_stream_port_file);
  }
  dfs::bench::MeasureAll(options);
  return 0;
}
