#include "server/gossip_store/gossip_service.h"

#include <memory>
#include <utility>

#include "proto/wire_status.h"

namespace dfs::gossip_store {
namespace {

// Finishes the call once; at the latest when nobody is left who could answer, because a server waits for its calls for ever.
class Finisher {
 public:
  Finisher(grpc::ServerUnaryReactor* reactor, rpc::GossipResponse* response)
      : reactor_(reactor), response_(response) {}
  ~Finisher() {
    if (reactor_ != nullptr) Finish(absl::UnavailableError("this node stops"));
  }
  Finisher(const Finisher&) = delete;
  Finisher& operator=(const Finisher&) = delete;
  void Finish(absl::StatusOr<rpc::GossipResponse> answer) {
    if (answer.ok()) *response_ = *std::move(answer);
    std::exchange(reactor_, nullptr)->Finish(ToGrpc(answer.status()));
  }

 private:
  grpc::ServerUnaryReactor* reactor_;
  rpc::GossipResponse* const response_;
};

}  // namespace

grpc::ServerUnaryReactor* GossipService::Exchange(grpc::CallbackServerContext* context,
                                                  const rpc::GossipRequest* request,
                                                  rpc::GossipResponse* response) {
  auto* const reactor = context->DefaultReactor();
  transport_->Deliver(*request, [finisher = std::make_unique<Finisher>(reactor, response)](
                                    absl::StatusOr<rpc::GossipResponse> answer) {
    finisher->Finish(std::move(answer));
  });
  return reactor;
}

}  // namespace dfs::gossip_store
