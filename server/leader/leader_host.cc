#include "server/leader/leader_host.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/error_detail.h"
#include "server/leader/leader_term.h"

namespace dfs::leader {
namespace {

constexpr std::size_t kRepairThreadsMax = 16;

}  // namespace

LeaderHost::LeaderHost(LeaderWorld world, const LeaderOptions& options)
    : options_(options), world_(std::move(world)) {
  if (world_.executor == nullptr) {
    own_executor_ = std::make_unique<ThreadExecutor>("leader", *world_.clock);
    world_.executor = own_executor_.get();
  }
  if (world_.run_blocking == nullptr) {
    own_pool_ = std::make_unique<ThreadPool>("repair", kRepairThreadsMax);
    world_.run_blocking = [this](Task task) { own_pool_->Post(std::move(task)); };
  }
}

LeaderHost::~LeaderHost() { Stop(); }

void LeaderHost::SetPeers(std::function<LeaderOperations*(NodeId)> peers) {
  MutexLock lock(&mutex_);
  peers_ = std::move(peers);
}

void LeaderHost::Start() {}

void LeaderHost::Stop() {
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    peers_ = nullptr;
  }
  EndTerm();
  if (own_pool_ != nullptr) own_pool_->Stop();
  if (own_executor_ != nullptr) own_executor_->Stop();
}

void LeaderHost::OnLeading(Term term) {
  std::shared_ptr<LeaderTerm> before;
  std::shared_ptr<LeaderTerm> next = std::make_shared<LeaderTerm>(world_, options_, term);
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) return;
    before = std::exchange(leading_, next);
  }
  if (before != nullptr) before->End();
  LOG(INFO) << "this node leads term " << term;
  next->Begin();
}

void LeaderHost::OnNotLeading() { EndTerm(); }

void LeaderHost::EndTerm() {
  std::shared_ptr<LeaderTerm> before;
  {
    MutexLock lock(&mutex_);
    before = std::exchange(leading_, nullptr);
  }
  if (before == nullptr) return;
  LOG(INFO) << "this node no longer leads term " << before->term();
  before->End();
}

std::shared_ptr<LeaderTerm> LeaderHost::Leading() const {
  MutexLock lock(&mutex_);
  return leading_;
}

absl::Status LeaderHost::NotLeader() const {
  api::ErrorDetail detail;
  detail.set_reason(api::ErrorDetail::NOT_LEADER);
  detail.set_outcome(api::ErrorDetail::NOTHING_CHANGED);
  std::string who = "nobody that this node knows of";
  const NodeId leader = world_.consensus == nullptr ? NodeId() : world_.consensus->Status().leader;
  if (leader == world_.self && !leader.is_none()) {
    who = "this node, which is not ready yet";
  } else if (!leader.is_none()) {
    who = absl::StrCat("node ", leader.value());
    if (const auto row = world_.view()->FindNode(leader)) {
      detail.set_leader_address(row->client_address());
    }
  }
  return ErrorWithDetail(absl::StatusCode::kUnavailable, absl::StrCat("the leader is ", who),
                         detail);
}

template <class Request, class Response>
void LeaderHost::Forward(void (LeaderOperations::*call)(const Request&, absl::Duration,
                                                        Answer<Response>),
                         const Request& request, absl::Duration timeout, Answer<Response> done) {
  const auto leading = Leading();
  if (leading == nullptr) {
    done(NotLeader());
  } else {
    (leading.get()->*call)(request, timeout, std::move(done));
  }
}

void LeaderHost::OpenTransactions(const rpc::OpenTransactionsRequest& request,
                                  absl::Duration timeout,
                                  Answer<rpc::OpenTransactionsResponse> done) {
  Forward(&LeaderOperations::OpenTransactions, request, timeout, std::move(done));
}

void LeaderHost::RenewTransactions(const rpc::RenewTransactionsRequest& request,
                                   absl::Duration timeout,
                                   Answer<rpc::RenewTransactionsResponse> done) {
  Forward(&LeaderOperations::RenewTransactions, request, timeout, std::move(done));
}

void LeaderHost::Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
                        Answer<rpc::SubmitResponse> done) {
  Forward(&LeaderOperations::Submit, request, timeout, std::move(done));
}

void LeaderHost::ReadIndex(absl::Duration timeout, Answer<rpc::ReadIndexResponse> done) {
  const auto leading = Leading();
  if (leading == nullptr) {
    done(NotLeader());
  } else {
    leading->ReadIndex(timeout, std::move(done));
  }
}

void LeaderHost::ReportReplicas(const rpc::ReportReplicasRequest& request, absl::Duration timeout,
                                Answer<rpc::ReportReplicasResponse> done) {
  Forward(&LeaderOperations::ReportReplicas, request, timeout, std::move(done));
}

void LeaderHost::Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                          Answer<rpc::VerdictsResponse> done) {
  Forward(&LeaderOperations::Verdicts, request, timeout, std::move(done));
}

void LeaderHost::ReportUnlinked(const rpc::ReportUnlinkedRequest& request, absl::Duration timeout,
                                Answer<rpc::ReportUnlinkedResponse> done) {
  Forward(&LeaderOperations::ReportUnlinked, request, timeout, std::move(done));
}

LeaderOperations* LeaderHost::Onward(std::uint32_t hops) {
  const NodeId leader = world_.consensus == nullptr ? NodeId() : world_.consensus->Status().leader;
  if (leader.is_none() || leader == world_.self || hops >= kJoinHopsMax) return nullptr;
  std::function<LeaderOperations*(NodeId)> peers;
  {
    MutexLock lock(&mutex_);
    peers = peers_;
  }
  return peers == nullptr ? nullptr : peers(leader);
}

template <class Request, class Response>
void LeaderHost::LeadOrPassOn(void (LeaderOperations::*call)(const Request&, absl::Duration,
                                                             Answer<Response>),
                              const Request& request, absl::Duration timeout,
                              Answer<Response> done) {
  if (const auto leading = Leading(); leading != nullptr) {
    ((*leading).*call)(request, timeout, std::move(done));
    return;
  }
  LeaderOperations* const peer = Onward(request.hops());
  if (peer == nullptr) {
    done(NotLeader());
    return;
  }
  Request onward = request;
  onward.set_hops(request.hops() + 1);
  (peer->*call)(onward, timeout, std::move(done));
}

void LeaderHost::Join(const rpc::JoinRequest& request, absl::Duration timeout,
                      Answer<rpc::JoinResponse> done) {
  LeadOrPassOn(&LeaderOperations::Join, request, timeout, std::move(done));
}

void LeaderHost::Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                          Answer<rpc::RegisterResponse> done) {
  LeadOrPassOn(&LeaderOperations::Register, request, timeout, std::move(done));
}

void LeaderHost::Manage(const rpc::ManageRequest& request, absl::Duration timeout,
                        Answer<rpc::ManageResponse> done) {
  Forward(&LeaderOperations::Manage, request, timeout, std::move(done));
}

}  // namespace dfs::leader
