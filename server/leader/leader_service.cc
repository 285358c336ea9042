#include "server/leader/leader_service.h"

#include <chrono>
#include <memory>
#include <utility>

#include "proto/wire_status.h"

namespace dfs::leader {
namespace {

absl::Duration TimeoutOf(const grpc::CallbackServerContext& context) {
  return absl::FromChrono(context.deadline() - std::chrono::system_clock::now());
}

// Finishes a call once; at the latest when nobody is left who could answer (a host that stops drops what is queued),
// because a server waits for its calls for ever.
class Finisher {
 public:
  explicit Finisher(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  ~Finisher() {
    if (reactor_ != nullptr) {
      Finish(absl::DeadlineExceededError("this node stops; the outcome is unknown"));
    }
  }
  Finisher(const Finisher&) = delete;
  Finisher& operator=(const Finisher&) = delete;
  void Finish(const absl::Status& status) {
    std::exchange(reactor_, nullptr)->Finish(ToGrpc(status));
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
};

// `response` lives until the call has finished.
template <class Response>
Answer<Response> FinishWith(grpc::ServerUnaryReactor* reactor, Response* response) {
  return [finisher = std::make_unique<Finisher>(reactor),
          response](absl::StatusOr<Response> answer) {
    if (answer.ok()) *response = *std::move(answer);
    finisher->Finish(answer.status());
  };
}

template <class Request, class Response>
grpc::ServerUnaryReactor* Serve(LeaderOperations* operations,
                                void (LeaderOperations::*call)(const Request&, absl::Duration,
                                                               Answer<Response>),
                                grpc::CallbackServerContext* context, const Request& request,
                                Response* response) {
  auto* const reactor = context->DefaultReactor();
  (operations->*call)(request, TimeoutOf(*context), FinishWith(reactor, response));
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* LeaderService::OpenTransactions(
    grpc::CallbackServerContext* context, const rpc::OpenTransactionsRequest* request,
    rpc::OpenTransactionsResponse* response) {
  return Serve(operations_, &LeaderOperations::OpenTransactions, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::RenewTransactions(
    grpc::CallbackServerContext* context, const rpc::RenewTransactionsRequest* request,
    rpc::RenewTransactionsResponse* response) {
  return Serve(operations_, &LeaderOperations::RenewTransactions, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::Submit(grpc::CallbackServerContext* context,
                                                const rpc::SubmitRequest* request,
                                                rpc::SubmitResponse* response) {
  return Serve(operations_, &LeaderOperations::Submit, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::ReadIndex(grpc::CallbackServerContext* context,
                                                   const rpc::ReadIndexRequest* /*request*/,
                                                   rpc::ReadIndexResponse* response) {
  auto* const reactor = context->DefaultReactor();
  operations_->ReadIndex(TimeoutOf(*context), FinishWith(reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* LeaderService::ReportReplicas(
    grpc::CallbackServerContext* context, const rpc::ReportReplicasRequest* request,
    rpc::ReportReplicasResponse* response) {
  return Serve(operations_, &LeaderOperations::ReportReplicas, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::Verdicts(grpc::CallbackServerContext* context,
                                                  const rpc::VerdictsRequest* request,
                                                  rpc::VerdictsResponse* response) {
  return Serve(operations_, &LeaderOperations::Verdicts, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::ReportUnlinked(
    grpc::CallbackServerContext* context, const rpc::ReportUnlinkedRequest* request,
    rpc::ReportUnlinkedResponse* response) {
  return Serve(operations_, &LeaderOperations::ReportUnlinked, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::Join(grpc::CallbackServerContext* context,
                                              const rpc::JoinRequest* request,
                                              rpc::JoinResponse* response) {
  return Serve(operations_, &LeaderOperations::Join, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::Register(grpc::CallbackServerContext* context,
                                                  const rpc::RegisterRequest* request,
                                                  rpc::RegisterResponse* response) {
  return Serve(operations_, &LeaderOperations::Register, context, *request, response);
}

grpc::ServerUnaryReactor* LeaderService::Manage(grpc::CallbackServerContext* context,
                                                const rpc::ManageRequest* request,
                                                rpc::ManageResponse* response) {
  return Serve(operations_, &LeaderOperations::Manage, context, *request, response);
}

}  // namespace dfs::leader
