// The replicated state machine: what files, nodes and sessions there are.
//
// A deterministic function of the log (rule R8): Apply reads no clock, no configuration and no
// randomness, and its results are equal on every node. State lives in a KeyValueStore, written with
// the applied index and the rolling state hash in one batch (no sync: the log can always be applied again).
#ifndef DFS_SERVER_METADATA_METADATA_MACHINE_H_
#define DFS_SERVER_METADATA_METADATA_MACHINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/metadata/directory_rows.h"
#include "server/metadata/key_value_store.h"

namespace dfs::metadata {

struct StateHash {
  LogIndex index;
  Hash128 hash;
};

// Counters that the state machine keeps in its own rows.
struct Totals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;               // of current versions
  std::uint64_t under_replicated = 0;    // current versions whose poorest chunk has fewer ok copies than min(replicas, members)
  std::uint64_t trashed = 0;             // versions
  std::uint64_t members = 0;             // ACTIVE nodes
};

// One consistent, unchanging view of the applied state. Holds resources: keep it short-lived. Thread-safe.
class MetadataView {
 public:
  virtual ~MetadataView() = default;
  [[nodiscard]] virtual LogIndex applied_index() const = 0;
  [[nodiscard]] virtual std::uint64_t log_time_us() const = 0;
  [[nodiscard]] virtual std::optional<ClusterId> cluster_id() const = 0;

  [[nodiscard]] virtual std::optional<rpc::BucketRow> FindBucket(std::string_view name) const = 0;
  // Also one that was removed (removed_index), while something is in its trash.
  [[nodiscard]] virtual std::optional<rpc::BucketRow> FindBucket(BucketId id) const = 0;
  // Those that were not removed, by name.
  [[nodiscard]] virtual std::vector<rpc::BucketRow> Buckets() const = 0;
  [[nodiscard]] virtual rpc::BucketCountsRow CountsOf(BucketId id) const = 0;
  // Greater than that of every bucket that there was.
  [[nodiscard]] virtual BucketId next_bucket_id() const = 0;
  // The current version; hidden ones (cleared, removed) are not found.
  [[nodiscard]] virtual std::optional<rpc::VersionRow> FindFile(BucketId bucket,
                                                                std::string_view name) const = 0;
  // An older version of the name that the bucket keeps; nullopt: none of this number, or the name is hidden.
  [[nodiscard]] virtual std::optional<rpc::VersionRow> FindOld(BucketId bucket,
                                                               std::string_view name,
                                                               std::uint64_t number) const = 0;
  // All of a name that FindFile finds, newest first.
  [[nodiscard]] virtual std::vector<rpc::VersionRow> FindOlds(BucketId bucket,
                                                              std::string_view name) const = 0;
  // By transaction: current, kept or trashed; nullopt once purged or never committed.
  [[nodiscard]] virtual std::optional<rpc::VersionRow> FindVersion(const TxnId& txn) const = 0;
  // Current versions in byte order of names, those that begin with `prefix` and are greater than `after`.
  // Stops when visit returns false.
  void List(BucketId bucket, std::string_view prefix, std::string_view after,
            const std::function<bool(const rpc::VersionRow&)>& visit) const {
    ListChosen(bucket, prefix, after, [](std::string_view) { return Choice::kVisit; }, visit);
  }
  // The same, but `choose` says of each name, hidden ones too, what becomes of it, before its row is read: names are cheap.
  enum class Choice { kVisit, kPass, kStop };
  virtual void ListChosen(BucketId bucket, std::string_view prefix, std::string_view after,
                          const std::function<Choice(std::string_view name)>& choose,
                          const std::function<bool(const rpc::VersionRow&)>& visit) const = 0;
  // The trashed versions of a bucket, those that a clear hides among them: by name, of each the greatest number first.
  struct TrashPlace {
    std::string_view name;     // begins behind this name (empty: at the first)
    std::uint64_t number = 0;  // not 0: of the name itself with those that are less than this
  };
  virtual void ListTrash(BucketId bucket, std::string_view prefix, const TrashPlace& after,
                         const std::function<Choice(std::string_view name, std::uint64_t number)>& choose,
                         const std::function<bool(const rpc::VersionRow&)>& visit) const = 0;
  // Versions, current, kept or trashed, with a chunk that has fewer than the bucket's replicas in state OK; `after` in
  // order of TxnId.
  virtual void ListIncomplete(const TxnId& after,
                              const std::function<bool(const rpc::VersionRow&)>& visit) const = 0;
  // All versions, current, kept or trashed, in order of TxnId, behind `after`.
  virtual void ListVersions(const TxnId& after,
                            const std::function<bool(const rpc::VersionRow&)>& visit) const = 0;
  // Trashed versions, oldest first.
  virtual void ListTrashed(const std::function<bool(const rpc::VersionRow&)>& visit) const = 0;
  // Purged chunks that the node has not reported unlinked.
  virtual void ListPurged(NodeId node, const std::function<bool(const ChunkId&)>& visit) const = 0;
  [[nodiscard]] virtual bool IsPurged(NodeId node, const ChunkId& chunk) const = 0;
  // Good copies of the node that the log has replaced by others, and that the node has not reported
  // unlinked. It is in the set of none of them.
  virtual void ListReleased(NodeId node,
                            const std::function<bool(const ChunkId&)>& visit) const = 0;
  [[nodiscard]] virtual bool IsReleased(NodeId node, const ChunkId& chunk) const = 0;
  // Whether a ClearPrefix still has files to trash.
  [[nodiscard]] virtual bool HasPendingClear() const = 0;

  [[nodiscard]] virtual std::vector<rpc::NodeRow> Nodes() const = 0;  // by id, retired ones too
  [[nodiscard]] virtual std::optional<rpc::NodeRow> FindNode(NodeId id) const = 0;
  [[nodiscard]] virtual std::optional<rpc::NodeRow> FindNode(const StorageUuid& uuid) const = 0;
  [[nodiscard]] virtual NodeId next_node_id() const = 0;
  // Members that are ACTIVE (they count in quorums whether alive or not, rule R7).
  [[nodiscard]] virtual std::uint64_t member_count() const = 0;
  // The stored result of a change, if there is one.
  [[nodiscard]] virtual std::optional<rpc::CommandResult> FindResult(const SessionId& session,
                                                                     std::uint64_t sequence) const = 0;
  [[nodiscard]] virtual Totals GetTotals() const = 0;
  [[nodiscard]] virtual StateHash GetStateHash() const = 0;
};

// What a machine makes of the log.
enum class Keeps {
  kEverything,
  // Of a storage-only node: commands are passed over, only the index moves. Who the nodes are and which buckets there are is told
  // it (directory_rows.h); its views know no file, and their applied_index is at most that of what was told.
  kDirectory,
};

// Apply from one thread at a time; View from any thread.
class MetadataMachine {
 public:
  // `store` is empty or holds what an earlier machine that kept the same wrote. It outlives the machine.
  explicit MetadataMachine(KeyValueStore* store, Keeps keeps = Keeps::kEverything);
  ~MetadataMachine();

  // Whether it knows files. Thread-safe.
  [[nodiscard]] bool has_files() const;
  // Of the log. Thread-safe.
  [[nodiscard]] LogIndex applied_index() const;

  // Reads what is cached from the store anew, after a snapshot replaced its content. Nobody applies meanwhile.
  void Reload();

  // Applies the entry behind the last applied one (CHECKed). `term` is the entry's. An empty command (no-op,
  // change of voters) only advances the index. A command that cannot be parsed is a result INVALID, never a crash.
  // Blocks on the store's memory table at most.
  rpc::CommandResult Apply(LogIndex index, Term term, std::string_view command);
  // Several in one batch: for speed. Results in order.
  struct Item {
    LogIndex index;
    Term term;
    std::string_view command;
  };
  std::vector<rpc::CommandResult> ApplyAll(const std::vector<Item>& items);

  [[nodiscard]] std::unique_ptr<MetadataView> View() const;
  // What a storage-only node is told. Thread-safe.
  [[nodiscard]] DirectoryRows Directory() const;
  // Of a storage-only node: behind which entry its directory stands. Thread-safe.
  [[nodiscard]] LogIndex directory_index() const;
  // State hash at the last multiple of 1,000 that was applied by this object, for comparison with peers; index 0:
  // none yet, or it has no files and so no state to compare. Thread-safe.
  [[nodiscard]] StateHash LastCheckpoint() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a writer calls itself: at most 128 bytes of valid UTF-8 without control characters; may be empty.
// kInvalidArgument says what is wrong.
[[nodiscard]] absl::Status CheckWriter(std::string_view writer);

// The rule on names: 1 to 1,024 bytes of valid UTF-8 without control characters; no empty, "." or ".."
// component; no leading or trailing "/". kInvalidArgument says what is wrong.
[[nodiscard]] absl::Status CheckName(std::string_view name);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_METADATA_MACHINE_H_
