#include "tests/simulation/system/sim_transports.h"

#include <string>

#include "tests/simulation/system/sim_node.h"

namespace dfs::simulation {
namespace {

constexpr absl::Duration kSnapshotTimeout = absl::Seconds(30);

}  // namespace

// ---- Raft ----

void SimRaftTransport::SetReceiver(Receiver receiver, Refused refused) {
  receiver_ = std::move(receiver);
  refused_ = std::move(refused);
}

void SimRaftTransport::SetMembers(const consensus::Configuration& configuration) {
  members_.clear();
  for (const auto& [node, info] : configuration.members) members_[node] = info.storage_uuid;
}

void SimRaftTransport::Send(std::vector<consensus::Message> messages) {
  for (consensus::Message& message : messages) {
    const NodeId to = message.to;
    dialer_->wire()->Send(
        dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(to)), to,
        [message = std::move(message), start = start_, checkpoint = checkpoint_](SimNode& node) {
          if (node.raft_transport() != nullptr) {
            node.raft_transport()->Receive(message, start, checkpoint);
          }
        },
        [this, to] {
          if (refused_) refused_(to);
        });
  }
}

bool SimRaftTransport::Refuses(NodeId node, BootEpoch epoch, RunId run) const {
  const auto known = starts_.find(node);
  if (known == starts_.end()) return false;
  return epoch < known->second.epoch || (epoch == known->second.epoch && run != known->second.run);
}

void SimRaftTransport::Receive(const consensus::Message& message, const Start& start,
                               const metadata::StateHash& checkpoint) {
  // Its stream would not be accepted.
  if (!members_.empty() && !members_.contains(message.from) && !known_.contains(message.from)) {
    return;
  }
  if (Refuses(message.from, start.epoch, start.run)) return;
  Start& known = starts_[message.from];
  if (start.epoch != known.epoch) {
    known = start;
    if (restarted_) restarted_(message.from);
  }
  const bool is_append = std::holds_alternative<consensus::AppendRequest>(message.body);
  if (is_append && !checkpoint.index.is_none() && checkpoint_receiver_) {
    checkpoint_receiver_(message.from, checkpoint);
  }
  if (receiver_) receiver_(message);
}

void SimRaftTransport::SendSnapshot(NodeId to, replicated_log::OutgoingSnapshot snapshot,
                                    replicated_log::SnapshotReceiver::Done done) {
  const auto shared = std::make_shared<replicated_log::OutgoingSnapshot>(std::move(snapshot));
  dialer_->wire()->Call<LogIndex>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(to)), to, kSnapshotTimeout,
      [shared, from = self_](SimNode& node,
                             absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> answer) {
        if (node.raft_transport() == nullptr) {
          answer(absl::UnavailableError("not up yet"));
        } else {
          node.raft_transport()->ReceiveSnapshot(from, shared, std::move(answer));
        }
      },
      std::move(done));
}

void SimRaftTransport::ReceiveSnapshot(
    NodeId from, const std::shared_ptr<replicated_log::OutgoingSnapshot>& snapshot,
    replicated_log::SnapshotReceiver::Done done) {
  constexpr std::size_t kPiece = 4096;
  auto sink = snapshot_receiver_ == nullptr
                  ? absl::StatusOr<std::unique_ptr<replicated_log::SnapshotSink>>(
                        absl::UnavailableError("nobody takes snapshots yet"))
                  : snapshot_receiver_->Begin(from, snapshot->description);
  absl::Status status = sink.status();
  for (std::size_t file = 0; status.ok() && file < snapshot->files->count(); ++file) {
    std::uint64_t offset = 0;
    bool is_last = false;
    while (status.ok() && !is_last) {
      const auto bytes = snapshot->files->Read(file, offset, kPiece);
      status = bytes.status();
      if (!status.ok()) break;
      offset += bytes->size();
      is_last = bytes->size() < kPiece;
      status = (*sink)->Append(static_cast<std::uint32_t>(file), *bytes, is_last);
    }
  }
  if (!status.ok()) {
    done(status);
    return;
  }
  snapshot_receiver_->Finish(*std::move(sink), snapshot->description, std::move(done));
}

// ---- ring ----

void SimRingTransport::Send(membership::Message message, bool /*is_fresh*/) {
  const NodeId to = message.to;
  dialer_->wire()->Send(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(to)), to,
      [message = std::move(message)](SimNode& node) {
        SimRingTransport* const ring = node.ring_transport();
        if (ring != nullptr && ring->receiver_) ring->receiver_(message);
      },
      [this, to] {
        if (refused_) refused_(to);
      });
}

// ---- leader ----

template <class Request, class Response>
void SimLeaderPeer::Start(void (leader::LeaderOperations::*method)(const Request&, absl::Duration,
                                                                   leader::Answer<Response>),
                          const Request& request, absl::Duration timeout,
                          leader::Answer<Response> done) {
  dialer_->wire()->Call<Response>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node_)), node_, timeout,
      [method, request, timeout](SimNode& node, leader::Answer<Response> answer) {
        if (node.leader_host() == nullptr) {
          answer(absl::UnavailableError("not up yet"));
        } else {
          (node.leader_host()->*method)(request, timeout, std::move(answer));
        }
      },
      std::move(done));
}

void SimLeaderPeer::OpenTransactions(const rpc::OpenTransactionsRequest& request,
                                     absl::Duration timeout,
                                     leader::Answer<rpc::OpenTransactionsResponse> done) {
  Start(&leader::LeaderOperations::OpenTransactions, request, timeout, std::move(done));
}
void SimLeaderPeer::RenewTransactions(const rpc::RenewTransactionsRequest& request,
                                      absl::Duration timeout,
                                      leader::Answer<rpc::RenewTransactionsResponse> done) {
  Start(&leader::LeaderOperations::RenewTransactions, request, timeout, std::move(done));
}
void SimLeaderPeer::Submit(const rpc::SubmitRequest& request, absl::Duration timeout,
                           leader::Answer<rpc::SubmitResponse> done) {
  Start(&leader::LeaderOperations::Submit, request, timeout, std::move(done));
}
void SimLeaderPeer::ReadIndex(absl::Duration timeout,
                              leader::Answer<rpc::ReadIndexResponse> done) {
  dialer_->wire()->Call<rpc::ReadIndexResponse>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node_)), node_, timeout,
      [timeout](SimNode& node, leader::Answer<rpc::ReadIndexResponse> answer) {
        if (node.leader_host() == nullptr) {
          answer(absl::UnavailableError("not up yet"));
        } else {
          node.leader_host()->ReadIndex(timeout, std::move(answer));
        }
      },
      std::move(done));
}
void SimLeaderPeer::ReportReplicas(const rpc::ReportReplicasRequest& request,
                                   absl::Duration timeout,
                                   leader::Answer<rpc::ReportReplicasResponse> done) {
  Start(&leader::LeaderOperations::ReportReplicas, request, timeout, std::move(done));
}
void SimLeaderPeer::Verdicts(const rpc::VerdictsRequest& request, absl::Duration timeout,
                             leader::Answer<rpc::VerdictsResponse> done) {
  Start(&leader::LeaderOperations::Verdicts, request, timeout, std::move(done));
}
void SimLeaderPeer::ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                   absl::Duration timeout,
                                   leader::Answer<rpc::ReportUnlinkedResponse> done) {
  Start(&leader::LeaderOperations::ReportUnlinked, request, timeout, std::move(done));
}
void SimLeaderPeer::Join(const rpc::JoinRequest& request, absl::Duration timeout,
                         leader::Answer<rpc::JoinResponse> done) {
  Start(&leader::LeaderOperations::Join, request, timeout, std::move(done));
}
void SimLeaderPeer::Register(const rpc::RegisterRequest& request, absl::Duration timeout,
                             leader::Answer<rpc::RegisterResponse> done) {
  Start(&leader::LeaderOperations::Register, request, timeout, std::move(done));
}
void SimLeaderPeer::Manage(const rpc::ManageRequest& request, absl::Duration timeout,
                           leader::Answer<rpc::ManageResponse> done) {
  Start(&leader::LeaderOperations::Manage, request, timeout, std::move(done));
}

}  // namespace dfs::simulation
