#include "tests/bench/tls_cost.h"

#include <glog/logging.h>

#include <memory>
#include <string>

#include "tests/bench/client_load.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

using client::LoadResult;

constexpr std::uint64_t kBulk = 100'000'000;
constexpr std::uint64_t kSmall = 4'096;
constexpr int kClients = 16;
constexpr int kUnlimited = 1'000'000;

std::unique_ptr<testing::ProcessCluster> Start(bool is_tls) {
  testing::ProcessCluster::Options options;
  options.is_tls = is_tls;
  auto cluster = std::make_unique<testing::ProcessCluster>(std::move(options));
  const absl::Status up = cluster->Up(3);
  CHECK(up.ok()) << up;
  return cluster;
}

// What both clusters did, round by round in turn, so that noise of the machine meets both.
struct Pair {
  LoadResult plain;
  LoadResult tls;
};

std::string ErrorsOf(const Pair& pair) {
  const LoadResult& bad = pair.tls.errors > 0 ? pair.tls : pair.plain;
  if (bad.errors == 0) return "";
  return std::to_string(bad.errors) + " ERRORS: " + bad.first_error.ToString();
}

double PerSecond(const LoadResult& result) {
  const double seconds = absl::ToDoubleSeconds(result.elapsed);
  return seconds > 0 ? static_cast<double>(result.latencies.count()) / seconds : 0;
}

void AddLatency(Report& report, const std::string& name, const Pair& pair) {
  report.Add({.name = name + ", p50",
              .value = pair.tls.latencies.QuantileMs(0.5),
              .unit = "ms",
              .raw = pair.plain.latencies.QuantileMs(0.5),
              .target = std::nullopt,
              .note = ErrorsOf(pair)});
}

void AddRate(Report& report, const std::string& name, const Pair& pair) {
  report.Add({.name = name + ", files a second",
              .value = PerSecond(pair.tls),
              .unit = "/s",
              .raw = PerSecond(pair.plain),
              .target = std::nullopt,
              .note = ErrorsOf(pair)});
}

}  // namespace

void MeasureTlsCost(Report& report, bool is_quick) {
  const auto plain = Start(/*is_tls=*/false);
  const auto tls = Start(/*is_tls=*/true);
  {
    ClientLoad plain_load(plain->Endpoints(), 1, ClientLoad::Connections::kShared);
    ClientLoad tls_load(tls->Endpoints(), 1, ClientLoad::Connections::kShared, tls->ClientOptions());
    Pair puts;
    Pair gets;
    for (int round = -1; round < (is_quick ? 3 : 7); ++round) {
      const LoadResult plain_put = plain_load.Put(kBulk, 1, absl::ZeroDuration());
      const LoadResult tls_put = tls_load.Put(kBulk, 1, absl::ZeroDuration());
      const LoadResult plain_get = plain_load.Get(kBulk, 1, absl::ZeroDuration());
      const LoadResult tls_get = tls_load.Get(kBulk, 1, absl::ZeroDuration());
      if (round < 0) continue;  // the first round warms up
      puts.plain.Add(plain_put);
      puts.tls.Add(tls_put);
      gets.plain.Add(plain_get);
      gets.tls.Add(tls_get);
    }
    AddLatency(report, "put 100 MB, 1 client", puts);
    AddLatency(report, "get 100 MB, 1 client", gets);
  }
  ClientLoad plain_load(plain->Endpoints(), kClients, ClientLoad::Connections::kShared);
  ClientLoad tls_load(tls->Endpoints(), kClients, ClientLoad::Connections::kShared, tls->ClientOptions());
  const absl::Duration time = absl::Seconds(is_quick ? 1 : 2);
  Pair puts;
  Pair gets;
  for (int round = -1; round < 3; ++round) {
    const LoadResult plain_put = plain_load.Put(kSmall, kUnlimited, time);
    const LoadResult tls_put = tls_load.Put(kSmall, kUnlimited, time);
    const LoadResult plain_get = plain_load.Get(kSmall, kUnlimited, time);
    const LoadResult tls_get = tls_load.Get(kSmall, kUnlimited, time);
    if (round < 0) continue;
    puts.plain.Add(plain_put);
    puts.tls.Add(tls_put);
    gets.plain.Add(plain_get);
    gets.tls.Add(tls_get);
  }
  AddRate(report, "put 4 KiB, 16 clients", puts);
  AddRate(report, "get 4 KiB, 16 clients", gets);
}

}  // namespace dfs::bench
