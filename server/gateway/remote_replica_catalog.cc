#include "server/gateway/remote_replica_catalog.h"

#include <glog/logging.h>

#include "common/status_macros.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/catalog.pb.h"
#include "server/gateway/peer_call.h"

namespace dfs::gateway {
namespace {

absl::Status NobodyAnswers() { return absl::UnavailableError("no node that has metadata of files answers"); }

}  // namespace

template <class Request, class Response>
absl::StatusOr<Response> RemoteReplicaCatalog::Ask(const char* method, const Request& request) {
  absl::Status last = NobodyAnswers();
  for (const NodeId holder : holders_()) {
    Response response;
    const auto word = AskOnce(channels_, &guard_, holder, nullptr, method, request, &response, kHolderPatience);
    if (!word) continue;
    if (word->ok()) return response;
    last = *word;
    if (!MayAnotherAnswer(last)) break;
  }
  return last;
}

absl::StatusOr<std::vector<bool>> RemoteReplicaCatalog::AreNamed(NodeId node, const std::vector<ChunkId>& chunks) {
  CHECK_LE(chunks.size(), kChunksMax);
  if (chunks.empty()) return std::vector<bool>();
  rpc::AreNamedRequest request;
  request.set_node_id(node.value());
  for (const ChunkId& chunk : chunks) *request.add_chunks() = ToWire(chunk);
  DFS_ASSIGN_OR_RETURN(const auto response, (Ask<rpc::AreNamedRequest, rpc::AreNamedResponse>(
                                                "/dfs.internal.v1.Catalog/AreNamed", request)));
  if (static_cast<std::size_t>(response.are_named_size()) != chunks.size()) {
    return absl::InternalError("an answer that is not about the chunks asked about");
  }
  return std::vector<bool>(response.are_named().begin(), response.are_named().end());
}

absl::StatusOr<leader::ReplicaCatalog::Page> RemoteReplicaCatalog::ListGood(NodeId node, const TxnId& after) {
  rpc::ListGoodRequest request;
  request.set_node_id(node.value());
  *request.mutable_after() = ToWire(after);
  DFS_ASSIGN_OR_RETURN(const auto response, (Ask<rpc::ListGoodRequest, rpc::ListGoodResponse>(
                                                "/dfs.internal.v1.Catalog/ListGood", request)));
  Page page;
  for (const auto& chunk : response.chunks()) {
    page.chunks.push_back({FromWire(chunk.chunk()), chunk.size(), HashFromWire(chunk.hash())});
  }
  page.last = FromWire(response.last());
  page.is_end = response.is_end();
  if (!page.is_end && !(after < page.last)) return absl::InternalError("a page that leads nowhere");
  return page;
}

absl::Status RemoteReplicaCatalog::ListLetGo(NodeId node, const std::function<bool(const ChunkId&)>& visit) {
  rpc::ListLetGoRequest request;
  request.set_node_id(node.value());
  bool goes_on = true;
  const std::function<bool(const rpc::ListLetGoPage&)> take = [&](const rpc::ListLetGoPage& page) {
    for (const auto& chunk : page.chunks()) {
      if (goes_on) goes_on = visit(FromWire(chunk));
    }
    return goes_on;
  };
  for (const NodeId holder : holders_()) {
    const auto word = PassOn(channels_, &guard_, holder, nullptr, "/dfs.internal.v1.Catalog/ListLetGo",
                             ChannelUse::kControl, request, take, kHolderPatience);
    if (!word) continue;
    return goes_on ? *word : absl::OkStatus();
  }
  return NobodyAnswers();
}

}  // namespace dfs::gateway
