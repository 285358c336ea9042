// Calls to the peer port of another node, which is given up when it sends nothing for `patience`, or, after its first message, for
// kProgressTimeout of the coordinator. Calls end with the client's call (`context`; null: none).
//
// nullopt: the node could not be asked, or its answer was lost before any of it was passed on: ask elsewhere.
#ifndef DFS_SERVER_GATEWAY_PEER_CALL_H_
#define DFS_SERVER_GATEWAY_PEER_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "proto/raw_method.h"
#include "proto/wire_status.h"
#include "server/coordinator/coordinator.h"

namespace dfs::gateway {

// One of several that can answer the same, and that sends nothing for so long, may hang: another is asked.
inline constexpr absl::Duration kHolderPatience = absl::Seconds(2);

// Whether another node may know or have room for what this one has not: it is cut off, lags, has just joined or is overloaded.
inline bool MayAnotherAnswer(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

// What the other node said; nullopt if it was not the node that spoke but the connection.
inline std::optional<absl::Status> WordOf(const grpc::Status& status) {
  const bool may_be_lost = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                           status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
                           status.error_code() == grpc::StatusCode::CANCELLED ||
                           status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  // Nodes give each error a detail (ToGrpc).
  if (may_be_lost && status.error_details().empty()) return std::nullopt;
  return FromGrpc(status);
}

inline std::unique_ptr<grpc::ClientContext> NewCall(const grpc::ServerContext* context) {
  if (context == nullptr) return std::make_unique<grpc::ClientContext>();
  return grpc::ClientContext::FromServerContext(*context);
}

// The method is made for each call: nodes rarely lag.
template <class Request, class Response>
std::optional<absl::Status> AskOnce(PeerChannels* channels, ProgressGuard* guard, NodeId node,
                                    const grpc::ServerContext* context, const char* name,
                                    const Request& request, Response* response,
                                    absl::Duration patience = coordinator::kProgressTimeout) {
  const auto channel = channels->Get(node, ChannelUse::kControl);
  if (channel == nullptr) return std::nullopt;
  const UnaryMethod<Request, Response> method(channel, name);
  const auto call = NewCall(context);
  ProgressGuard::Watch watch(guard, patience, [&] { call->TryCancel(); });
  watch.Begin();
  const grpc::Status status = method.Call(call.get(), request, response);
  watch.End();
  return WordOf(status);
}

template <class Request, class Response>
std::optional<absl::Status> PassOn(PeerChannels* channels, ProgressGuard* guard, NodeId node,
                                   const grpc::ServerContext* context, const char* name,
                                   ChannelUse use, const Request& request,
                                   const std::function<bool(const Response&)>& sink,
                                   absl::Duration patience = coordinator::kProgressTimeout) {
  const auto channel = channels->Get(node, use);
  if (channel == nullptr) return std::nullopt;
  const ServerStreamingMethod<Request, Response> method(channel, name);
  const auto call = NewCall(context);
  ProgressGuard::Watch first(guard, patience, [&] { call->TryCancel(); });
  ProgressGuard::Watch rest(guard, coordinator::kProgressTimeout, [&] { call->TryCancel(); });
  const auto stream = method.Start(call.get(), request);
  bool has_passed = false;
  while (true) {
    Response message;
    ProgressGuard::Watch& watch = has_passed ? rest : first;
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

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_PEER_CALL_H_
