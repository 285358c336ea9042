#include "server/node/peer_finder.h"

#include <glog/logging.h>

#include <chrono>
#include <utility>

#include "common/wire_ids.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "proto/channel_arguments.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::node {
namespace {

namespace start_check = replicated_log::start_check;

constexpr auto kAskTimeout = std::chrono::seconds(1);

struct Call {
  std::unique_ptr<rpc::Raft::Stub> stub;
  grpc::ClientContext context;
  rpc::GreetRequest request;
  rpc::GreetResponse response;
};

absl::StatusOr<replicated_log::Greeting> Decode(const rpc::GreetResponse& response) {
  auto configuration = replicated_log::DecodeConfiguration(response.configuration());
  if (!configuration.ok()) return configuration.status();
  replicated_log::Greeting greeting;
  greeting.node = NodeId(response.hello().node_id());
  greeting.storage_uuid = UuidFromWire<StorageUuid>(response.hello().storage_uuid());
  greeting.refuses_epoch = response.verdict() == rpc::GreetResponse::OLD_EPOCH;
  greeting.reason = response.reason();
  greeting.mark = {Term(response.mark().term()), Term(response.mark().entry_term()),
                   LogIndex(response.mark().entry_index())};
  greeting.configuration = *std::move(configuration);
  greeting.last_term = Term(response.last_term());
  greeting.last_index = LogIndex(response.last_index());
  return greeting;
}

}  // namespace

PeerFinder::PeerFinder(Parts parts)
    : parts_(std::move(parts)),
      calls_(std::make_shared<leader::OpenCalls>()),
      core_(parts_.options),
      executor_("find-peers", *parts_.clock) {}

PeerFinder::~PeerFinder() { Stop(); }

void PeerFinder::Stop() {
  calls_->Stop();
  executor_.Stop();
}

void PeerFinder::Start(replicated_log::LogPosition position, consensus::Configuration configuration,
                       std::set<std::string> join) {
  executor_.Post([this, position, configuration, join = std::move(join)]() mutable {
    configuration_ = configuration;
    Step(start_check::Begin{position, std::move(configuration), std::move(join)});
  });
}

void PeerFinder::Reconfigure(consensus::Configuration configuration) {
  executor_.Post([this, configuration = std::move(configuration)]() mutable {
    configuration_ = configuration;
    Step(start_check::Reconfigured{std::move(configuration)});
    TellMembers();
  });
}

void PeerFinder::AskedBy(const rpc::PeerHello& asker) {
  Post(start_check::AskedBy{NodeId(asker.node_id()), asker.peer_address()});
}

void PeerFinder::RefusedBy(NodeId node) { Post(start_check::AskedBy{node, ""}); }

void PeerFinder::LeaderMissing() { Post(start_check::LeaderMissing{}); }

void PeerFinder::Post(replicated_log::StartCheckInput input) {
  executor_.Post([this, input = std::move(input)]() mutable { Step(std::move(input)); });
}

void PeerFinder::Step(replicated_log::StartCheckInput input) {
  if (is_over_) return;
  auto out = core_.Step(parts_.clock->Now(), std::move(input));
  if (out.rolled_back) {
    is_over_ = true;
    parts_.on_rolled_back(*std::move(out.rolled_back));
    return;
  }
  for (const auto& address : out.ask) Ask(address);
  if (out.newer_members) newer_ = *std::move(out.newer_members);
  if (out.moved) moved_ = *std::move(out.moved);
  if (out.moved || out.newer_members) TellMembers();
  if (out.is_released) parts_.on_released();
  Arm(out.next_deadline);
}

void PeerFinder::TellMembers() {
  std::map<NodeId, std::string> elsewhere = moved_;
  for (const auto& [node, member] : newer_) {
    parts_.registry->SetKnown(node, member.storage_uuid, BootEpoch());
    elsewhere.emplace(node, member.peer_address);
  }
  parts_.on_members(configuration_, elsewhere);
}

void PeerFinder::Ask(const std::string& address) {
  auto call = std::make_shared<Call>();
  // A channel of its own: what an earlier attempt remembers of a process that was away must not
  // delay this one.
  call->stub = rpc::Raft::NewStub(parts_.dialer.Dial(address, ChannelUse::kControl));
  call->context.set_deadline(std::chrono::system_clock::now() + kAskTimeout);
  *call->request.mutable_hello() = parts_.registry->own();
  if (!calls_->Begin(&call->context)) return;
  call->stub->async()->Greet(&call->context, &call->request, &call->response,
                             [this, calls = calls_, call, address](const grpc::Status& status) {
                               executor_.Post([this, call, address, status] {
                                 OnAnswer(address, status, call->response);
                               });
                               calls->End(&call->context);
                             });
}

void PeerFinder::OnAnswer(const std::string& address, const grpc::Status& status,
                          const rpc::GreetResponse& response) {
  std::string complaint;
  if (!status.ok()) {
    complaint = status.error_message();
  } else if (response.hello().cluster_id().high() != parts_.registry->own().cluster_id().high() ||
             response.hello().cluster_id().low() != parts_.registry->own().cluster_id().low()) {
    complaint = "it belongs to another cluster";
  }
  if (complaint.empty()) {
    auto greeting = Decode(response);
    if (greeting.ok()) {
      if (response.verdict() != rpc::GreetResponse::ACCEPTED) complaint = response.reason();
      Step(start_check::Answered{address, *std::move(greeting), parts_.position()});
    } else {
      complaint = std::string(greeting.status().message());
      Step(start_check::Failed{address});
    }
  } else {
    Step(start_check::Failed{address});
  }
  std::string& said = complaints_[address];
  if (complaint != said && !complaint.empty())
    LOG(INFO) << "asked " << address << ": " << complaint;
  said = complaint;
}

void PeerFinder::Arm(MonotonicTime deadline) {
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  executor_.PostAt(deadline, [this, deadline] {
    if (armed_for_ != deadline) return;
    armed_for_ = absl::InfiniteFuture();
    Step(start_check::Tick{});
  });
}

}  // namespace dfs::node
