#include "server/gateway/file_reads.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/coordinator/get_operation.h"

namespace dfs::gateway {

absl::Status FileReads::Get(const api::GetRequest& request, absl::Duration lag_max,
                            const GetSink& sink, PhaseTimer* phases) {
  coordinator::GetOperation get(parts_);
  const bool hands_over = request.takes_files() && desk_ != nullptr;
  if (hands_over) get.PrepareHandOver();
  DFS_ASSIGN_OR_RETURN(api::FileInfo info, get.Begin(request, lag_max));
  if (phases != nullptr) phases->Enter(Phase::kFirstByte);
  // The first message carries the first bytes too: one message for a small file.
  WithData<api::GetResponse> response;
  *response.message.mutable_info() = std::move(info);
  if (hands_over) {
    auto chunks = get.HandOver([this](auto reader) { return desk_->Offer(std::move(reader)); });
    if (!chunks.empty()) {
      api::HandedChunks& handed = *response.message.mutable_handed();
      handed.set_socket(socket_);
      for (auto& chunk : chunks) *handed.add_chunks() = std::move(chunk);
      sink(response);
      return absl::OkStatus();
    }
  }
  bool has_sent = false;
  const absl::Status status =
      get.Stream([&](const Slices& data, std::uint64_t offset, std::uint32_t crc) {
        response.message.set_offset(offset);
        response.message.set_crc32c(crc);
        response.data = data;
        const bool is_open = sink(response);
        has_sent = true;
        response.message.Clear();
        response.data.Clear();
        return is_open;
      });
  if (status.ok() && !has_sent) sink(response);
  return status;
}

template <class Request>
absl::StatusOr<FileReads::Found> FileReads::Find(const Request& request, absl::Duration lag_max) {
  DFS_RETURN_IF_ERROR(coordinator::CheckFileName(request.name()));
  Found found;
  DFS_ASSIGN_OR_RETURN(found.view, coordinator::ReadView(parts_, request.consistency(), lag_max));
  DFS_ASSIGN_OR_RETURN(found.bucket, coordinator::FindBucket(*found.view, request.bucket()));
  DFS_ASSIGN_OR_RETURN(
      found.version, coordinator::FindVersionOf(
                         *found.view, found.bucket, request.name(),
                         request.has_version() ? std::optional(request.version()) : std::nullopt));
  coordinator::CompleteEmptySet(*found.view, found.bucket, &found.version);
  return found;
}

absl::Status FileReads::Stat(const api::StatRequest& request, absl::Duration lag_max,
                             api::StatResponse* response) {
  DFS_ASSIGN_OR_RETURN(const Found found, Find(request, lag_max));
  *response->mutable_info() = coordinator::InfoOf(found.version, found.bucket);
  return absl::OkStatus();
}

absl::Status FileReads::Locate(const api::LocateRequest& request, absl::Duration lag_max,
                               api::LocateResponse* response) {
  DFS_ASSIGN_OR_RETURN(const Found found, Find(request, lag_max));
  *response->mutable_info() = coordinator::InfoOf(found.version, found.bucket);
  const auto add = [&](std::uint32_t index, std::uint64_t size, const std::string& hash,
                       NodeId node, api::ReplicaState state) {
    api::Location& row = *response->add_locations();
    row.set_chunk(index);
    row.set_chunk_size(size);
    row.set_chunk_hash(hash);
    row.set_node_id(node.value());
    row.set_state(state);
    row.set_version(found.version.number());
    row.set_node_is_alive(parts_.is_usable(node));
    if (const auto known = found.view->FindNode(node)) {
      row.set_node(known->name());
      row.set_address(known->client_address());
      row.set_zone(known->zone());
    }
  };
  std::uint32_t index = 0;
  for (const auto& chunk : found.version.chunks()) {
    for (const auto& replica : chunk.replicas()) {
      add(index, chunk.size(), ToString(HashFromWire(chunk.hash())), NodeId(replica.node_id()),
          replica.state());
    }
    ++index;
  }
  for (const std::uint32_t node : found.version.empty_set()) {
    if (found.version.chunks().empty()) add(0, 0, "", NodeId(node), api::OK);
  }
  return absl::OkStatus();
}

absl::Status FileReads::List(const api::ListRequest& request, absl::Duration lag_max,
                             const ListSink& sink) {
  DFS_ASSIGN_OR_RETURN(NameListing listing, NameListing::Make(request, sink));
  DFS_ASSIGN_OR_RETURN(const auto view,
                       coordinator::ReadView(parts_, request.consistency(), lag_max));
  DFS_ASSIGN_OR_RETURN(const rpc::BucketRow bucket,
                       coordinator::FindBucket(*view, request.bucket()));
  listing.SetState(view->applied_index(), api::CONSISTENCY_UNSPECIFIED);
  const auto members = coordinator::ReplicaHolders(*view);
  const auto add = [&](rpc::VersionRow version) {
    coordinator::CompleteEmptySet(members, bucket, &version);
    return listing.Add(coordinator::InfoOf(version, bucket));
  };
  const BucketId id(bucket.id());
  if (request.trash()) {
    ListTrash(*view, bucket, request, listing);
  } else if (listing.prefix()) {
    view->ListChosen(
        id, *listing.prefix(), request.after(), [&](std::string_view name) { return listing.Choose(name); },
        [&](const rpc::VersionRow& version) {
          const bool goes_on = add(version);
          if (request.old_versions() && version.old_versions() > 0) {
            for (auto& old : view->FindOlds(id, version.name())) add(std::move(old));
          }
          return goes_on;
        });
  }
  listing.Finish();
  return absl::OkStatus();
}

void FileReads::ListTrash(const metadata::MetadataView& view, const rpc::BucketRow& bucket,
                          const api::ListRequest& request, NameListing& listing) const {
  if (!listing.prefix()) return;
  const auto trash_us = static_cast<std::uint64_t>(absl::ToInt64Microseconds(trash_time_));
  view.ListTrash(
      BucketId(bucket.id()), *listing.prefix(), {request.after(), request.after_version()},
      [&](std::string_view name, std::uint64_t number) { return listing.Choose(name, number); },
      [&](const rpc::VersionRow& version) {
        api::FileInfo file = coordinator::InfoOf(version, bucket);
        file.set_trashed_time_us(version.trashed_time_us());
        file.set_purge_time_us(version.trashed_time_us() + trash_us);
        return listing.Add(std::move(file));
      });
}

}  // namespace dfs::gateway
