// Raft transports of several hosts in one process. Links can be cut; snapshots travel on a thread.
#ifndef DFS_TESTS_SUPPORT_LOOPBACK_RAFT_TRANSPORT_H_
#define DFS_TESTS_SUPPORT_LOOPBACK_RAFT_TRANSPORT_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "common/sync.h"
#include "server/replicated_log/raft_transport.h"

namespace dfs::testing {

class LoopbackRaftTransport;

// Thread-safe.
class LoopbackNetwork {
 public:
  LoopbackNetwork() : wire_("wire"), pool_("snapshots", 2) {}
  ~LoopbackNetwork() { Stop(); }

  // Nothing passes between the node and the others, in both directions.
  void Isolate(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    isolated_.insert(node);
  }
  void Heal() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    isolated_.clear();
  }
  void Stop() {
    wire_.Stop();
    pool_.Stop();
  }

 private:
  friend class LoopbackRaftTransport;
  [[nodiscard]] LoopbackRaftTransport* Find(NodeId from, NodeId to) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (isolated_.contains(from) || isolated_.contains(to)) return nullptr;
    const auto found = nodes_.find(to);
    return found == nodes_.end() ? nullptr : found->second;
  }

  Mutex mutex_;
  std::map<NodeId, LoopbackRaftTransport*> nodes_ ABSL_GUARDED_BY(mutex_);
  std::set<NodeId> isolated_ ABSL_GUARDED_BY(mutex_);
  ThreadExecutor wire_;
  ThreadPool pool_;
};

class LoopbackRaftTransport final : public replicated_log::RaftTransport {
 public:
  LoopbackRaftTransport(NodeId self, LoopbackNetwork* network) : self_(self), network_(network) {
    MutexLock lock(&network_->mutex_);
    network_->nodes_[self] = this;
  }
  // After the network was stopped.
  ~LoopbackRaftTransport() override = default;

  void SetReceiver(Receiver receiver, Refused /*refused*/) override {
    MutexLock lock(&mutex_);
    receiver_ = std::make_shared<Receiver>(std::move(receiver));
  }
  void SetCheckpointReceiver(CheckpointReceiver receiver) override {
    MutexLock lock(&mutex_);
    checkpoint_receiver_ = std::make_shared<CheckpointReceiver>(std::move(receiver));
  }
  void SetSnapshotReceiver(std::shared_ptr<replicated_log::SnapshotReceiver> receiver) override {
    MutexLock lock(&mutex_);
    snapshot_receiver_ = std::move(receiver);
  }
  void SetMembers(const consensus::Configuration& /*configuration*/) override {}
  void SetCheckpoint(const metadata::StateHash& checkpoint) override {
    MutexLock lock(&mutex_);
    checkpoint_ = checkpoint;
  }

  void Send(std::vector<consensus::Message> messages) override {
    network_->wire_.Post([this, messages = std::move(messages)]() mutable {
      for (auto& message : messages) Carry(std::move(message));
    });
  }

  void SendSnapshot(NodeId to, replicated_log::OutgoingSnapshot snapshot,
                    replicated_log::SnapshotReceiver::Done done) override {
    network_->pool_.Post([this, to, snapshot = std::move(snapshot),
                          done = std::move(done)]() mutable {
      auto* target = network_->Find(self_, to);
      std::shared_ptr<replicated_log::SnapshotReceiver> receiver;
      if (target != nullptr) {
        MutexLock lock(&target->mutex_);
        receiver = target->snapshot_receiver_;
      }
      auto sink = receiver != nullptr
                      ? receiver->Begin(self_, snapshot.description)
                      : absl::StatusOr<std::unique_ptr<replicated_log::SnapshotSink>>(
                            absl::UnavailableError("nobody is there"));
      if (!sink.ok()) {
        done(sink.status());
        return;
      }
      if (auto status = Copy(*snapshot.files, **sink); !status.ok()) {
        done(status);
        return;
      }
      receiver->Finish(*std::move(sink), std::move(snapshot.description), std::move(done));
    });
  }

 private:
  static absl::Status Copy(replicated_log::SnapshotFiles& files,
                           replicated_log::SnapshotSink& sink) {
    constexpr std::size_t kPiece = 100;
    for (std::size_t file = 0; file < files.count(); ++file) {
      std::uint64_t offset = 0;
      bool is_last = false;
      while (!is_last) {
        auto bytes = files.Read(file, offset, kPiece);
        if (!bytes.ok()) return bytes.status();
        offset += bytes->size();
        is_last = bytes->size() < kPiece;
        auto status = sink.Append(static_cast<std::uint32_t>(file), *bytes, is_last);
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  void Carry(consensus::Message message) {
    auto* target = network_->Find(self_, message.to);
    if (target == nullptr) return;
    metadata::StateHash checkpoint;
    {
      MutexLock lock(&mutex_);
      checkpoint = checkpoint_;
    }
    std::shared_ptr<Receiver> receiver;
    std::shared_ptr<CheckpointReceiver> checkpoints;
    {
      MutexLock lock(&target->mutex_);
      receiver = target->receiver_;
      checkpoints = target->checkpoint_receiver_;
    }
    const bool is_append = std::holds_alternative<consensus::AppendRequest>(message.body);
    if (is_append && !checkpoint.index.is_none() && checkpoints) (*checkpoints)(self_, checkpoint);
    if (receiver) (*receiver)(std::move(message));
  }

  const NodeId self_;
  LoopbackNetwork* const network_;
  Mutex mutex_;
  std::shared_ptr<Receiver> receiver_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<CheckpointReceiver> checkpoint_receiver_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<replicated_log::SnapshotReceiver> snapshot_receiver_ ABSL_GUARDED_BY(mutex_);
  metadata::StateHash checkpoint_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_LOOPBACK_RAFT_TRANSPORT_H_
