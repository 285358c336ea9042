// bench: many puts or gets from threads of this process, through one client.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/load.h"
#include "common/ids.h"
#include "common/random.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

constexpr std::uint64_t kConcurrencyMax = 1'024;
constexpr std::uint64_t kCountMax = 10'000'000;
constexpr std::uint64_t kPatternBytes = std::uint64_t{1} << 20;

struct BenchFlags {
  std::string ops = "put,get";
  std::string size = "1MiB";
  std::uint64_t count = 100;
  std::uint64_t concurrency = 1;
  bool keeps_files = false;
  bool is_dry_run = false;
};

struct BenchPlan {
  std::vector<std::string> ops;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
  std::uint64_t concurrency = 0;
  std::string prefix;
  v1::BucketInfo bucket;  // nameless: the cluster does not tell
};

struct Outcome {
  LoadResult load;
  std::uint32_t replicas_min = 0;  // durable copies at the time of the answer; 0: not known
};

absl::StatusOr<BenchPlan> PlanOf(const BenchFlags& flags) {
  BenchPlan plan;
  DFS_ASSIGN_OR_RETURN(plan.size, ParseBytes(flags.size));
  std::string rest = flags.ops + ",";
  while (!rest.empty()) {
    const std::string op = rest.substr(0, rest.find(','));
    if (op != "put" && op != "get") {
      return absl::InvalidArgumentError("--op is put, get or put,get, not \"" + flags.ops + "\"");
    }
    plan.ops.push_back(op);
    rest.erase(0, op.size() + 1);
  }
  if (flags.count == 0 || flags.count > kCountMax || flags.concurrency == 0 ||
      flags.concurrency > kConcurrencyMax) {
    return absl::InvalidArgumentError("--count is 1 to 10000000, --concurrency 1 to 1024");
  }
  plan.count = flags.count;
  plan.concurrency = std::min(flags.concurrency, flags.count);
  plan.prefix = "bench-" + HexOf(0, SystemRandom64()).substr(16) + "/";
  return plan;
}

Slices RandomPattern() {
  Random random(SystemRandom64());
  std::string bytes;
  bytes.reserve(kPatternBytes);
  while (bytes.size() < kPatternBytes) {
    std::uint64_t bits = random.Next();
    for (int i = 0; i < 8; ++i, bits >>= 8) bytes.push_back(static_cast<char>(bits));
  }
  return Slices::Adopt(std::move(bytes));
}

absl::StatusOr<std::uint32_t> PutOne(FileClient& client, const std::string& name,
                                    const Slices& pattern, std::uint64_t size) {
  PatternSource source(pattern, size);
  DFS_ASSIGN_OR_RETURN(const v1::PutResponse put, client.Put(name, source));
  return put.replicas();
}

absl::Status GetOne(FileClient& client, const std::string& name, std::uint64_t size) {
  CountingSink sink;
  DFS_RETURN_IF_ERROR(client.Get(name, sink).status());
  return sink.bytes() == size ? absl::OkStatus() : absl::DataLossError("a file of another size");
}

Outcome RunOp(FileClient& client, const BenchPlan& plan, const std::string& op,
              const Slices& pattern) {
  Outcome outcome;
  std::vector<std::uint32_t> replicas_min(plan.concurrency, UINT32_MAX);
  outcome.load = RunLoad(
      plan.concurrency, plan.count, absl::InfiniteDuration(),
      [&](std::size_t worker, std::uint64_t number) -> absl::Status {
        const std::string name = plan.prefix + std::to_string(number);
        if (op == "get") return GetOne(client, name, plan.size);
        DFS_ASSIGN_OR_RETURN(const std::uint32_t replicas, PutOne(client, name, pattern, plan.size));
        replicas_min[worker] = std::min(replicas_min[worker], replicas);
        return absl::OkStatus();
      });
  const auto fewest = std::min_element(replicas_min.begin(), replicas_min.end());
  if (*fewest != UINT32_MAX) outcome.replicas_min = *fewest;
  return outcome;
}

// Of this machine; 0 or less: not known.
long Processors() { return sysconf(_SC_NPROCESSORS_ONLN); }

// Of what the figures depend on, too.
v1::BucketInfo BucketInfoOf(Session& session) {
  const std::string name = session.bucket();
  const auto buckets = session.client().Buckets();
  if (!buckets.ok()) return {};
  for (const v1::BucketInfo& bucket : buckets->buckets()) {
    if (bucket.name() == name) return bucket;
  }
  return {};
}

Json JsonOfBench(const BenchPlan& plan, const std::string& op, const Outcome& outcome) {
  const double seconds = absl::ToDoubleSeconds(outcome.load.elapsed);
  const auto done = static_cast<double>(outcome.load.latencies.count());
  Json out;
  out["status"] = outcome.load.errors == 0 ? "success" : "error";
  out["op"] = op;
  out["size"] = plan.size;
  out["count"] = plan.count;
  out["concurrency"] = plan.concurrency;
  out["seconds"] = seconds;
  out["ops_per_s"] = seconds > 0 ? done / seconds : 0;
  out["bytes_per_s"] = seconds > 0 ? done * static_cast<double>(plan.size) / seconds : 0;
  out["p50_ms"] = outcome.load.latencies.QuantileMs(0.5);
  out["p99_ms"] = outcome.load.latencies.QuantileMs(0.99);
  out["max_ms"] = outcome.load.latencies.QuantileMs(1);
  out["errors"] = outcome.load.errors;
  out["durable"] = true;             // an answer means synced copies: the contract of Files.Put
  out["checksums_verified"] = true;  // CRC32C, by this client and by every replica
  out["client_cache"] = "none";
  out["processors"] = Processors();
  if (!plan.bucket.name().empty()) {
    out["bucket"] = plan.bucket.name();
    out["replicas"] = plan.bucket.replicas_now();
    out["write_quorum"] = plan.bucket.write_quorum_now();
    out["read_quorum"] = plan.bucket.read_quorum_now();
  }
  if (op == "put") {
    out["replicas_durable_min"] = outcome.replicas_min;
  } else {
    out["server_cache"] = "warm: the files were written by this run";
    out["consistency"] = "strong";
  }
  if (outcome.load.errors > 0) out["error"] = JsonOfError(outcome.load.first_error, "")["error"];
  return out;
}

void PrintBench(Session& session, const BenchPlan& plan, const std::string& op,
                const Outcome& outcome) {
  const Json json = JsonOfBench(plan, op, outcome);
  char text[400];
  std::snprintf(
      text, sizeof(text),
      "%s  %llu files of %llu bytes, %llu at once: %.3f s, %.1f/s, %.1f MB/s, p50 %.3f ms, "
      "p99 %.3f ms, max %.3f ms, %llu errors\n",
      op.c_str(), static_cast<unsigned long long>(plan.count),
      static_cast<unsigned long long>(plan.size), static_cast<unsigned long long>(plan.concurrency),
      json["seconds"].get<double>(), json["ops_per_s"].get<double>(),
      json["bytes_per_s"].get<double>() / 1e6, json["p50_ms"].get<double>(),
      json["p99_ms"].get<double>(), json["max_ms"].get<double>(),
      static_cast<unsigned long long>(outcome.load.errors));
  session.Print(text);
  if (op == "put") {
    session.Print("     durable (synced) on at least " + std::to_string(outcome.replicas_min) +
                  " nodes when answered; CRC32C verified by every replica\n");
  } else {
    session.Print(
        "     strong consistency; CRC32C verified by this client; server cache warm, "
        "no client cache\n");
  }
}

void PrintSettings(Session& session, const BenchPlan& plan) {
  const v1::BucketInfo& bucket = plan.bucket;
  std::string text = "client with " + std::to_string(Processors()) + " processors";
  if (!bucket.name().empty()) {
    text += "; bucket " + bucket.name() + ": " + std::to_string(bucket.replicas_now()) + " replicas, write quorum " +
            std::to_string(bucket.write_quorum_now()) + ", read quorum " + std::to_string(bucket.read_quorum_now());
  }
  session.Print(text + "\n");
}

// Removes what was put; says so if that fails.
void CleanUp(Session& session, const BenchPlan& plan) {
  const auto removed = session.client().Clear(plan.prefix);
  if (!removed.ok()) {
    std::fprintf(stderr, "dfs-cli: %s* was not removed: %s\n", plan.prefix.c_str(),
                 SentenceOf(removed.status()).c_str());
  }
}

int RunBench(Session& session, const BenchFlags& flags) {
  auto plan = PlanOf(flags);
  if (!plan.ok()) return session.Fail(plan.status());
  if (flags.is_dry_run) {
    Simulation simulation(session);
    simulation.Would("bench", "put " + std::to_string(plan->count) + " files of " + std::to_string(plan->size) + " bytes below " +
                                  plan->prefix + (flags.keeps_files ? "" : ", and remove them"),
                     Json{{"op", flags.ops}, {"count", plan->count}, {"size", plan->size}}, plan->count * plan->size);
    return simulation.Finish();
  }
  plan->bucket = BucketInfoOf(session);
  if (!session.is_json()) PrintSettings(session, *plan);
  const Slices pattern = RandomPattern();
  int code = kExitOk;
  bool has_files = false;
  for (const auto& op : plan->ops) {
    if (op == "get" && !has_files) {
      const Outcome put = RunOp(session.client(), *plan, "put", pattern);  // not reported
      if (put.load.errors > 0) {
        code = session.Fail(put.load.first_error, plan->prefix);
        break;
      }
    }
    has_files = true;
    const Outcome outcome = RunOp(session.client(), *plan, op, pattern);
    if (session.is_json()) {
      session.PrintJson(JsonOfBench(*plan, op, outcome));
    } else {
      PrintBench(session, *plan, op, outcome);
    }
    if (outcome.load.errors == 0) continue;
    if (!session.is_json()) session.Fail(outcome.load.first_error, op);
    code = outcome.load.latencies.count() > 0 ? kExitPartly : ExitCodeOf(outcome.load.first_error);
  }
  if (flags.keeps_files) {
    session.Say("kept: " + plan->prefix);
  } else {
    CleanUp(session, *plan);
  }
  return code;
}

}  // namespace

Verb BenchVerb() {
  return {"bench",
          {},
          "bench",
          "measure puts and gets; the files are removed afterwards",
          {"dfs-cli bench", "dfs-cli bench --op=put --size=4K --count=10000 --concurrency=16",
           "dfs-cli --json bench --size=100MB --count=5"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<BenchFlags>();
            app.add_option("--op", flags->ops, "put, get or put,get")->capture_default_str();
            app.add_option("--size", flags->size, "of each file: 4K, 1MiB, 100MB")
                ->capture_default_str();
            app.add_option("--count", flags->count, "files")->capture_default_str();
            app.add_option("--concurrency", flags->concurrency, "threads")->capture_default_str();
            app.add_flag("--keep", flags->keeps_files, "do not remove the files");
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunBench(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
