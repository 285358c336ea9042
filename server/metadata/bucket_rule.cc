#include "server/metadata/bucket_rule.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "server/metadata/limits.h"

namespace dfs::metadata {
namespace {

constexpr std::uint32_t kReplicasDefault = 3;
constexpr std::size_t kBucketNameMax = 63;

std::uint32_t Majority(std::uint64_t nodes) { return static_cast<std::uint32_t>(nodes / 2 + 1); }

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

absl::Status CheckQuorums(const api::BucketOptions& options, std::uint32_t replicas) {
  if (options.write_quorum() > replicas || options.read_quorum() > replicas) {
    return absl::InvalidArgumentError(
        absl::StrCat("a quorum is greater than the number of replicas, ", replicas));
  }
  const std::uint32_t write =
      options.write_quorum() == 0 ? Majority(replicas) : options.write_quorum();
  const std::uint32_t read =
      options.read_quorum() == 0 ? Majority(replicas) : options.read_quorum();
  const bool overlaps =
      write + read > replicas || DFS_MUTANT(1030, "quorums that need not meet are accepted");
  if (overlaps || options.allow_no_overlap()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "a write quorum of ", write, " and a read quorum of ", read, " need not meet in ", replicas,
      " replicas: a get could miss the last put (it takes more than ", replicas,
      " together, or allow_no_overlap)"));
}

}  // namespace

absl::Status CheckBucketName(std::string_view name) {
  const bool has_length = !name.empty() && name.size() <= kBucketNameMax;
  const bool has_ends = has_length && IsLetterOrDigit(name.front()) && IsLetterOrDigit(name.back());
  const bool has_letters = has_ends && std::all_of(name.begin(), name.end(), [](char c) {
                             return IsLetterOrDigit(c) || c == '-' || c == '.';
                           });
  if (has_letters) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a bucket's name has 1 to 63 characters: a to z, 0 to 9, \"-\" and \".\", and begins and "
      "ends with a letter or digit");
}

absl::StatusOr<rpc::BucketRow> BucketRowOf(const api::BucketOptions& options) {
  if (options.mode() == api::GOSSIP) {
    const bool has_others = options.replicas() != 0 || options.all_members() ||
                            options.write_quorum() != 0 || options.read_quorum() != 0 ||
                            options.allow_no_overlap() || options.versions_kept() > 1 ||
                            options.quota_bytes() != 0 || options.quota_files() != 0 ||
                            options.has_conflict_window_s();
    if (has_others) {
      return absl::InvalidArgumentError(
          "a bucket of mode gossip has no other options: every member comes to hold every file, without quorums, "
          "versions or quota");
    }
    rpc::BucketRow row;
    row.set_mode(api::GOSSIP);
    return row;
  }
  if (options.mode() != api::QUORUM && options.mode() != api::BUCKET_MODE_UNSPECIFIED) {
    return absl::InvalidArgumentError("no such mode of buckets");
  }
  if (options.all_members() && options.replicas() != 0) {
    return absl::InvalidArgumentError("replicas are a number or all members, not both");
  }
  if (options.replicas() > kReplicasMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("at most ", kReplicasMax, " replicas (or all members)"));
  }
  if (options.versions_kept() > kVersionsKeptMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("at most ", kVersionsKeptMax, " versions are kept"));
  }
  if (options.conflict_window_s() > kConflictWindowMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a conflict window has at most ", kConflictWindowMax, " seconds"));
  }
  const std::uint32_t asked = options.replicas() == 0 ? kReplicasDefault : options.replicas();
  const std::uint32_t replicas = options.all_members() ? kAllMembersMax : asked;
  DFS_RETURN_IF_ERROR(CheckQuorums(options, replicas));
  rpc::BucketRow row;
  row.set_replicas(replicas);
  row.set_all_members(options.all_members());
  // With all members the majority moves with their number.
  const auto quorum = [&](std::uint32_t given) {
    return given != 0 || options.all_members() ? given : Majority(replicas);
  };
  row.set_write_quorum(quorum(options.write_quorum()));
  row.set_read_quorum(quorum(options.read_quorum()));
  row.set_allow_no_overlap(options.allow_no_overlap());
  row.set_versions_kept(std::max(options.versions_kept(), 1u));
  row.set_quota_bytes(options.quota_bytes());
  row.set_quota_files(options.quota_files());
  if (options.has_conflict_window_s()) row.set_conflict_window_s(options.conflict_window_s());
  return row;
}

api::BucketOptions OptionsOf(const rpc::BucketRow& bucket) {
  api::BucketOptions options;
  options.set_mode(IsGossipBucket(bucket) ? api::GOSSIP : api::QUORUM);
  if (IsGossipBucket(bucket)) return options;
  if (!bucket.all_members()) options.set_replicas(bucket.replicas());
  options.set_all_members(bucket.all_members());
  options.set_write_quorum(bucket.write_quorum());
  options.set_read_quorum(bucket.read_quorum());
  options.set_allow_no_overlap(bucket.allow_no_overlap());
  options.set_versions_kept(OldVersionsKept(bucket) + 1);
  options.set_quota_bytes(bucket.quota_bytes());
  options.set_quota_files(bucket.quota_files());
  if (bucket.has_conflict_window_s()) options.set_conflict_window_s(bucket.conflict_window_s());
  return options;
}

std::uint32_t EffectiveReplicas(const rpc::BucketRow& bucket, std::uint64_t members) {
  if (DFS_MUTANT(1200, "every bucket has three copies"))
    members = std::min<std::uint64_t>(members, kReplicasDefault);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bucket.replicas(), members));
}

std::uint32_t EffectiveWriteQuorum(const rpc::BucketRow& bucket, std::uint64_t members) {
  if (bucket.write_quorum() == 0) return Majority(EffectiveReplicas(bucket, members));
  if (DFS_MUTANT(1201, "two copies are enough in every bucket"))
    members = std::min<std::uint64_t>(members, 2);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bucket.write_quorum(), members));
}

std::uint32_t EffectiveReadQuorum(const rpc::BucketRow& bucket, std::uint64_t set_size) {
  if (bucket.read_quorum() == 0) return Majority(set_size);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bucket.read_quorum(), set_size));
}

std::uint32_t OldVersionsKept(const rpc::BucketRow& bucket) {
  return bucket.versions_kept() == 0 ? 0 : bucket.versions_kept() - 1;
}

}  // namespace dfs::metadata
