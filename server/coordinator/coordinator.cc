#include "server/coordinator/coordinator.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/node_role.h"

namespace dfs::coordinator {

namespace {

// Marks a status inside this process; never on the wire.
constexpr char kLaggingMark[] = "dfs/lagging";

absl::Status Lagging(std::string_view why) {
  absl::Status status =
      ErrorWithReason(absl::StatusCode::kUnavailable, why, api::ErrorDetail::OVERLOADED);
  status.SetPayload(kLaggingMark, absl::Cord());
  return status;
}

// There never was a state without any bucket that somebody could have seen.
absl::StatusOr<std::unique_ptr<metadata::MetadataView>> ViewAsItIs(const Parts& parts) {
  auto view = parts.machine->View();
  if (!view->cluster_id()) return Lagging("this node has just joined and knows no files yet; ask another node");
  return view;
}

}  // namespace

absl::Status BucketIsGone() {
  return ErrorWithReason(absl::StatusCode::kUnavailable,
                         "the bucket was made or removed just now; try again",
                         api::ErrorDetail::REASON_UNSPECIFIED);
}

bool IsLagging(const absl::Status& status) {
  return !status.ok() && status.GetPayload(kLaggingMark).has_value();
}

absl::StatusOr<std::unique_ptr<metadata::MetadataView>> ReadView(const Parts& parts,
                                                                 api::Consistency consistency,
                                                                 absl::Duration lag_max) {
  if (!parts.machine->has_files()) return Lagging("this node keeps no metadata of files; ask another node");
  const bool is_mistaken = DFS_MUTANT(810, "a strong read does not ask the leader (rule R10)");
  const bool asks_nobody = consistency == api::LEADER &&
                           DFS_MUTANT(1204, "a read as of the leader does not ask the leader");
  if (consistency == api::EVENTUAL || is_mistaken || asks_nobody) return ViewAsItIs(parts);
  const MonotonicTime start = parts.clock->Now();
  const auto index = parts.leader->ReadIndex(kQuorumTimeout);
  if (!index.ok()) return index.status();
  if (parts.machine->applied_index() < *index) {
    const absl::Duration left = std::max(kQuorumTimeout - (parts.clock->Now() - start), kLagMax);
    if (!parts.wait_applied(*index, std::min(left, lag_max)).ok()) {
      return Lagging("this node lags behind the leader; ask another node");
    }
  }
  return parts.machine->View();
}

absl::StatusOr<std::unique_ptr<metadata::MetadataView>> ReadDirectoryView(const Parts& parts,
                                                                          api::Consistency consistency) {
  if (parts.machine->has_files()) return ReadView(parts, consistency);
  if (consistency != api::EVENTUAL) DFS_RETURN_IF_ERROR(parts.refresh_directory(kQuorumTimeout));
  return ViewAsItIs(parts);
}

absl::StatusOr<rpc::BucketRow> FindBucket(const metadata::MetadataView& view,
                                          const std::string& name) {
  const std::string& wanted = name.empty() ? "default" : name;
  if (auto row = view.FindBucket(wanted)) {
    if (row->all_members()) {
      row->set_replicas(metadata::EffectiveReplicas(*row, view.member_count()));
    }
    return *std::move(row);
  }
  return absl::NotFoundError(absl::StrCat("no bucket \"", wanted, "\""));
}

absl::StatusOr<rpc::BucketRow> FindBucketOfChange(const Parts& parts, const std::string& name) {
  auto bucket = FindBucket(*parts.machine->View(), name);
  if (bucket.ok()) return bucket;
  DFS_ASSIGN_OR_RETURN(const auto view, ReadDirectoryView(parts, api::STRONG));
  return FindBucket(*view, name);
}

absl::StatusOr<rpc::VersionRow> FindVersionOf(const metadata::MetadataView& view,
                                              const rpc::BucketRow& bucket, const std::string& name,
                                              std::optional<std::uint64_t> number) {
  auto version = view.FindFile(BucketId(bucket.id()), name);
  if (version && number && version->number() != *number) {
    version = view.FindOld(BucketId(bucket.id()), name, *number);
  }
  if (version) return *std::move(version);
  return absl::NotFoundError(number ? absl::StrCat("no version ", *number, " of \"", name, "\"")
                                    : absl::StrCat("no file \"", name, "\""));
}

std::set<std::uint32_t> ReplicaHolders(const metadata::MetadataView& view) {
  std::set<std::uint32_t> holders;
  for (const auto& node : view.Nodes()) {
    if (node.state() == rpc::ACTIVE && metadata::HoldsReplicas(node)) holders.insert(node.node_id());
  }
  return holders;
}

void CompleteEmptySet(const metadata::MetadataView& view, const rpc::BucketRow& bucket,
                      rpc::VersionRow* version) {
  if (version->chunks().empty()) CompleteEmptySet(ReplicaHolders(view), bucket, version);
}

void CompleteEmptySet(const std::set<std::uint32_t>& members, const rpc::BucketRow& bucket,
                      rpc::VersionRow* version) {
  if (!version->chunks().empty()) return;
  const std::size_t wanted = metadata::EffectiveReplicas(bucket, members.size());
  std::set<std::uint32_t> others = members;
  std::vector<std::uint32_t> set;
  for (const std::uint32_t node : version->empty_set()) {
    if (others.erase(node) > 0) set.push_back(node);
  }
  for (const std::uint32_t node : others) {
    if (set.size() >= wanted) break;
    set.push_back(node);
  }
  version->mutable_empty_set()->Assign(set.begin(), set.end());
}

std::vector<std::string> NamesOf(const metadata::MetadataView& view,
                                 const std::vector<NodeId>& nodes) {
  std::vector<std::string> names;
  for (const NodeId node : nodes) {
    const auto row = view.FindNode(node);
    names.push_back(row ? absl::StrCat(row->name(), " (", row->client_address(), ")")
                        : absl::StrCat("node ", node.value()));
  }
  return names;
}

absl::Status NoQuorum(const metadata::MetadataView& view, std::string_view what,
                      const std::vector<NodeId>& missing) {
  api::ErrorDetail detail;
  detail.set_reason(api::ErrorDetail::NO_QUORUM);
  detail.set_outcome(api::ErrorDetail::NOTHING_CHANGED);
  const auto names = NamesOf(view, missing);
  for (const auto& name : names) detail.add_missing_nodes(name);
  return ErrorWithDetail(
      absl::StatusCode::kUnavailable,
      absl::StrCat(std::string(what), "; no answer from ",
                   names.empty() ? "enough nodes" : absl::StrJoin(names, ", ")),
      detail);
}

std::uint32_t ReplicasOk(const rpc::VersionRow& version) {
  if (version.chunks().empty()) return static_cast<std::uint32_t>(version.empty_set_size());
  std::uint32_t poorest = UINT32_MAX;
  for (const auto& chunk : version.chunks()) {
    const auto ok = std::count_if(chunk.replicas().begin(), chunk.replicas().end(),
                                  [](const rpc::Replica& r) { return r.state() == api::OK; });
    poorest = std::min(poorest, static_cast<std::uint32_t>(ok));
  }
  return poorest;
}

api::FileInfo InfoOf(const rpc::VersionRow& version, const rpc::BucketRow& bucket) {
  api::FileInfo info;
  info.set_bucket(bucket.name());
  info.set_name(version.name());
  info.set_size(version.size());
  info.set_version(version.number());
  info.set_crc32c(version.crc32c());
  info.set_content_hash(BytesOf(version.content_hash().high(), version.content_hash().low()));
  info.set_commit_index(version.commit_index());
  info.set_time_us(version.time_us());
  info.set_chunks(static_cast<std::uint32_t>(version.chunks_size()));
  info.set_replicas_wanted(bucket.replicas());
  info.set_replicas_ok(ReplicasOk(version));
  info.set_is_old(version.is_old());
  info.set_writer(version.writer());
  return info;
}

absl::Status StatusOf(const rpc::CommandResult& result) {
  using Detail = api::ErrorDetail;
  switch (result.code()) {
    case rpc::CommandResult::DONE:
      return absl::OkStatus();
    case rpc::CommandResult::NOT_FOUND:
      return ErrorWithReason(absl::StatusCode::kNotFound, result.message(),
                             Detail::REASON_UNSPECIFIED);
    case rpc::CommandResult::PRECONDITION_FAILED:
      return ErrorWithReason(absl::StatusCode::kFailedPrecondition, result.message(),
                             Detail::PRECONDITION);
    case rpc::CommandResult::SESSION_EXPIRED:
      return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                             "the session has expired; the outcome of this request is unknown",
                             Detail::SESSION_EXPIRED, Detail::UNKNOWN);
    case rpc::CommandResult::SETTLED:
      return ErrorWithReason(absl::StatusCode::kAborted,
                             "the request was settled as \"did not happen\" before",
                             Detail::SETTLED);
    case rpc::CommandResult::STALE_SEQUENCE:
      return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                             "the request's sequence is below acked_below; nothing changed now",
                             Detail::SESSION_EXPIRED, Detail::UNKNOWN);
    case rpc::CommandResult::SESSION_FULL:
      return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                             "more than 256 requests of this session are open; raise acked_below",
                             Detail::OVERLOADED);
    case rpc::CommandResult::EXISTS:
      return ErrorWithReason(absl::StatusCode::kAlreadyExists, result.message(),
                             Detail::PRECONDITION);
    case rpc::CommandResult::CONFLICT:
      return ErrorWithReason(absl::StatusCode::kAborted, result.message(), Detail::CONFLICT);
    case rpc::CommandResult::OVER_QUOTA:
      return ErrorWithReason(absl::StatusCode::kResourceExhausted, result.message(),
                             Detail::OVER_QUOTA);
    case rpc::CommandResult::NOT_EMPTY:
      return ErrorWithReason(absl::StatusCode::kFailedPrecondition, result.message(),
                             Detail::NOT_EMPTY);
    case rpc::CommandResult::NO_BUCKET:
      return BucketIsGone();
    case rpc::CommandResult::INVALID:
      return absl::InvalidArgumentError(result.message());
    default:
      return ErrorWithReason(absl::StatusCode::kUnavailable, "not decided; try again",
                             Detail::REASON_UNSPECIFIED);
  }
}

absl::Status CheckFileName(const std::string& name) {
  const absl::Status status = metadata::CheckName(name);
  if (status.ok()) return status;
  return ErrorWithReason(absl::StatusCode::kInvalidArgument, std::string(status.message()),
                         api::ErrorDetail::BAD_NAME);
}

absl::Status CheckRequestId(const api::RequestId& id) {
  if (!SessionFromWire(id.session())) {
    return absl::InvalidArgumentError("request_id.session must be 16 bytes");
  }
  if (id.sequence() == 0) return absl::InvalidArgumentError("request_id.sequence must be 1 or more");
  return absl::OkStatus();
}

SmallWriteBatcher::SmallWriteBatcher(chunk::ChunkStore* store, std::function<rpc::Ack()> own_ack)
    : store_(store), own_ack_(std::move(own_ack)), executor_("small-writes") {}

SmallWriteBatcher::~SmallWriteBatcher() { executor_.Stop(); }

void SmallWriteBatcher::Write(const chunk::ChunkInfo& info, Slices data,
                              chunk::ChunkPeers::AckCallback done) {
  bool is_full = false;
  bool is_first = false;
  {
    MutexLock lock(&mutex_);
    is_full = waiting_.size() >= kWaitingMax;
    is_first = waiting_.empty();
    if (!is_full) waiting_.push_back({info, std::move(data), std::move(done)});
  }
  if (is_full) {
    done(ErrorWithReason(absl::StatusCode::kResourceExhausted,
                         "too many small writes wait for this node's disk",
                         api::ErrorDetail::OVERLOADED));
  } else if (is_first) {
    executor_.Post([this] { Drain(); });
  }
}

void SmallWriteBatcher::Drain() {
  std::vector<Waiting> batch;
  {
    MutexLock lock(&mutex_);
    if (waiting_.size() <= kBatchMax) {
      batch.swap(waiting_);
    } else {
      const auto end = waiting_.begin() + kBatchMax;
      batch.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
      waiting_.erase(waiting_.begin(), end);
      executor_.Post([this] { Drain(); });
    }
  }
  std::vector<std::string> joined(batch.size());  // only for bytes that came in several slices
  std::vector<chunk::SmallWrite> writes;
  writes.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& pieces = batch[i].data.pieces();
    std::string_view bytes;
    if (pieces.size() == 1) {
      bytes = {reinterpret_cast<const char*>(pieces[0].begin()), pieces[0].size()};
    } else {
      joined[i] = batch[i].data.ToString();
      bytes = joined[i];
    }
    writes.push_back({batch[i].info, bytes});
  }
  const auto results = store_->PutSmall(writes);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (results[i].ok()) {
      batch[i].done(own_ack_());
    } else {
      batch[i].done(results[i]);
    }
  }
}

}  // namespace dfs::coordinator
