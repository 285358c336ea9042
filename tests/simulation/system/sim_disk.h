// One machine's disk in memory: what survives a crash of its process and what a power cut takes.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_DISK_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_DISK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/disk.h"
#include "server/consensus/raft_core.h"
#include "server/replicated_log/log_store.h"
#include "tests/simulation/system/fiber_scheduler.h"

namespace dfs::simulation {

// Rows of a database with one write-ahead log: a crash keeps all that was synced and any prefix of the rest.
class SimRows {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;
  using Batch = std::vector<std::pair<std::string, std::optional<std::string>>>;

  void Write(const Batch& batch);
  void Sync();
  void Replace(Rows rows);  // synced
  void Crash(Random& random);
  // What is at rest changes by itself.
  void Rot(const std::string& key, const std::string& value);
  [[nodiscard]] const Rows& durable() const { return durable_; }
  [[nodiscard]] const Rows& rows() const { return rows_; }

 private:
  static void Apply(const Batch& batch, Rows& rows);
  Rows rows_;
  Rows durable_;
  std::deque<Batch> unsynced_;
};

// What a data directory holds. Used by one process at a time; not thread-safe (one OS thread runs all).
class SimDisk {
 public:
  SimDisk(FiberScheduler* scheduler, std::string path);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;
  // The disk with this path, or null. For twins that are opened by path.
  static SimDisk* Find(const std::string& path);

  // The process is gone; with `power_cut`, what was not synced too, as chance wills.
  void Crash(bool power_cut);

  // ---- costs and faults ----
  // Blocks the calling fiber as a sync of this disk takes. kDataLoss: it failed, as `fail_next_sync` told.
  [[nodiscard]] absl::Status SpendSync();
  void StallUntil(std::int64_t true_ns) { stalled_until_ns_ = true_ns; }
  void SlowUntil(std::int64_t true_ns) { slow_until_ns_ = true_ns; }  // syncs take up to 400 ms
  void FailNextSync() { fails_next_sync_ = true; }
  void ClearSyncFault() { fails_next_sync_ = false; }
  // The space that is left is shown as, and writes beyond it fail with kResourceExhausted.
  void SetFull(bool is_full) { is_full_ = is_full; }
  [[nodiscard]] bool is_full() const { return is_full_; }

  // ---- the log's database ----
  replicated_log::Identity identity;  // synced at once
  consensus::InitialState log;        // durable
  SimRows state;
  replicated_log::WitnessMarks marks;  // durable

  // Spoils the bytes of up to `objects_max` stored chunks: a flipped bit, a lost write (zeros), or a write of another
  // chunk that went astray. Returns how many.
  int Rot(int objects_max);
  // Since it was wiped.
  [[nodiscard]] bool has_ever_rotted() const { return has_ever_rotted_; }
  // Whether any of that is still there.
  [[nodiscard]] bool HasRot();

  // An empty disk, with another storage uuid.
  void Wipe();
  // What a power cut now would leave, and the way back to it.
  struct Image;
  // Whether the disk holds more of the log, or has seen more starts.
  [[nodiscard]] bool IsAheadOf(const Image& image) const;
  [[nodiscard]] std::shared_ptr<const Image> TakeImage() const;
  void PutBack(const Image& image);
  // The same for the chunks alone; the log stays. True: some that are here now are gone then.
  [[nodiscard]] bool LacksChunks(const Image& image) const;
  void PutBackChunks(const Image& image);

  // ---- the chunk index and files ----
  SimRows index;
  struct File {
    std::string bytes;
    std::size_t synced = 0;   // of `bytes`
    bool is_named = false;    // its folder was synced since it was created
    bool is_unlinked = false; // but the folder not synced since
  };
  std::map<std::string, std::shared_ptr<File>> files;
  std::map<std::string, bool> folders;
  [[nodiscard]] FiberScheduler* scheduler() const { return scheduler_; }

 private:
  FiberScheduler* const scheduler_;
  const std::string path_;
  std::int64_t stalled_until_ns_ = 0;
  std::int64_t slow_until_ns_ = 0;
  // What a spoiled file or row holds.
  struct RottenBytes {
    bool is_file = false;
    std::string key;
    std::string bytes;
  };
  [[nodiscard]] const std::string* BytesAt(bool is_file, const std::string& key) const;
  std::vector<RottenBytes> rotten_;
  bool has_ever_rotted_ = false;
  bool fails_next_sync_ = false;
  bool is_full_ = false;
};

// The log store over a SimDisk. Each start makes one; it raises the boot epoch.
class SimLogStore final : public replicated_log::LogStore {
 public:
  explicit SimLogStore(SimDisk* disk);
  ~SimLogStore() override;

  [[nodiscard]] const replicated_log::Identity& identity() const override { return disk_->identity; }
  [[nodiscard]] absl::Status SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) override;
  [[nodiscard]] absl::StatusOr<consensus::InitialState> Load() override;
  [[nodiscard]] absl::Status Append(const std::optional<consensus::HardState>& hard_state,
                                    const std::vector<consensus::Entry>& entries) override;
  [[nodiscard]] absl::Status Cut(LogIndex index, Term term,
                                 const consensus::Configuration& configuration) override;
  [[nodiscard]] replicated_log::WitnessMarks LoadMarks() override { return disk_->marks; }
  void KeepMarks(const replicated_log::WitnessMarks& marks) override { kept_marks_ = marks; }
  [[nodiscard]] absl::Status FlushMarks() override;
  [[nodiscard]] absl::Status SyncState() override;
  [[nodiscard]] metadata::KeyValueStore* state() override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::SnapshotFiles>> WriteSnapshot(
      const metadata::RowReader& rows) override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::SnapshotSink>> NewSnapshotSink()
      override;
  [[nodiscard]] absl::StatusOr<std::unique_ptr<replicated_log::PreparedState>> PrepareState(
      std::unique_ptr<replicated_log::SnapshotSink> sink,
      const replicated_log::SnapshotContent& content, const StateCheck& check) override;
  [[nodiscard]] absl::Status InstallState(
      std::unique_ptr<replicated_log::PreparedState> prepared,
      const replicated_log::SnapshotDescription& description, bool keep_tail) override;

 private:
  class Rows;
  [[nodiscard]] absl::Status Sync();

  SimDisk* const disk_;
  const std::unique_ptr<Rows> rows_;
  absl::Status poison_;
  std::optional<replicated_log::WitnessMarks> kept_marks_;  // durable with the next batch
};

// Files of a SimDisk for the chunk store.
std::unique_ptr<Disk> MakeDiskOf(SimDisk* disk);

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_DISK_H_
