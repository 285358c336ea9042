#include "server/gateway/read_relay.h"

#include <grpcpp/client_context.h>

#include <memory>

#include "proto/raw_method.h"
#include "proto/wire_status.h"
#include "server/coordinator/coordinator.h"

namespace dfs::gateway {
namespace {

// What the other node said; nullopt if it was not the node that spoke but the connection.
std::optional<absl::Status> WordOf(const grpc::Status& status) {
  const bool may_be_lost = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
                           status.error_code() == grpc::StatusCode::CANCELLED ||
                           status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  // Nodes give each error a detail (ToGrpc).
  if (may_be_lost && status.error_details().empty()) return std::nullopt;
  return FromGrpc(status);
}

std::unique_ptr<grpc::ClientContext> NewCall(const grpc::ServerContext* context) {
  if (context == nullptr) return std::make_unique<grpc::ClientContext>();
  return grpc::ClientContext::FromServerContext(*context);
}

// The method is made for each call: nodes rarely lag.
template <class Request, class Response>
std::optional<absl::Status> AskOnce(PeerChannels* channels, ProgressGuard* guard, NodeId node,
                                    const grpc::ServerContext* context, const char* name,
                                    const Request& request, Response* response) {
  const auto channel = channels->Get(node, ChannelUse::kControl);
  if (channel == nullptr) return std::nullopt;
  const UnaryMethod<Request, Response> method(channel, name);
  const auto call = NewCall(context);
  ProgressGuard::Watch watch(guard, coordinator::kProgressTimeout, [&] { call->TryCancel(); });
  watch.Begin();
  const grpc::Status status = method.Call(call.get(), request, response);
  watch.End();
  return WordOf(status);
}

template <class Request, class Response>
std::optional<absl::Status> PassOn(PeerChannels* channels, ProgressGuard* guard, NodeId node,
                                   const grpc::ServerContext* context, const char* name,
                                   ChannelUse use, const Request& request,
                                   const std::function<bool(const Response&)>& sink) {
  const auto channel = channels->Get(node, use);
  if (channel == nullptr) return std::nullopt;
  const ServerStreamingMethod<Request, Response> method(channel, name);
  const auto call = NewCall(context);
  ProgressGuard::Watch watch(guard, coordinator::kProgressTimeout, [&] { call->TryCancel(); });
  const auto stream = method.Start(call.get(), request);
  bool has_passed = false;
  while (true) {
    Response message;
    watch.Begin();
    const bool has_message = stream->Read(&message);
    watch.End();
    if (!has_message) break;
    has_passed = true;
    // Beyond the guard: a slow client is not a node that hangs.
    if (!sink(message)) {
      call->TryCancel();
      [[maybe_unused]] const auto ignored = stream->Finish();
      return absl::CancelledError("the client is gone");
    }
  }
  const grpc::Status status = stream->Finish();
  if (has_passed) return FromGrpc(status);
  return WordOf(status);
}

}  // namespace

std::optional<absl::Status> ReadRelay::Stat(NodeId node, const grpc::ServerContext* context,
                                            const api::StatRequest& request,
                                            api::StatResponse* response) {
  return AskOnce(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Stat", request,
                 response);
}

std::optional<absl::Status> ReadRelay::Locate(NodeId node, const grpc::ServerContext* context,
                                              const api::LocateRequest& request,
                                              api::LocateResponse* response) {
  return AskOnce(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Locate", request,
                 response);
}

std::optional<absl::Status> ReadRelay::List(NodeId node, const grpc::ServerContext* context,
                                            const api::ListRequest& request,
                                            const ListSink& sink) {
  return PassOn(channels_, guard_, node, context, "/dfs.internal.v1.Reads/List",
                ChannelUse::kControl, request, sink);
}

std::optional<absl::Status> ReadRelay::Get(NodeId node, const grpc::ServerContext* context,
                                           const api::GetRequest& request, const GetSink& sink) {
  api::GetRequest ask = request;
  ask.set_takes_files(false);  // the other node's files are on another machine
  return PassOn(channels_, guard_, node, context, "/dfs.internal.v1.Reads/Get", ChannelUse::kBulk,
                ask, sink);
}

}  // namespace dfs::gateway
