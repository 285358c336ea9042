// CommitPut and RemoveFile: the entries that make a version visible, and end it.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/metadata_machine.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

using Code = rpc::CommandResult;

// Empty: the command is well formed. These are mistakes of its maker and depend on nothing
// but the command and the bucket.
std::string WhatIsWrong(const ApplyContext& context, const rpc::CommitPut& put) {
  if (const absl::Status name = CheckName(put.name()); !name.ok()) {
    return std::string(name.message().data(), name.message().size());
  }
  if (context.FindBucket(put.bucket_id()) == nullptr) return "no such bucket";
  if (FromWire(put.txn()).is_none()) return "no transaction";
  if (put.chunks_size() > kChunksPerVersionMax) return "more than 4,096 chunks";
  std::uint64_t left = put.size();
  for (const rpc::CommitChunk& chunk : put.chunks()) {
    if (chunk.size() == 0 || chunk.size() > left) return "the sizes of the chunks are wrong";
    left -= chunk.size();
  }
  return left == 0 ? "" : "the chunks are shorter than the file";
}

// How many nodes a set of this bucket names (rule R16).
std::size_t SetSize(const ApplyContext& context, const rpc::BucketRow& bucket) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(bucket.replicas(), context.cache->counters.members()));
}

// Quorums are counted over all members, alive or not (rule R7).
std::size_t EffectiveWriteQuorum(const ApplyContext& context, const rpc::BucketRow& bucket) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(bucket.write_quorum(), context.cache->counters.members()));
}

// Adds distinct ACTIVE nodes until the set has its size.
class SetBuilder {
 public:
  SetBuilder(const ApplyContext& context, std::size_t size) : context_(context), size_(size) {}
  // True if it was added.
  bool Add(std::uint32_t node) {
    return named_.size() < size_ && context_.IsActive(node) && named_.insert(node).second;
  }
  [[nodiscard]] bool is_full() const { return named_.size() >= size_; }

 private:
  const ApplyContext& context_;
  const std::size_t size_;
  std::set<std::uint32_t> named_;
};

// The lowest ids stand in where the command names too few, those that are OUT or draining last: every node comes
// to the same set.
template <class AddNode>
void Complete(const ApplyContext& context, const SetBuilder& set, AddNode add) {
  for (const bool is_settled : {true, false}) {
    for (const auto& [id, node] : context.cache->nodes) {
      if (set.is_full()) return;
      if (IsWithdrawn(node) != is_settled) add(id.value());
    }
  }
}

rpc::ChunkRow ChunkOf(const ApplyContext& context, const rpc::BucketRow& bucket,
                      const rpc::CommitChunk& chunk) {
  rpc::ChunkRow row;
  row.set_size(chunk.size());
  *row.mutable_hash() = ToWire(HashFromWire(chunk.hash()));
  SetBuilder set(context, SetSize(context, bucket));
  const auto add = [&](std::uint32_t node, api::ReplicaState state) {
    if (!set.Add(node)) return;
    rpc::Replica* replica = row.add_replicas();
    replica->set_node_id(node);
    replica->set_state(state);
  };
  for (const rpc::Ack& ack : chunk.acks()) {
    if (context.IsCurrent(ack)) add(ack.node_id(), api::OK);
  }
  if (DFS_MUTANT(216, "the set is cut to the acknowledged nodes (rule R16)")) return row;
  for (const std::uint32_t node : chunk.set()) add(node, api::MISSING);
  Complete(context, set, [&](std::uint32_t node) { add(node, api::MISSING); });
  return row;
}

std::size_t CurrentAcks(const ApplyContext& context, const rpc::CommitChunk& chunk) {
  std::set<std::uint32_t> nodes;
  for (const rpc::Ack& ack : chunk.acks()) {
    const bool counts = context.IsCurrent(ack) ||
                        DFS_MUTANT(218, "acknowledgements of other storages and starts count (R13)");
    if (counts) nodes.insert(ack.node_id());
  }
  return nodes.size();
}

rpc::VersionRow VersionOf(const ApplyContext& context, const rpc::BucketRow& bucket,
                          const rpc::CommitPut& put) {
  rpc::VersionRow version;
  version.set_number(context.cache->counters.last_version() + 1);
  version.set_commit_index(context.index.value());
  version.set_time_us(context.log_time_us());
  version.set_size(put.size());
  version.set_crc32c(put.crc32c());
  *version.mutable_content_hash() = ToWire(HashFromWire(put.content_hash()));
  *version.mutable_txn() = ToWire(FromWire(put.txn()));
  version.set_bucket_id(put.bucket_id());
  version.set_name(put.name());
  for (const rpc::CommitChunk& chunk : put.chunks()) {
    *version.add_chunks() = ChunkOf(context, bucket, chunk);
  }
  if (put.chunks_size() == 0) {
    SetBuilder set(context, SetSize(context, bucket));
    const auto add = [&](std::uint32_t node) {
      if (set.Add(node)) version.add_empty_set(node);
    };
    for (const std::uint32_t node : put.empty_set()) add(node);
    Complete(context, set, add);
  }
  return version;
}

// Why this attempt cannot count though another may: answered REBEGIN and not stored. Empty: it counts.
std::string WhyBeginAgain(const ApplyContext& context, const rpc::BucketRow& bucket,
                          const rpc::CommitPut& put) {
  for (const rpc::CommitChunk& chunk : put.chunks()) {
    // An acknowledgement with an epoch above the row's is of a node whose start is not applied
    // yet: it does not count either, or the order of entries would not decide.
    const std::size_t less = DFS_MUTANT(219, "one acknowledgement less than W is enough (R13)") ? 1 : 0;
    if (CurrentAcks(context, chunk) + less < EffectiveWriteQuorum(context, bucket)) {
      return "too few acknowledgements are current";
    }
  }
  return "";
}

bool HoldsPrecondition(bool has_condition, std::uint64_t wanted,
                       const std::optional<rpc::VersionRow>& current) {
  return !has_condition || wanted == (current ? current->number() : 0);
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::CommitPut& command) {
  constexpr std::uint32_t kKind = rpc::Command::kCommitPut;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (const std::string wrong = WhatIsWrong(*context, command); !wrong.empty()) {
    return Refusal(*context, Code::INVALID, wrong);
  }
  const bool is_of_term = Term(command.txn().term()) == context->term;
  const bool ignores_term =
      DFS_MUTANT(213, "the term of the transaction is not checked (rule R13)") ||
      DFS_MUTANT(860, "neither leader nor apply checks the transaction's term (rule R13)");
  if (!is_of_term && !ignores_term) {
    return Refusal(*context, Code::REBEGIN, "the transaction is of another term");
  }
  if (context->rows->Get(TxnKey(FromWire(command.txn())))) {
    return Refusal(*context, Code::REBEGIN, "the transaction was committed by another request");
  }
  const rpc::BucketRow& bucket = *context->FindBucket(command.bucket_id());
  const BucketId bucket_id(bucket.id());
  const auto visible = FindVisible(*context, bucket_id, command.name());
  rpc::CommandResult result;
  if (!HoldsPrecondition(command.has_if_version(), command.if_version(), visible)) {
    result.set_code(Code::PRECONDITION_FAILED);
    result.set_message("the current version is another");
    return StoreResult(context, request, kKind, std::move(result));
  }
  if (const std::string why = WhyBeginAgain(*context, bucket, command); !why.empty()) {
    return Refusal(*context, Code::REBEGIN, why);
  }

  const rpc::VersionRow version = VersionOf(*context, bucket, command);
  context->cache->counters.set_last_version(version.number());
  // Also one that a pending clear hides: its row makes way.
  if (auto old = ReadFile(*context->rows, bucket_id, command.name())) {
    TrashCurrent(context, *std::move(old));
  }
  AddCurrent(context, version);
  result.set_code(Code::DONE);
  *result.mutable_version() = Summary(version);
  result.set_replicas(PoorestCopies(version));
  return StoreResult(context, request, kKind, std::move(result));
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::RemoveFile& command) {
  constexpr std::uint32_t kKind = rpc::Command::kRemoveFile;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (const absl::Status name = CheckName(command.name()); !name.ok()) {
    return Refusal(*context, Code::INVALID,
                   std::string(name.message().data(), name.message().size()));
  }
  if (context->FindBucket(command.bucket_id()) == nullptr) {
    return Refusal(*context, Code::INVALID, "no such bucket");
  }
  auto visible = FindVisible(*context, BucketId(command.bucket_id()), command.name());
  rpc::CommandResult result;
  if (!visible) {
    result.set_code(Code::NOT_FOUND);
    result.set_message("no such file");
    return StoreResult(context, request, kKind, std::move(result));
  }
  if (!HoldsPrecondition(command.has_if_version(), command.if_version(), visible)) {
    result.set_code(Code::PRECONDITION_FAILED);
    result.set_message("the current version is another");
    return StoreResult(context, request, kKind, std::move(result));
  }
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_last_version(counters.last_version() + 1);
  result.set_code(Code::DONE);
  *result.mutable_version() = Summary(*visible);
  TrashCurrent(context, *std::move(visible));
  return StoreResult(context, request, kKind, std::move(result));
}

}  // namespace dfs::metadata
