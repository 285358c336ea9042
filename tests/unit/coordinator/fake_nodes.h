// A cluster in one process for tests of the coordinator: chunk stores in memory, one state machine, a leader that can
// change its term, and peers that can be down, silent or late.
#ifndef DFS_TESTS_UNIT_COORDINATOR_FAKE_NODES_H_
#define DFS_TESTS_UNIT_COORDINATOR_FAKE_NODES_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "server/coordinator/coordinator.h"
#include "tests/support/memory_chunk_store.h"
#include "tests/support/memory_key_value_store.h"

namespace dfs::coordinator {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;

inline rpc::Ack AckOf(std::uint32_t node, std::uint64_t epoch = 1) {
  rpc::Ack ack;
  ack.set_node_id(node);
  *ack.mutable_storage_uuid() = ToWire(StorageUuid{7, node});
  ack.set_boot_epoch(epoch);
  return ack;
}

// The nodes other than the coordinator, through their stores.
class FakePeers final : public chunk::ChunkPeers {
 public:
  std::map<std::uint32_t, testing::MemoryChunkStore> stores;
  std::set<std::uint32_t> down;    // every call fails at once
  std::set<std::uint32_t> silent;  // callbacks are kept and never called until Release
  // A writer of a large chunk hangs after so many bytes of it, until it is cancelled or a
  // little more than its time without progress has passed, as with the real one.
  std::map<std::uint32_t, std::size_t> hangs_after;
  // A writer of a large chunk breaks after so many bytes of it, or at its end if it has no more.
  std::map<std::uint32_t, std::size_t> breaks_after;
  std::vector<std::pair<std::uint32_t, ChunkId>> copied ABSL_GUARDED_BY(mutex);  // by Copy
  Mutex mutex;
  std::map<std::uint32_t, rpc::ConfirmResponse::Verdict> verdicts;  // default: CONFIRMED
  std::vector<std::uint32_t> read_from;
  std::optional<std::uint64_t> cut_reads_after;  // a remote reader breaks after so many bytes
  // A remote reader of the node sends so many bytes, then needs so long for more: whoever waits less gets
  // kDeadlineExceeded, at once.
  struct SlowReads {
    std::uint64_t after_bytes = 0;
    absl::Duration needs;
  };
  std::map<std::uint32_t, SlowReads> slow_reads;
  std::vector<absl::Duration> read_timeouts;  // beside read_from

  std::unique_ptr<chunk::RemoteChunkWriter> Write(NodeId node, const ChunkId& chunk,
                                                  absl::Duration) override;
  void WriteSmall(NodeId node, const chunk::ChunkInfo& info, Slices data, absl::Duration,
                  AckCallback done) override;
  void RelinkAll(NodeId node, std::vector<chunk::Relink> items, absl::Duration,
                 AckCallback done) override;
  absl::StatusOr<std::unique_ptr<chunk::RemoteChunkReader>> Read(NodeId node, const ChunkId& chunk,
                                                                 std::uint64_t offset,
                                                                 std::uint64_t length,
                                                                 absl::Duration,
                                                                 std::uint64_t) override;
  void Confirm(NodeId node, LogIndex, rpc::ConfirmItem, absl::Duration,
               VerdictCallback done) override;
  // From the other nodes; the coordinator's own store is not among them.
  absl::StatusOr<rpc::ChunkAck> Copy(NodeId node, const rpc::CopyChunkRequest& request,
                                     absl::Duration) override;
  std::vector<std::pair<std::uint32_t, ChunkId>> Copied() {
    MutexLock lock(&mutex);
    return copied;
  }
  // The coordinator's, as a source of copies.
  testing::MemoryChunkStore* own_store = nullptr;
  absl::Status List(NodeId, const std::function<bool(const rpc::SmallChunk&)>&,
                    absl::Duration) override {
    return absl::OkStatus();
  }
  // Lets the silent nodes answer what they were asked.
  void Release();

 private:
  std::vector<std::pair<AckCallback, absl::StatusOr<rpc::Ack>>> kept_;
};

// Applies commands at once to the state machine.
class FakeLeader : public leader::LeaderClient {
 public:
  explicit FakeLeader(metadata::MetadataMachine* machine) : machine_(machine) {}

  Term term{1};
  bool has_quorum = true;
  std::vector<std::uint32_t> replicas = {1, 2, 3};
  std::vector<std::uint32_t> spares;
  int rebegins = 0;         // how many CommitPuts are answered REBEGIN, each with a new term
  std::function<void()> before_rebegin = [] {};
  std::vector<rpc::ReplicaChange> reported;
  std::vector<std::pair<TxnId, bool>> done;
  std::map<TxnId, int> pins;  // ever made; those that count now
  std::vector<std::vector<NodeId>> holders_named;

  absl::StatusOr<LogIndex> ReadIndex(absl::Duration) override;
  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command, absl::Duration) override;
  absl::StatusOr<rpc::OpenTransaction> Begin(BucketId, const std::vector<NodeId>&,
                                             const std::vector<NodeId>& holders,
                                             absl::Duration) override;
  void Done(const TxnId& txn, bool is_committed) override { done.emplace_back(txn, is_committed); }
  void Pin(const TxnId& txn) override { ++pins[txn]; }
  void Unpin(const TxnId& txn) override { --pins[txn]; }
  void ReportReplica(rpc::ReplicaChange change) override;
  absl::StatusOr<std::vector<rpc::VerdictAnswer>> AskVerdicts(const rpc::VerdictsRequest&,
                                                              absl::Duration) override {
    return std::vector<rpc::VerdictAnswer>();
  }
  absl::Status ReportUnlinked(const rpc::ReportUnlinkedRequest&, absl::Duration) override {
    return absl::OkStatus();
  }
  absl::Status Register(const rpc::NodeStarted&, absl::Duration) override {
    return absl::OkStatus();
  }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest&, absl::Duration) override {
    return rpc::JoinResponse();
  }
  rpc::CommandResult Apply(rpc::Command command);
  // What was reported so far, as the leader's next batch.
  void ApplyReported();

 private:
  metadata::MetadataMachine* const machine_;
  std::uint64_t next_sequence_ = 1;
  Mutex mutex_;
};

struct FakeNodes {
  static constexpr std::size_t kWriterThreads = 8;
  // Nodes 1 to `members`; 1 coordinates.
  explicit FakeNodes(std::uint32_t members = 3);

  // A node that joins and becomes an active member.
  void AddMember(std::uint32_t node);
  // Waits until the writers have ended and their late copies are in the state: no copy is under way afterwards.
  void Drain();
  api::RequestId NextId();
  // A put of `bytes` in pieces of `piece` bytes.
  absl::StatusOr<api::PutResponse> Put(const std::string& name, const std::string& bytes,
                                       std::size_t piece = std::size_t{1} << 20,
                                       const std::string& bucket = "");
  // Content, or the error.
  absl::StatusOr<std::string> Get(api::GetRequest request);
  absl::StatusOr<std::string> Get(const std::string& name);
  rpc::VersionRow Row(const std::string& name);

  metadata::MemoryKeyValueStore rows;
  metadata::MetadataMachine machine{&rows};
  testing::MemoryChunkStore store;
  FakePeers peers;
  FakeLeader leader{&machine};
  std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>("test-writer", kWriterThreads);
  std::unique_ptr<SmallWriteBatcher> batcher = MakeBatcher();
  Parts parts;
  std::uint64_t sequence = 0;

 private:
  std::unique_ptr<SmallWriteBatcher> MakeBatcher() {
    return std::make_unique<SmallWriteBatcher>(&store, [] { return AckOf(1); });
  }
};

std::string TestBytes(std::size_t size, std::uint64_t seed);

}  // namespace dfs::coordinator

#endif  // DFS_TESTS_UNIT_COORDINATOR_FAKE_NODES_H_
