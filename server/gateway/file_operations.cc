#include "server/gateway/file_operations.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/gossip_txn.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"
#include "server/gateway/bucket_calls.h"
#include "server/gateway/peer_call.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::gateway {
namespace {

// A result names no chunks, but says how many copies there are, and an Undelete's how many chunks.
api::FileInfo InfoOfResult(const rpc::CommandResult& result, const rpc::BucketRow& bucket) {
  api::FileInfo info = coordinator::InfoOf(result.version(), bucket);
  info.set_replicas_ok(result.replicas());
  info.set_chunks(static_cast<std::uint32_t>(result.count()));
  return info;
}

// A Move's result counts in its version number of before.
void SetMoved(const rpc::CommandResult& result, const rpc::BucketRow& bucket,
              api::MoveResponse& response) {
  *response.mutable_info() = coordinator::InfoOf(result.version(), bucket);
  response.mutable_info()->set_replicas_ok(result.replicas());
  response.set_source_version(result.count());
}

// What the change answered, by its kind.
void TakeResult(const metadata::MetadataView& view, const rpc::CommandResult& result,
                api::SettleResponse* response) {
  const rpc::BucketRow bucket =
      view.FindBucket(BucketId(result.version().bucket_id())).value_or(rpc::BucketRow());
  const auto kind = static_cast<rpc::Command::KindCase>(result.settled_kind());
  if (kind == rpc::Command::kCommitPut) {
    *response->mutable_put()->mutable_info() = InfoOfResult(result, bucket);
    response->mutable_put()->set_replicas(result.replicas());
  } else if (kind == rpc::Command::kUndeleteFile) {
    *response->mutable_undelete()->mutable_info() = InfoOfResult(result, bucket);
  } else if (kind == rpc::Command::kMoveFile) {
    SetMoved(result, bucket, *response->mutable_move());
  } else if (kind == rpc::Command::kMakeBucket) {
    *response->mutable_make_bucket()->mutable_info() = BucketCalls::InfoOf(view, result.bucket());
  } else if (kind == rpc::Command::kRemoveBucket) {
    response->mutable_remove_bucket();
  } else if (kind == rpc::Command::kRemoveFile) {
    response->mutable_remove()->set_version(result.version().number());
  } else {
    response->mutable_clear()->set_files(result.count());
  }
}

constexpr int kHerePageSize = 1'000;

}  // namespace

FileOperations::FileOperations(const coordinator::Parts& parts, PeerChannels* channels,
                               gossip_store::GossipHost* gossip, const coordinator::ParkLimits& park_limits)
    : parts_(parts),
      channels_(channels),
      gossip_(gossip),
      gossip_files_(parts, gossip),
      reads_(parts),
      relay_(channels, &guard_),
      parked_(park_limits, parts.clock, &parked_executor_),
      parked_executor_("parked-puts", *parts.clock) {}

absl::Status FileOperations::Read(const std::function<absl::Status(absl::Duration lag_max)>& here,
                                  const There& there, const bool& has_answer) {
  if (!parts_.machine->has_files()) return ReadFromHolders(there, has_answer);
  const MonotonicTime start = parts_.clock->Now();
  absl::Status status = here(coordinator::kLagMax);
  if (!coordinator::IsLagging(status)) return status;
  if (const NodeId leader = parts_.leader_id(); !leader.is_none() && leader != parts_.self) {
    if (auto word = there(leader, coordinator::kProgressTimeout)) return *std::move(word);
  }
  const absl::Duration left = coordinator::kQuorumTimeout - (parts_.clock->Now() - start);
  return here(std::max(left, coordinator::kLagMax));
}

absl::Status FileOperations::ReadFromHolders(const There& there, const bool& has_answer) {
  const MonotonicTime start = parts_.clock->Now();
  const std::vector<NodeId> holders = parts_.file_holders();
  std::optional<absl::Status> last;
  for (const NodeId holder : holders) {
    const absl::Duration left = coordinator::kQuorumTimeout - (parts_.clock->Now() - start);
    if (left <= absl::ZeroDuration()) break;
    auto word = there(holder, std::min(left, kHolderPatience));
    if (!word) continue;
    if (word->ok() || has_answer || !MayAnotherAnswer(*word)) return *std::move(word);
    last = std::move(word);
  }
  if (last) return *std::move(last);
  return coordinator::NoQuorum(*parts_.machine->View(), "this node keeps no metadata of files and reached nobody who does",
                               holders);
}

absl::Status FileOperations::Get(const grpc::ServerContext* context, const api::GetRequest& request,
                                 const GetSink& sink, PhaseTimer* phases) {
  const InPhase phase(phases, Phase::kResolve);
  bool has_first = false;
  const GetSink timed = [&](const WithData<api::GetResponse>& message) {
    if (!std::exchange(has_first, true) && phases != nullptr) phases->Enter(Phase::kRest);
    return sink(message);
  };
  if (const auto bucket = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.Get(*bucket, request, timed);
  }
  return Read([&](absl::Duration lag_max) { return reads_.Get(request, lag_max, timed, phases); },
              [&](NodeId node, absl::Duration patience) -> std::optional<absl::Status> {
                if (context != nullptr) return relay_.Get(node, context, request, timed, patience);
                return GetChecked(node, request, timed, patience);
              },
              has_first);
}

// Of what another node sent: a client that has not come by gRPC has no sums to check it against.
std::optional<absl::Status> FileOperations::GetChecked(NodeId node, const api::GetRequest& request,
                                                       const GetSink& sink, absl::Duration patience) {
  bool is_damaged = false;
  const auto checked = [&](const WithData<api::GetResponse>& message) {
    std::uint32_t crc = 0;
    for (const auto& piece : message.data.pieces()) {
      crc = ExtendCrc32c(crc, piece.begin(), piece.size());
    }
    is_damaged = crc != message.message.crc32c();
    return !is_damaged && sink(message);
  };
  auto word = relay_.Get(node, nullptr, request, checked, patience);
  if (!is_damaged) return word;
  return ErrorWithReason(absl::StatusCode::kDataLoss, "bytes were damaged between two nodes",
                         api::ErrorDetail::BAD_CHECKSUM);
}

absl::Status FileOperations::Stat(const grpc::ServerContext* context,
                                  const api::StatRequest& request, api::StatResponse* response) {
  if (const auto bucket = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.Stat(*bucket, request, response);
  }
  return Read([&](absl::Duration lag_max) { return reads_.Stat(request, lag_max, response); },
              [&](NodeId node, absl::Duration patience) {
                return relay_.Stat(node, context, request, response, patience);
              },
              /*has_answer=*/false);
}

absl::Status FileOperations::Locate(const grpc::ServerContext* context,
                                    const api::LocateRequest& request,
                                    api::LocateResponse* response) {
  if (const auto bucket = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.Locate(*bucket, request, response);
  }
  return Read([&](absl::Duration lag_max) { return reads_.Locate(request, lag_max, response); },
              [&](NodeId node, absl::Duration patience) {
                return relay_.Locate(node, context, request, response, patience);
              },
              /*has_answer=*/false);
}

absl::Status FileOperations::List(const grpc::ServerContext* context,
                                  const api::ListRequest& request, const ListSink& sink) {
  if (const auto bucket = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.List(*bucket, request, sink);
  }
  bool has_answer = false;
  const ListSink noted = [&](const api::ListResponse& page) {
    has_answer = true;
    return sink(page);
  };
  return Read([&](absl::Duration lag_max) { return reads_.List(request, lag_max, noted); },
              [&](NodeId node, absl::Duration patience) {
                return relay_.List(node, context, request, noted, patience);
              },
              has_answer);
}

// Of a chunk on this node or another: members come to hold the same.
std::optional<gossip_store::Record> FileOperations::FindGossip(const TxnId& txn) {
  if (gossip_ == nullptr || !IsGossip(txn)) return std::nullopt;
  return gossip_->FindByTxn(txn);
}

absl::Status FileOperations::ListHere(const grpc::ServerContext* context, const api::ListHereRequest& request,
                                      const HereSink& sink) {
  const NodeId node = request.node_id() == 0 ? parts_.self : NodeId(request.node_id());
  if (!parts_.machine->has_files()) {
    api::ListHereRequest ask;
    ask.set_node_id(node.value());
    bool has_answer = false;
    const HereSink noted = [&](const api::ListHereResponse& page) {
      has_answer = true;
      return sink(page);
    };
    const absl::Status status = ReadFromHolders(
        [&](NodeId holder, absl::Duration patience) {
          return PassOn<api::ListHereRequest, api::ListHereResponse>(channels_, &guard_, holder, context,
                                                                     "/dfs.internal.v1.Catalog/ListHere",
                                                                     ChannelUse::kControl, ask, noted, patience);
        },
        has_answer);
    // This always answers: chunks of its own without their names, if nobody knows these.
    if (status.ok() || has_answer || node != parts_.self) return status;
  }
  return ListHereByOwnState(node, sink);
}

absl::Status FileOperations::ListHereByOwnState(NodeId node, const HereSink& sink) {
  const auto view = parts_.machine->View();
  const auto row = view->FindNode(node);
  if (!row) return absl::NotFoundError(absl::StrCat("no node ", node.value(), " in this cluster"));
  api::ListHereResponse page;
  page.set_applied_index(view->applied_index().value());
  page.set_node(row->name());
  bool is_open = true;
  std::uint64_t listed = 0;
  const auto add = [&](const ChunkId& id, std::uint64_t size, const Hash128& hash) {
    api::HereChunk& chunk = *page.add_chunks();
    chunk.set_chunk(ToString(id));
    chunk.set_size(size);
    chunk.set_hash(ToString(hash));
    if (const auto record = FindGossip(id.txn)) {
      chunk.set_name(record->key.name);
      chunk.set_version(record->stamp.time.value());
      if (const auto bucket = view->FindBucket(record->key.bucket)) chunk.set_bucket(bucket->name());
    } else if (const auto version = view->FindVersion(id.txn)) {
      chunk.set_name(version->name());
      chunk.set_version(version->number());
      chunk.set_is_trashed(version->trashed_index() != 0);
      if (const auto bucket = view->FindBucket(BucketId(version->bucket_id()))) {
        chunk.set_bucket(bucket->name());
      }
    }
    ++listed;
    if (page.chunks_size() == kHerePageSize) {
      is_open = sink(page);
      page.clear_chunks();
    }
    return is_open;
  };
  if (node == parts_.self) {
    parts_.store->ForEach(std::nullopt, [&](const chunk::HeldChunk& held) {
      return add(held.info.id, held.info.size, held.info.hash);
    });
  } else {
    DFS_RETURN_IF_ERROR(parts_.peers->List(
        node,
        [&](const rpc::SmallChunk& chunk) {
          return add(FromWire(chunk.chunk()), chunk.size(), HashFromWire(chunk.hash()));
        },
        coordinator::kProgressTimeout));
  }
  if (is_open && (page.chunks_size() > 0 || listed == 0)) sink(page);
  return absl::OkStatus();
}

absl::StatusOr<rpc::CommandResult> FileOperations::Submit(rpc::Command command) {
  return parts_.leader->Submit(std::move(command), coordinator::kQuorumTimeout);
}

absl::StatusOr<api::RemoveResponse> FileOperations::Remove(const api::RemoveRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request.name()));
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  if (const auto gossip = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.Remove(*gossip, request);
  }
  DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                       coordinator::FindBucketOfChange(parts_, request.bucket()));
  rpc::Command command;
  rpc::RemoveFile& file = *command.mutable_remove_file();
  *file.mutable_request_id() = request.request_id();
  file.set_bucket_id(bucket.id());
  file.set_name(request.name());
  if (request.has_if_version()) file.set_if_version(request.if_version());
  if (request.has_version()) file.set_version(request.version());
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, Submit(std::move(command)));
  DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
  api::RemoveResponse response;
  response.set_version(result.version().number());
  return response;
}

absl::StatusOr<api::MoveResponse> FileOperations::Move(const api::MoveRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request.source()));
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request.target()));
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                       coordinator::FindBucketOfChange(parts_, request.bucket()));
  if (metadata::IsGossipBucket(bucket)) return GossipFiles::Refused("mv");
  rpc::Command command;
  rpc::MoveFile& file = *command.mutable_move_file();
  *file.mutable_request_id() = request.request_id();
  file.set_bucket_id(bucket.id());
  file.set_source(request.source());
  file.set_target(request.target());
  if (request.has_if_version()) file.set_if_version(request.if_version());
  file.set_if_absent(request.if_absent());
  file.set_writer(request.writer());
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, Submit(std::move(command)));
  DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
  api::MoveResponse response;
  SetMoved(result, bucket, response);
  return response;
}

absl::StatusOr<api::UndeleteResponse> FileOperations::Undelete(const api::UndeleteRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request.name()));
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                       coordinator::FindBucketOfChange(parts_, request.bucket()));
  if (metadata::IsGossipBucket(bucket)) return GossipFiles::Refused("undelete");
  rpc::Command command;
  rpc::UndeleteFile& file = *command.mutable_undelete_file();
  *file.mutable_request_id() = request.request_id();
  file.set_bucket_id(bucket.id());
  file.set_name(request.name());
  if (request.has_version()) file.set_version(request.version());
  file.set_replaces(request.replace());
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, Submit(std::move(command)));
  DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
  api::UndeleteResponse response;
  *response.mutable_info() = InfoOfResult(result, bucket);
  return response;
}

absl::StatusOr<api::ClearResponse> FileOperations::Clear(const api::ClearRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  if (const auto gossip = gossip_files_.BucketOf(request.bucket())) {
    return gossip_files_.Clear(*gossip, request);
  }
  DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                       coordinator::FindBucketOfChange(parts_, request.bucket()));
  rpc::Command command;
  rpc::ClearPrefix& prefix = *command.mutable_clear_prefix();
  *prefix.mutable_request_id() = request.request_id();
  prefix.set_bucket_id(bucket.id());
  prefix.set_prefix(request.prefix());
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, Submit(std::move(command)));
  DFS_RETURN_IF_ERROR(coordinator::StatusOf(result));
  api::ClearResponse response;
  response.set_files(result.count());
  return response;
}

absl::StatusOr<api::SettleResponse> FileOperations::Settle(const api::SettleRequest& request) {
  DFS_RETURN_IF_ERROR(coordinator::CheckRequestId(request.request_id()));
  rpc::Command command;
  *command.mutable_settle()->mutable_request_id() = request.request_id();
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, Submit(std::move(command)));
  if (result.code() == rpc::CommandResult::SESSION_EXPIRED ||
      result.code() == rpc::CommandResult::STALE_SEQUENCE ||
      result.code() == rpc::CommandResult::INVALID) {
    return coordinator::StatusOf(result);
  }
  api::SettleResponse response;
  if (result.settled_kind() == 0) {
    const bool is_settled = result.code() == rpc::CommandResult::SETTLED ||
                            result.code() == rpc::CommandResult::DONE;
    if (!is_settled) return coordinator::StatusOf(result);
    response.set_fate(api::SettleResponse::DID_NOT_HAPPEN);
    return response;
  }
  // The request was decided: as done, or with an error that also changed nothing.
  const absl::Status decided = coordinator::StatusOf(result);
  if (!decided.ok()) {
    response.set_fate(api::SettleResponse::DID_NOT_HAPPEN);
    response.set_error_code(decided.raw_code());
    response.set_error_message(std::string(decided.message()));
    return response;
  }
  response.set_fate(api::SettleResponse::HAPPENED);
  TakeResult(*parts_.machine->View(), result, &response);
  return response;
}

}  // namespace dfs::gateway
