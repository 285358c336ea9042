// mb, rb, buckets.
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

struct MbFlags {
  std::string bucket;
  std::string mode = "quorum";
  std::string replicas;
  std::uint32_t write_quorum = 0;
  std::uint32_t read_quorum = 0;
  bool allows_no_overlap = false;
  std::uint32_t versions = 1;
  std::string quota_bytes;
  std::uint64_t quota_files = 0;
  std::string conflict_window;
  bool is_dry_run = false;
};

absl::StatusOr<v1::BucketOptions> OptionsOf(const MbFlags& flags) {
  v1::BucketOptions options;
  if (flags.mode != "quorum" && flags.mode != "gossip") {
    return absl::InvalidArgumentError("a bucket's mode is quorum or gossip");
  }
  options.set_mode(flags.mode == "gossip" ? v1::GOSSIP : v1::QUORUM);
  if (flags.mode == "gossip" && flags.replicas.empty() && flags.versions == 1) {
    // Nothing else: the server refuses what does not go with it.
  } else if (flags.replicas.empty()) {
    options.set_replicas(3);
  } else if (flags.replicas == "all") {
    options.set_all_members(true);
  } else {
    std::uint32_t replicas = 0;
    const char* const end = flags.replicas.data() + flags.replicas.size();
    const auto [at, error] = std::from_chars(flags.replicas.data(), end, replicas);
    if (error != std::errc() || at != end || replicas == 0) {
      return absl::InvalidArgumentError("replicas are 1 to 7, or all");
    }
    options.set_replicas(replicas);
  }
  options.set_write_quorum(flags.write_quorum);
  options.set_read_quorum(flags.read_quorum);
  options.set_allow_no_overlap(flags.allows_no_overlap);
  if (flags.mode != "gossip" || flags.versions > 1) options.set_versions_kept(flags.versions);
  if (!flags.quota_bytes.empty()) {
    DFS_ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseBytes(flags.quota_bytes));
    options.set_quota_bytes(bytes);
  }
  options.set_quota_files(flags.quota_files);
  if (flags.conflict_window == "0") {
    options.set_conflict_window_s(0);
  } else if (!flags.conflict_window.empty()) {
    DFS_ASSIGN_OR_RETURN(const absl::Duration window, ParseTimeout(flags.conflict_window));
    options.set_conflict_window_s(static_cast<std::uint32_t>(
        std::min<std::int64_t>(absl::ToInt64Seconds(window), 1'000'000)));
  }
  return options;
}

std::string KindOf(const v1::BucketInfo& bucket) {
  const v1::BucketOptions& options = bucket.options();
  if (options.mode() == v1::GOSSIP) return "gossip, on all members (consistency=eventual)";
  return (options.all_members() ? "all " : "") +
         std::to_string(options.all_members() ? bucket.replicas_now() : options.replicas()) +
         " replicas, W=" + std::to_string(bucket.write_quorum_now()) +
         " R=" + std::to_string(bucket.read_quorum_now());
}

// Null: there is none of this name. The result points into `buckets`.
const v1::BucketInfo* FindBucket(const v1::ListBucketsResponse& buckets, const std::string& name) {
  for (const auto& bucket : buckets.buckets()) {
    if (bucket.name() == name) return &bucket;
  }
  return nullptr;
}

int SimulateMb(Session& session, const MbFlags& flags, const v1::BucketOptions& options) {
  const auto buckets = session.client().Buckets();
  if (!buckets.ok()) return session.Fail(buckets.status(), flags.bucket);
  if (FindBucket(*buckets, flags.bucket) != nullptr) {
    return session.Fail(absl::AlreadyExistsError("there is a bucket of this name"), flags.bucket);
  }
  const std::string copies = options.all_members() || options.mode() == v1::GOSSIP
                                 ? "a replica on every member"
                                 : std::to_string(options.replicas()) + " replicas";
  Simulation simulation(session);
  simulation.Would("mb", flags.bucket + ": mode " + flags.mode + ", " + copies + " (the leader checks its name and options)",
                   Json{{"bucket", flags.bucket}, {"mode", flags.mode}});
  return simulation.Finish();
}

int RunMb(Session& session, const MbFlags& flags) {
  const auto options = OptionsOf(flags);
  if (!options.ok()) return session.Fail(options.status(), flags.bucket);
  if (flags.is_dry_run) return SimulateMb(session, flags, *options);
  absl::StatusOr<v1::BucketInfo> made;
  {
    const ChangeInProgress change;
    made = session.client().MakeBucket(flags.bucket, *options);
  }
  if (!made.ok()) return session.Fail(made.status(), flags.bucket);
  if (session.is_json()) {
    session.PrintJson(JsonOf(*made));
  } else {
    const bool is_gossip = made->options().mode() == v1::GOSSIP;
    session.Say("made bucket " + made->name() + ": " + KindOf(*made) +
                (is_gossip ? "" : ", " + std::to_string(made->options().versions_kept()) + " versions kept"));
  }
  return kExitOk;
}

absl::Status NotEmpty(absl::StatusCode code, const std::string& text, const std::string& bucket) {
  return ErrorWithReason(code, text + " (dfs-cli --bucket=" + bucket + " clear removes its files)",
                         v1::ErrorDetail::NOT_EMPTY);
}

int SimulateRb(Session& session, const std::string& name) {
  const auto buckets = session.client().Buckets();
  if (!buckets.ok()) return session.Fail(buckets.status(), name);
  const v1::BucketInfo* bucket = FindBucket(*buckets, name);
  if (bucket == nullptr) return session.Fail(absl::NotFoundError("there is no such bucket"), name);
  if (bucket->files() + bucket->old_versions() > 0) {
    return session.Fail(NotEmpty(absl::StatusCode::kFailedPrecondition, "the bucket has files", name), name);
  }
  Simulation simulation(session);
  simulation.Would("rb", name + ", which has no files; what is in its trash can be taken back no more",
                   Json{{"bucket", name}});
  return simulation.Finish();
}

int RunRb(Session& session, const std::string& bucket) {
  absl::Status removed;
  {
    const ChangeInProgress change;
    removed = session.client().RemoveBucket(bucket);
  }
  if (ReasonOf(removed) == v1::ErrorDetail::NOT_EMPTY) {
    removed = NotEmpty(removed.code(), std::string(removed.message()), bucket);
  }
  if (!removed.ok()) return session.Fail(removed, bucket);
  if (session.is_json()) {
    session.PrintJson(Json{{"status", "success"}, {"bucket", bucket}});
  } else {
    session.Say("removed bucket " + bucket);
  }
  return kExitOk;
}

std::string Limit(std::uint64_t limit, bool is_human) {
  return limit == 0 ? "-" : FormatBytes(limit, is_human);
}

int RunBuckets(Session& session, const std::string& consistency_name) {
  const auto consistency = ParseConsistency(consistency_name);
  if (!consistency.ok()) return session.Fail(consistency.status());
  const auto response = session.client().Buckets(*consistency);
  if (!response.ok()) return session.Fail(response.status());
  const bool is_human = session.flags().is_human;
  std::vector<std::vector<std::string>> rows = {{"NAME", "REPLICAS", "W", "R", "VERSIONS", "FILES",
                                                 "BYTES", "OLDER", "OLDER BYTES", "MAX FILES",
                                                 "MAX BYTES"}};
  for (const auto& bucket : response->buckets()) {
    if (session.is_json()) {
      session.PrintJson(JsonOf(bucket));
      continue;
    }
    const v1::BucketOptions& options = bucket.options();
    rows.push_back(
        {bucket.name(), options.mode() == v1::GOSSIP ? "gossip"
                        : options.all_members()      ? "all"
                                                     : std::to_string(options.replicas()),
         std::to_string(bucket.write_quorum_now()), std::to_string(bucket.read_quorum_now()),
         std::to_string(options.versions_kept()), std::to_string(bucket.files()),
         FormatBytes(bucket.bytes(), is_human), std::to_string(bucket.old_versions()),
         FormatBytes(bucket.old_bytes(), is_human), Limit(options.quota_files(), false),
         Limit(options.quota_bytes(), is_human)});
  }
  if (!session.is_json()) session.Print(FormatTable(rows, "<>>>>>>>>>>"));
  return kExitOk;
}

}  // namespace

Verb MbVerb() {
  return {"mb",
          {},
          "mb BUCKET",
          "make a bucket: files that are kept in the same way",
          {"dfs-cli mb logs", "dfs-cli mb --replicas=5 --write-quorum=3 --read-quorum=3 vault",
           "dfs-cli mb --replicas=all config", "dfs-cli mb --versions=10 --quota-bytes=1GiB drafts",
           "dfs-cli --bucket=drafts put a.txt"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<MbFlags>();
            app.add_option("BUCKET", flags->bucket,
                           "1 to 63 characters: a to z, 0 to 9, \"-\" and \".\"")
                ->required();
            app.add_option("--mode", flags->mode,
                           "quorum: strong. gossip: any node that can be reached takes changes, also one that is cut "
                           "off; every member comes to hold every file, and the last writer wins")
                ->capture_default_str();
            app.add_option("--replicas", flags->replicas,
                           "copies of each file, 1 to 7; all: one on every member (16 at most) (default: 3)");
            app.add_option(
                "--write-quorum", flags->write_quorum,
                "copies that are durable before a put is answered (default: a majority)");
            app.add_option("--read-quorum", flags->read_quorum,
                           "members that confirm a strong get (default: a majority)");
            app.add_flag("--allow-no-overlap", flags->allows_no_overlap,
                         "also if the two quorums together are not more than the replicas");
            app.add_option("--versions", flags->versions,
                           "versions of each file that can be read, 1 to 64")
                ->capture_default_str();
            app.add_option("--quota-bytes", flags->quota_bytes,
                           "most bytes of all files and their older versions");
            app.add_option("--quota-files", flags->quota_files, "most files");
            app.add_option("--conflict-window", flags->conflict_window,
                           "refuse a put over what another client wrote less than this ago, for "
                           "programs too; 0: never (default: 60s for dfs-cli only)");
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunMb(session, *flags); };
          }};
}

Verb RbVerb() {
  return {"rb",
          {},
          "rb BUCKET",
          "remove a bucket that has no files",
          {"dfs-cli rb logs", "dfs-cli --bucket=logs clear --yes"},
          [](CLI::App& app) -> RunVerb {
            auto bucket = std::make_shared<std::string>();
            auto is_dry_run = std::make_shared<bool>(false);
            app.add_option("BUCKET", *bucket, "its name")->required();
            AddDryRunFlag(app, *is_dry_run);
            return [bucket, is_dry_run](Session& session) {
              return *is_dry_run ? SimulateRb(session, *bucket) : RunRb(session, *bucket);
            };
          }};
}

Verb BucketsVerb() {
  return {"buckets",
          {},
          "buckets",
          "list buckets: replicas, quorums, versions kept, what they hold and may hold",
          {"dfs-cli buckets", "dfs-cli --json buckets"},
          [](CLI::App& app) -> RunVerb {
            auto consistency = std::make_shared<std::string>("strong");
            app.add_option("--consistency", *consistency, "strong, leader or eventual");
            return [consistency](Session& session) { return RunBuckets(session, *consistency); };
          }};
}

}  // namespace dfs::client::cli
