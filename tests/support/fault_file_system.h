// A disk in memory that forgets: for crash tests of whatever writes through rocksdb::FileSystem.
//
// Models what POSIX promises and no more: bytes of a file are durable after Sync of that file, names in a
// folder after Fsync of that folder. Everything else may be lost, kept in part, or turned into zeros
// by Crash(). Changes of one folder survive in the order in which they were made (as with the
// journals of real file systems): a random prefix of the unsynced ones; a rename is one change.
//
// Use: run the workload once to count operations(); then for each N: StopAt(N), run until the disk
// stops (every further change fails), destroy what used it, Crash(loss, seed), open again, check.
//
// Thread-safe. Files stay readable after the stop.
#ifndef DFS_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_
#define DFS_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "common/sync.h"
#include "tests/support/fault_node.h"

namespace dfs::testing {

class FaultFileSystem : public rocksdb::FileSystem {
 public:
  using Loss = DiskLoss;

  FaultFileSystem();
  ~FaultFileSystem() override;

  // An Env over this object with real threads and clocks. Lives as long as this object.
  [[nodiscard]] rocksdb::Env* env() { return env_.get(); }

  // Operations that change something, since the beginning.
  [[nodiscard]] std::uint64_t operations() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The operation with this number (from 1), and all later ones, fail and do nothing. 0: never.
  void StopAt(std::uint64_t operation) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] bool is_stopped() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next Sync of a file whose path contains `part` fails once, and what it should have made durable is
  // lost at the next crash, also if a later Sync reports success (as Linux does after EIO).
  void FailNextSync(std::string part) ABSL_LOCKS_EXCLUDED(mutex_);

  // The power fails and comes back: applies the loss, forgets locks, lets operations succeed again. Nobody
  // may hold an open file.
  void Crash(Loss loss, std::uint64_t seed) ABSL_LOCKS_EXCLUDED(mutex_);

  // For tests that damage files: paths of all files below `folder`; their bytes; put back, durable.
  [[nodiscard]] std::vector<std::string> Files(const std::string& folder) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::optional<std::string> Read(const std::string& path) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The bytes that are durable now; nullopt if the name is not.
  [[nodiscard]] std::optional<std::string> ReadDurable(const std::string& path) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Replace(const std::string& path, std::string bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  const char* Name() const override { return "FaultFileSystem"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path,
                                       const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* result,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus Truncate(const std::string& path, std::size_t size,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options,
                                std::uint64_t* size, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& path,
                                            const rocksdb::IOOptions& options, std::uint64_t* time,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options,
                             rocksdb::FileLock** lock, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* path,
                                     rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewLogger(const std::string& path, const rocksdb::IOOptions& options,
                              std::shared_ptr<rocksdb::Logger>* result,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& options,
                                    std::string* result, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* bytes, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                bool* is_directory, rocksdb::IODebugContext* debug) override;

 private:
  using Node = FaultNode;
  using NodePtr = FaultNodePtr;
  class OpenFile;
  class SequentialFile;
  class RandomAccessFile;
  class WritableFile;
  class RandomRwFile;
  class Directory;
  friend class OpenFile;

  // Counts one change; an error once the disk has stopped.
  rocksdb::IOStatus CountLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  NodePtr FindLocked(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The folder of a path and the last component. The folder is null if there is none.
  std::pair<NodePtr, std::string> ParentLocked(const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  rocksdb::IOStatus CreateLocked(const std::string& path, bool is_folder, bool keep_existing,
                                 NodePtr* result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  rocksdb::IOStatus RemoveLocked(const std::string& path, bool is_folder)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  rocksdb::IOStatus SyncLocked(const std::string& path, Node& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ListLocked(const std::string& path, const Node& node, std::vector<std::string>& out) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::unique_ptr<rocksdb::Env> env_;
  mutable Mutex mutex_;
  std::uint64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t stop_at_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<std::string> fail_sync_of_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mutex_);
  NodePtr root_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_
