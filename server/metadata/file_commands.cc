// CommitPut and RemoveFile: the entries that make a version visible, and end it.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/bucket_table.h"
#include "server/metadata/commands.h"
#include "server/metadata/metadata_machine.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

using Code = rpc::CommandResult;

// Empty: the command is well formed. These are mistakes of its maker and depend on nothing
// but the command.
std::string WhatIsWrong(const rpc::CommitPut& put) {
  if (const absl::Status name = CheckName(put.name()); !name.ok()) {
    return std::string(name.message().data(), name.message().size());
  }
  if (const absl::Status writer = CheckWriter(put.writer()); !writer.ok()) {
    return std::string(writer.message().data(), writer.message().size());
  }
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
  return EffectiveReplicas(bucket, context.cache->counters.members());
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
  version.set_writer(put.writer());
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

// Whether a copy is on a node that stays. A node that leaves is retired once the leader has seen that nothing is left on it
// alone, which this entry may follow.
bool HasAckThatStays(const ApplyContext& context, const rpc::CommitChunk& chunk) {
  if (DFS_MUTANT(1206, "a put counts whose copies are all on nodes that leave")) return true;
  return std::any_of(chunk.acks().begin(), chunk.acks().end(), [&](const rpc::Ack& ack) {
    if (!context.IsCurrent(ack)) return false;
    const rpc::Departure departure = context.FindNode(ack.node_id())->departure();
    return departure != rpc::LEAVING && departure != rpc::FORGOTTEN;
  });
}

// Why this attempt cannot count though another may: answered REBEGIN and not stored. Empty: it counts.
std::string WhyBeginAgain(const ApplyContext& context, const rpc::BucketRow& bucket,
                          const rpc::CommitPut& put) {
  for (const rpc::CommitChunk& chunk : put.chunks()) {
    // An acknowledgement with an epoch above the row's is of a node whose start is not applied
    // yet: it does not count either, or the order of entries would not decide.
    const std::size_t less = DFS_MUTANT(219, "one acknowledgement less than W is enough (R13)") ? 1 : 0;
    if (CurrentAcks(context, chunk) + less < EffectiveWriteQuorum(bucket, context.cache->counters.members())) {
      return "too few acknowledgements are current";
    }
    if (!HasAckThatStays(context, chunk)) return "all copies are on nodes that leave";
  }
  return "";
}

bool HoldsPrecondition(bool has_condition, std::uint64_t wanted,
                       const std::optional<rpc::VersionRow>& current) {
  return !has_condition || wanted == (current ? current->number() : 0);
}

// The write-write question: whether another writer put the current version within the window. Who does not say who he
// is, is another one to everybody.
bool IsConflict(const ApplyContext& context, const rpc::BucketRow& bucket,
                const rpc::CommitPut& put, const std::optional<rpc::VersionRow>& current) {
  const std::uint64_t window_s =
      bucket.has_conflict_window_s() ? bucket.conflict_window_s() : put.conflict_window_s();
  const bool is_asked = !put.ignore_conflict() && !put.has_if_version() && !put.if_absent();
  if (!current || !is_asked || window_s == 0) return false;
  if (!put.writer().empty() && put.writer() == current->writer()) return false;
  return context.log_time_us() < current->time_us() + window_s * 1'000'000;
}

struct Refused {
  Code::Code code;
  std::string message;
};

// What the request itself or the bucket says against the put; nullopt: nothing. Whoever gets it is told for good.
std::optional<Refused> WhyNot(const ApplyContext& context, const rpc::BucketRow& bucket,
                              const rpc::CommitPut& put,
                              const std::optional<rpc::VersionRow>& visible) {
  if (put.if_absent() && visible &&
      !DFS_MUTANT(1033, "if_absent is decided before the entry is applied, not by it")) {
    return Refused{Code::EXISTS, "there is a file of this name"};
  }
  if (!HoldsPrecondition(put.has_if_version(), put.if_version(), visible)) {
    return Refused{Code::PRECONDITION_FAILED, "the current version is another"};
  }
  if (IsConflict(context, bucket, put, visible)) {
    const std::uint64_t age_s = (context.log_time_us() - visible->time_us()) / 1'000'000;
    return Refused{Code::CONFLICT,
                   absl::StrCat(visible->writer().empty() ? "another client" : visible->writer(),
                                " wrote version ", visible->number(), " of this name ", age_s,
                                " s ago")};
  }
  std::string over = WhatIsExceeded(context, bucket, put.size(), visible);
  if (!over.empty()) return Refused{Code::OVER_QUOTA, std::move(over)};
  return std::nullopt;
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::CommitPut& command) {
  constexpr std::uint32_t kKind = rpc::Command::kCommitPut;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (const std::string wrong = WhatIsWrong(command); !wrong.empty()) {
    return Refusal(*context, Code::INVALID, wrong);
  }
  const rpc::BucketRow* const open = context->FindQuorumBucket(command.bucket_id());
  if (open == nullptr) return Refusal(*context, Code::NO_BUCKET, "no such bucket");
  const rpc::BucketRow& bucket = *open;
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
  auto under_name = ReadFile(*context->rows, BucketId(bucket.id()), command.name());
  rpc::CommandResult result;
  if (const auto why = WhyNot(*context, bucket, command, IfVisible(*context, under_name))) {
    result.set_code(why->code);
    result.set_message(why->message);
    return StoreResult(context, request, kKind, std::move(result));
  }
  if (const std::string why = WhyBeginAgain(*context, bucket, command); !why.empty()) {
    return Refusal(*context, Code::REBEGIN, why);
  }

  rpc::VersionRow version = VersionOf(*context, bucket, command);
  context->cache->counters.set_last_version(version.number());
  version.set_old_versions(MakeWay(context, bucket, std::move(under_name)));
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
  if (context->FindQuorumBucket(command.bucket_id()) == nullptr) {
    return Refusal(*context, Code::NO_BUCKET, "no such bucket");
  }
  const BucketId bucket(command.bucket_id());
  const auto visible = FindVisible(*context, bucket, command.name());
  const auto fail = [&](Code::Code code, const char* message) {
    rpc::CommandResult result;
    result.set_code(code);
    result.set_message(message);
    return StoreResult(context, request, kKind, std::move(result));
  };
  if (!visible) return fail(Code::NOT_FOUND, "no such file");
  if (!HoldsPrecondition(command.has_if_version(), command.if_version(), visible)) {
    return fail(Code::PRECONDITION_FAILED, "the current version is another");
  }
  std::optional<rpc::VersionRow> old;
  if (command.has_version()) {
    if (command.version() == visible->number()) {
      return fail(Code::PRECONDITION_FAILED, "this is the current version");
    }
    old = ReadOld(*context->rows, bucket, command.name(), command.version());
    if (!old) return fail(Code::NOT_FOUND, "no such version is kept");
  }
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_last_version(counters.last_version() + 1);
  rpc::CommandResult result;
  result.set_code(Code::DONE);
  *result.mutable_version() = Summary(old ? *old : *visible);
  if (old) {
    TrashOld(context, *old);
  } else {
    TrashFile(context, *visible);
  }
  return StoreResult(context, request, kKind, std::move(result));
}

}  // namespace dfs::metadata
