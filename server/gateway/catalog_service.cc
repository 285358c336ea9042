#include "server/gateway/catalog_service.h"

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "proto/wire_status.h"
#include "server/coordinator/coordinator.h"
#include "server/gateway/stream_sinks.h"

namespace dfs::gateway {
namespace {

constexpr int kRowsPerPage = 1'000;
constexpr int kChunksPerPage = 1'000;

}  // namespace

CatalogService::CatalogService(FileOperations* operations)
    : operations_(operations), parts_(operations->parts()), catalog_(parts_.machine) {
  AddServerStreaming("/dfs.internal.v1.Catalog/Directory", &CatalogService::Directory);
  AddUnary("/dfs.internal.v1.Catalog/AreNamed", &CatalogService::AreNamed);
  AddUnary("/dfs.internal.v1.Catalog/ListGood", &CatalogService::ListGood);
  AddServerStreaming("/dfs.internal.v1.Catalog/ListLetGo", &CatalogService::ListLetGo);
  AddServerStreaming("/dfs.internal.v1.Catalog/ListHere", &CatalogService::ListHere);
}

// Why the call is not answered.
std::optional<grpc::Status> CatalogService::Refuse(const Admission::Ticket& ticket) const {
  // Without a detail: it is as if this method did not exist here, and the asker goes on to another node.
  if (!parts_.machine->has_files()) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no metadata of files is here");
  if (ticket.is_admitted()) return std::nullopt;
  return ToGrpc(ErrorWithReason(absl::StatusCode::kResourceExhausted, "too many storage nodes ask this node",
                                api::ErrorDetail::OVERLOADED));
}

grpc::Status CatalogService::Directory(grpc::ServerContext* context, const rpc::DirectoryRequest* request,
                                       grpc::ServerWriter<rpc::DirectoryPage>* writer) {
  const Admission::Ticket ticket(&admission_);
  if (auto refused = Refuse(ticket)) return *std::move(refused);
  if (request->as_of_now()) {
    const auto view = coordinator::ReadView(parts_, api::STRONG);
    if (!view.ok()) return ToGrpc(view.status());
  }
  StreamSink<rpc::DirectoryPage> sink(&guard_, context, writer);
  rpc::DirectoryPage page;
  if (parts_.machine->applied_index().value() == request->known_index()) {
    page.set_index(request->known_index());
    page.set_is_known(true);
    sink(page);
    return grpc::Status::OK;
  }
  metadata::DirectoryRows directory = parts_.machine->Directory();
  page.set_index(directory.index.value());
  for (auto& [key, value] : directory.rows) {
    rpc::DirectoryRow& row = *page.add_rows();
    row.set_key(std::move(key));
    row.set_value(std::move(value));
    if (page.rows_size() < kRowsPerPage) continue;
    if (!sink(page)) return grpc::Status::OK;
    page.clear_rows();
  }
  sink(page);
  return grpc::Status::OK;
}

grpc::Status CatalogService::AreNamed(grpc::ServerContext* /*context*/, const rpc::AreNamedRequest* request,
                                      rpc::AreNamedResponse* response) {
  const Admission::Ticket ticket(&admission_);
  if (auto refused = Refuse(ticket)) return *std::move(refused);
  if (static_cast<std::size_t>(request->chunks_size()) > leader::ReplicaCatalog::kChunksMax) {
    return ToGrpc(absl::InvalidArgumentError("too many chunks in one question"));
  }
  std::vector<ChunkId> chunks;
  for (const auto& chunk : request->chunks()) chunks.push_back(FromWire(chunk));
  const auto are_named = catalog_.AreNamed(NodeId(request->node_id()), chunks);
  if (!are_named.ok()) return ToGrpc(are_named.status());
  for (const bool is_named : *are_named) response->add_are_named(is_named);
  return grpc::Status::OK;
}

grpc::Status CatalogService::ListGood(grpc::ServerContext* /*context*/, const rpc::ListGoodRequest* request,
                                      rpc::ListGoodResponse* response) {
  const Admission::Ticket ticket(&admission_);
  if (auto refused = Refuse(ticket)) return *std::move(refused);
  const auto page = catalog_.ListGood(NodeId(request->node_id()), FromWire(request->after()));
  if (!page.ok()) return ToGrpc(page.status());
  for (const auto& info : page->chunks) {
    rpc::GoodChunk& chunk = *response->add_chunks();
    *chunk.mutable_chunk() = ToWire(info.id);
    chunk.set_size(info.size);
    *chunk.mutable_hash() = ToWire(info.hash);
  }
  *response->mutable_last() = ToWire(page->last);
  response->set_is_end(page->is_end);
  return grpc::Status::OK;
}

grpc::Status CatalogService::ListLetGo(grpc::ServerContext* context, const rpc::ListLetGoRequest* request,
                                       grpc::ServerWriter<rpc::ListLetGoPage>* writer) {
  const Admission::Ticket ticket(&admission_);
  if (auto refused = Refuse(ticket)) return *std::move(refused);
  StreamSink<rpc::ListLetGoPage> sink(&guard_, context, writer);
  rpc::ListLetGoPage page;
  const absl::Status status = catalog_.ListLetGo(NodeId(request->node_id()), [&](const ChunkId& chunk) {
    *page.add_chunks() = ToWire(chunk);
    if (page.chunks_size() < kChunksPerPage) return true;
    const bool is_open = sink(page);
    page.clear_chunks();
    return is_open;
  });
  if (page.chunks_size() > 0) sink(page);
  return ToGrpc(status);
}

grpc::Status CatalogService::ListHere(grpc::ServerContext* context, const api::ListHereRequest* request,
                                      grpc::ServerWriter<api::ListHereResponse>* writer) {
  const Admission::Ticket ticket(&admission_);
  if (auto refused = Refuse(ticket)) return *std::move(refused);
  if (request->node_id() == 0) return ToGrpc(absl::InvalidArgumentError("which node?"));
  StreamSink<api::ListHereResponse> sink(&guard_, context, writer);
  return ToGrpc(operations_->ListHere(nullptr, *request, std::ref(sink)));
}

}  // namespace dfs::gateway
