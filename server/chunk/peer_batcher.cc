#include "server/chunk/grpc_peer_batcher.h"

namespace dfs::chunk {

void SmallWriteCall::Add(Item item, Request* request) {
  auto* chunk = request->message.add_chunks();
  *chunk->mutable_chunk() = ToWire(item.info.id);
  chunk->set_size(static_cast<std::uint32_t>(item.info.size));
  *chunk->mutable_hash() = ToWire(item.info.hash);
  request->data.Append(item.data);
}

bool SmallWriteCall::IsComplete(const Response& response, std::size_t items) {
  return static_cast<std::size_t>(response.results_size()) == items;
}

absl::StatusOr<rpc::Ack> SmallWriteCall::AnswerOf(const Response& response, std::size_t at) {
  const auto& result = response.results(static_cast<int>(at));
  if (result.error_code() == 0) return response.ack();
  return absl::Status(static_cast<absl::StatusCode>(result.error_code()), result.error_message());
}

void SmallWriteCall::Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                           const Request* request, Response* response,
                           std::function<void(grpc::Status)> done) {
  methods.write_small.Start(context, request, response, std::move(done));
}

void ConfirmCall::Add(Item item, Request* request) {
  request->set_read_index(std::max(request->read_index(), item.read_index.value()));
  *request->add_items() = std::move(item.item);
}

bool ConfirmCall::IsComplete(const Response& response, std::size_t items) {
  return static_cast<std::size_t>(response.verdicts_size()) == items;
}

absl::StatusOr<rpc::ConfirmResponse::Verdict> ConfirmCall::AnswerOf(const Response& response,
                                                                    std::size_t at) {
  return response.verdicts(static_cast<int>(at));
}

void ConfirmCall::Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                        const Request* request, Response* response,
                        std::function<void(grpc::Status)> done) {
  methods.confirm.Start(context, request, response, std::move(done));
}

void RelinkCall::Add(Item item, Request* request) {
  for (const Relink& relink : item) {
    auto* added = request->add_items();
    *added->mutable_old() = ToWire(relink.from);
    *added->mutable_new_() = ToWire(relink.to);
    added->set_size(relink.size);
    *added->mutable_hash() = ToWire(relink.hash);
  }
}

bool RelinkCall::IsComplete(const Response& response, std::size_t /*items*/) {
  return response.has_ack();
}

absl::StatusOr<rpc::Ack> RelinkCall::AnswerOf(const Response& response, std::size_t /*at*/) {
  return response.ack();
}

void RelinkCall::Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                       const Request* request, Response* response,
                       std::function<void(grpc::Status)> done) {
  methods.relink.Start(context, request, response, std::move(done));
}

}  // namespace dfs::chunk
