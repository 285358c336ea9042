#include "server/leader/grpc_leader_peer.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "proto/error_detail.h"
#include "proto/wire_status.h"

namespace dfs::leader {
namespace {

constexpr absl::Duration kTimeoutMax = absl::Minutes(1);

// gRPC says so of a call that it gave up before it had a connection to put it on.
constexpr char kNeverSent[] = "failed to connect to all addresses";

absl::Status StatusOf(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty() &&
      status.error_message().starts_with(kNeverSent)) {
    return ErrorWithReason(absl::StatusCode::kUnavailable, status.error_message(),
                           api::ErrorDetail::REASON_UNSPECIFIED);
  }
  return FromGrpc(status);
}

template <class Request, class Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
  Answer<Response> done;
};

}  // namespace

bool OpenCalls::Begin(grpc::ClientContext* context) {
  MutexLock lock(&mutex_);
  if (is_stopping_) return false;
  open_.insert(context);
  return true;
}

void OpenCalls::End(grpc::ClientContext* context) {
  MutexLock lock(&mutex_);
  open_.erase(context);
  ended_.SignalAll();
}

void OpenCalls::Stop() {
  MutexLock lock(&mutex_);
  is_stopping_ = true;
  // TryCancel only marks the call: its end comes on another thread.
  for (grpc::ClientContext* const context : open_) context->TryCancel();
  while (!open_.empty()) ended_.Wait(&mutex_);
}

GrpcLeaderPeer::GrpcLeaderPeer(std::shared_ptr<grpc::Channel> channel,
                               std::shared_ptr<OpenCalls> calls)
    : channel_(std::move(channel)),
      stub_(rpc::Leader::NewStub(channel_)),
      calls_(std::move(calls)) {}

template <class Request, class Response>
void GrpcLeaderPeer::Start(
    void (rpc::Leader::Stub::async_interface::*method)(grpc::ClientContext*, const Request*,
                                                       Response*,
                                                       std::function<void(grpc::Status)>),
    const Request& request, absl::Duration timeout, Answer<Response> done) {
  auto call = std::make_shared<Call<Request, Response>>();
  call->request = request;
  call->done = std::move(done);
  call->context.set_deadline(
      std::chrono::system_clock::now() +
      absl::ToChronoMilliseconds(std::max(absl::Milliseconds(1), std::min(timeout, kTimeoutMax))));
  if (!calls_->Begin(&call->context)) {
    call->done(absl::UnavailableError("this node stops"));
    return;
  }
  (stub_->async()->*method)(
      &call->context, &call->request, &call->response,
      [call, calls = calls_, stub = stub_](const grpc::Status& status) {
        if (status.ok()) {
          call->done(std::move(call->response));
        } else {
          call->done(StatusOf(status));
        }
        // What the answer keeps alive goes before the stop goes on.
        call->done = nullptr;
        calls->End(&call->context);
      });
}

// The generated stubs overload each method; this names the one with a callback.
#define DFS_LEADER_METHOD(Name)                                                     \
  static_cast<void (rpc::Leader::Stub::async_interface::*)(                         \
      grpc::ClientContext*, const rpc::Name##Request*, rpc::Name##Response*,        \
      std::function<void(grpc::Status)>)>(&rpc::Leader::Stub::async_interface::Name)

void GrpcLeaderPeer::OpenTransactions(const rpc::OpenTransactionsRequest& request,
                                      absl::Duration timeout,
                                      Answer<rpc::OpenTransactionsResponse> done) {
  Start(DFS_LEADER_METHOD(OpenTransactions), request, timeout, std::move(done));
}

void GrpcLeaderPeer::RenewTransactions(const rpc::RenewTransactionsRequest& request,
                                       absl::Duration timeout,
                                       Answer<rpc::RenewTransactionsResponse> done) {
  Start(DFS_LEADER_METHOD(RenewTransactions), request, timeout, std::move(done));
}

void GrpcLeaderPeer::Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
                            Answer<rpc::SubmitResponse> done) {
  Start(DFS_LEADER_METHOD(Submit), request, timeout, std::move(done));
}

void GrpcLeaderPeer::ReadIndex(absl::Duration timeout, Answer<rpc::ReadIndexResponse> done) {
  Start(DFS_LEADER_METHOD(ReadIndex), rpc::ReadIndexRequest(), timeout, std::move(done));
}

void GrpcLeaderPeer::ReportReplicas(const rpc::ReportReplicasRequest& request,
                                    absl::Duration timeout,
                                    Answer<rpc::ReportReplicasResponse> done) {
  Start(DFS_LEADER_METHOD(ReportReplicas), request, timeout, std::move(done));
}

void GrpcLeaderPeer::Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                              Answer<rpc::VerdictsResponse> done) {
  Start(DFS_LEADER_METHOD(Verdicts), request, timeout, std::move(done));
}

void GrpcLeaderPeer::ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                    absl::Duration timeout,
                                    Answer<rpc::ReportUnlinkedResponse> done) {
  Start(DFS_LEADER_METHOD(ReportUnlinked), request, timeout, std::move(done));
}

void GrpcLeaderPeer::Join(const rpc::JoinRequest& request, absl::Duration timeout,
                          Answer<rpc::JoinResponse> done) {
  Start(DFS_LEADER_METHOD(Join), request, timeout, std::move(done));
}

void GrpcLeaderPeer::Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                              Answer<rpc::RegisterResponse> done) {
  Start(DFS_LEADER_METHOD(Register), request, timeout, std::move(done));
}

void GrpcLeaderPeer::Manage(const rpc::ManageRequest& request, absl::Duration timeout,
                            Answer<rpc::ManageResponse> done) {
  Start(DFS_LEADER_METHOD(Manage), request, timeout, std::move(done));
}

#undef DFS_LEADER_METHOD

LeaderOperations* LeaderPeers::Get(NodeId node) {
  auto channel = channels_->Get(node, ChannelUse::kControl);
  if (channel == nullptr) return nullptr;
  MutexLock lock(&mutex_);
  auto& peer = peers_[node];
  if (peer != nullptr && peer->channel() != channel) replaced_.insert(std::move(peer));
  if (peer == nullptr) peer = std::make_unique<GrpcLeaderPeer>(std::move(channel), calls_);
  return peer.get();
}

}  // namespace dfs::leader
