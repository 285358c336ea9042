// Carries Raft messages between members.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/consensus/message.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/snapshot.h"

namespace dfs::replicated_log {

struct OutgoingSnapshot {
  SnapshotDescription description;
  Term leader_term;  // the sender leads this term
  std::unique_ptr<SnapshotFiles> files;
};

// Takes in snapshots that arrive (rule R9). Thread-safe. Senders are proved, as with messages.
class SnapshotReceiver {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;
  virtual ~SnapshotReceiver() = default;
  // Where to write the files. kAlreadyExists: this node is at `description.index` or further.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<SnapshotSink>> Begin(
      NodeId from, const SnapshotDescription& description) = 0;
  // All files are written: installs them. `done` gets the index that is in force then.
  virtual void Finish(std::unique_ptr<SnapshotSink> sink, SnapshotDescription description,
                      Done done) = 0;
};

class RaftTransport {
 public:
  // `message.from` is proved: it came over a connection whose Hello was checked (rules R1, R2).
  using Receiver = std::function<void(consensus::Message)>;
  // The member's address refused a connection, or its stream broke: evidence of a crash.
  using Refused = std::function<void(NodeId)>;
  // The state hash that the leader sent along with an append.
  using CheckpointReceiver = std::function<void(NodeId from, metadata::StateHash)>;

  virtual ~RaftTransport() = default;
  // Before the first message. Both are called on transport threads: return at once.
  virtual void SetReceiver(Receiver receiver, Refused refused) = 0;
  // Keeps streams to these members (all but self) and to nobody else.
  virtual void SetMembers(const consensus::Configuration& configuration) = 0;
  // Queues; never blocks; may lose, never alters. What does not fit into a peer's queue (named limit) is dropped.
  virtual void Send(std::vector<consensus::Message> messages) = 0;

  // State hash of this node, sent with its appends from now on. Thread-safe.
  virtual void SetCheckpoint(const metadata::StateHash& /*checkpoint*/) {}
  // Before the first message; called on transport threads: return at once.
  virtual void SetCheckpointReceiver(CheckpointReceiver /*receiver*/) {}

  // The member answered with a new boot epoch: it has started again (rule R4). Before the first message; called on
  // transport threads: return at once.
  using Restarted = std::function<void(NodeId)>;
  virtual void SetRestartedReceiver(Restarted /*receiver*/) {}

  // Before the first message; shared, because transfers outlive their caller.
  virtual void SetSnapshotReceiver(std::shared_ptr<SnapshotReceiver> /*receiver*/) {}
  // Sends the files, apart from messages; never blocks. `done` gets the index that is in force at the receiver, on an
  // internal thread; outcome unknown after an error.
  virtual void SendSnapshot(NodeId /*to*/, OutgoingSnapshot /*snapshot*/,
                            SnapshotReceiver::Done done) {
    done(absl::UnimplementedError("this transport carries no snapshots"));
  }
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_TRANSPORT_H_
