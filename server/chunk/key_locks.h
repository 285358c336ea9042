// Locks named by keys, held while the disk is waited for.
#ifndef DFS_SERVER_CHUNK_KEY_LOCKS_H_
#define DFS_SERVER_CHUNK_KEY_LOCKS_H_

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/sync.h"

namespace dfs::chunk {

// Whoever locks some keys waits until nobody else holds any of them. All keys of one Lock are taken at once, so
// two callers cannot wait for each other; one who holds keys of this object must not lock more of it.
// Unlike a fixed number of mutexes, batches about different keys never wait for each other: they
// share one sync of the log.
//
// Thread-safe.
template <class Key>
class KeyLocks {
 public:
  class Guard {
   public:
    Guard(KeyLocks* locks, std::vector<Key> keys) : locks_(locks), keys_(std::move(keys)) {}
    ~Guard() {
      if (locks_ != nullptr) locks_->Unlock(keys_);
    }
    Guard(Guard&& other) noexcept
        : locks_(std::exchange(other.locks_, nullptr)), keys_(std::move(other.keys_)) {}
    Guard& operator=(Guard&&) = delete;

   private:
    KeyLocks* locks_;
    std::vector<Key> keys_;
  };

  // Keys may repeat. Blocks.
  [[nodiscard]] Guard Lock(std::vector<Key> keys) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    MutexLock lock(&mutex_);
    while (IsAnyHeldLocked(keys)) released_.Wait(&mutex_);
    held_.insert(keys.begin(), keys.end());
    return Guard(this, std::move(keys));
  }
  [[nodiscard]] Guard Lock(const Key& key) { return Lock(std::vector<Key>{key}); }

 private:
  [[nodiscard]] bool IsAnyHeldLocked(const std::vector<Key>& keys) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const Key& key : keys) {
      if (held_.contains(key)) return true;
    }
    return false;
  }
  void Unlock(const std::vector<Key>& keys) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    for (const Key& key : keys) held_.erase(key);
    released_.SignalAll();
  }

  Mutex mutex_;
  CondVar released_;
  absl::flat_hash_set<Key> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_KEY_LOCKS_H_
