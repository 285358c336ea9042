// What surrounds the host of gossip buckets, in memory.
#ifndef DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_FAKES_H_
#define DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_FAKES_H_

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/sync.h"
#include "server/chunk/chunk_peers.h"
#include "server/gossip_store/gossip_host.h"
#include "tests/support/memory_chunk_store.h"

namespace dfs::gossip_store {

// On the real clock, so generous: a machine under load. Returns at once when it holds.
inline constexpr absl::Duration kLong = absl::Seconds(60);

[[nodiscard]] inline bool WaitUntil(const std::function<bool()>& condition) {
  const MonotonicTime end = SystemClock().Now() + kLong;
  Event never;
  while (!condition()) {
    if (SystemClock().Now() > end) return false;
    never.WaitFor(absl::Milliseconds(2));
  }
  return true;
}

// Thread-safe. Writes can be held back, and can fail.
class MemoryGossipTable final : public GossipTable {
 public:
  absl::StatusOr<StoredGossip> Load() override {
    MutexLock lock(&mutex_);
    StoredGossip out{state_, {}};
    for (const auto& [key, held] : rows_) out.records.push_back(held);
    return out;
  }
  absl::Status Write(const std::vector<Change>& changes,
                     const std::optional<GossipState>& state) override {
    if (const auto gate = CountWrite()) gate->Wait();
    MutexLock lock(&mutex_);
    if (!failure_.ok()) return failure_;
    for (const Change& change : changes) {
      rows_.erase(change.key);
      if (change.held) rows_.emplace(change.key, *change.held);
    }
    if (state) state_ = *state;
    return absl::OkStatus();
  }
  absl::Status BeginAnew(const BegunAnew& anew) override {
    MutexLock lock(&mutex_);
    rows_.clear();
    for (const HeldRecord& held : anew.kept) rows_.emplace(held.record.key, held);
    state_ = anew.state;
    ++begun_anew_;
    return failure_;
  }

  // The next write, and all behind it, wait until Release.
  void Hold() {
    MutexLock lock(&mutex_);
    gate_ = std::make_shared<Event>();
    waiting_ = 0;
  }
  [[nodiscard]] bool IsHolding() {
    MutexLock lock(&mutex_);
    return waiting_ > 0;
  }
  void Release() {
    MutexLock lock(&mutex_);
    if (gate_ != nullptr) gate_->Set();
    gate_ = nullptr;
  }
  void Fail(absl::Status failure) {
    MutexLock lock(&mutex_);
    failure_ = std::move(failure);
  }
  void Set(StoredGossip stored) {
    MutexLock lock(&mutex_);
    state_ = stored.state;
    rows_.clear();
    for (HeldRecord& held : stored.records) rows_.emplace(held.record.key, std::move(held));
  }
  [[nodiscard]] int writes() {
    MutexLock lock(&mutex_);
    return writes_;
  }
  [[nodiscard]] int begun_anew() {
    MutexLock lock(&mutex_);
    return begun_anew_;
  }
  [[nodiscard]] bool Holds(const Key& key) {
    MutexLock lock(&mutex_);
    return rows_.contains(key);
  }

 private:
  std::shared_ptr<Event> CountWrite() {
    MutexLock lock(&mutex_);
    ++writes_;
    if (gate_ != nullptr) ++waiting_;
    return gate_;
  }

  Mutex mutex_;
  GossipState state_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, HeldRecord> rows_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Event> gate_ ABSL_GUARDED_BY(mutex_);
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
  int begun_anew_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Keeps what is sent. Asked peers answer what was said they hold, or never. Thread-safe.
class KeptMessages final : public GossipTransport {
 public:
  void Send(Message message) override {
    MutexLock lock(&mutex_);
    sent_.push_back(std::move(message));
  }
  void Ask(NodeId peer, const Key& /*key*/, absl::Duration /*timeout*/, HeldCallback done) override {
    std::optional<absl::StatusOr<HeldThere>> answer;
    {
      MutexLock lock(&mutex_);
      const auto found = answers_.find(peer);
      if (found == answers_.end()) {
        silent_.push_back(std::move(done));
        return;
      }
      answer = found->second;
    }
    done(*std::move(answer));
  }
  void Answer(NodeId peer, absl::StatusOr<HeldThere> answer) {
    MutexLock lock(&mutex_);
    answers_.insert_or_assign(peer, std::move(answer));
  }
  [[nodiscard]] std::vector<Message> sent() {
    MutexLock lock(&mutex_);
    return sent_;
  }
  [[nodiscard]] std::vector<Message> Rumoured() {
    std::vector<Message> out = sent();
    std::erase_if(out, [](const Message& message) { return !std::holds_alternative<Rumours>(message.body); });
    return out;
  }

 private:
  Mutex mutex_;
  std::vector<Message> sent_ ABSL_GUARDED_BY(mutex_);
  std::map<NodeId, absl::StatusOr<HeldThere>> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<HeldCallback> silent_ ABSL_GUARDED_BY(mutex_);
};

// Other nodes' chunks, all in one store. Thread-safe.
class MemoryChunkPeers final : public chunk::ChunkPeers {
 public:
  testing::MemoryChunkStore store;

  // From now on reads wait until Release.
  void Hold() {
    MutexLock lock(&mutex_);
    gate_ = std::make_shared<Event>();
  }
  void Release() {
    MutexLock lock(&mutex_);
    if (gate_ != nullptr) gate_->Set();
    gate_ = nullptr;
  }
  [[nodiscard]] int reads() {
    MutexLock lock(&mutex_);
    return reads_;
  }

  absl::StatusOr<std::unique_ptr<chunk::RemoteChunkReader>> Read(
      NodeId /*node*/, const ChunkId& chunk, std::uint64_t /*offset*/, std::uint64_t length,
      absl::Duration /*progress_timeout*/, std::uint64_t /*bytes_per_s_max*/) override {
    std::shared_ptr<Event> gate;
    {
      MutexLock lock(&mutex_);
      ++reads_;
      gate = gate_;
    }
    if (gate != nullptr) gate->Wait();
    auto opened = store.Open(chunk);
    if (!opened.ok()) return absl::UnavailableError("it does not have it");
    std::string bytes(static_cast<std::size_t>(length), '\0');
    if (absl::Status read = (*opened)->Read(0, std::span(bytes)); !read.ok()) return read;
    return std::make_unique<Reader>((*opened)->info().size, (*opened)->table(), std::move(bytes));
  }
  std::unique_ptr<chunk::RemoteChunkWriter> Write(NodeId, const ChunkId&, absl::Duration) override {
    return nullptr;
  }
  void WriteSmall(NodeId, const chunk::ChunkInfo&, Slices, absl::Duration, AckCallback) override {}
  void RelinkAll(NodeId, std::vector<chunk::Relink>, absl::Duration, AckCallback) override {}
  void Confirm(NodeId, LogIndex, rpc::ConfirmItem, absl::Duration, VerdictCallback) override {}
  absl::StatusOr<rpc::ChunkAck> Copy(NodeId, const rpc::CopyChunkRequest&, absl::Duration) override {
    return absl::UnimplementedError("not asked here");
  }
  absl::Status List(NodeId, const std::function<bool(const rpc::SmallChunk&)>&, absl::Duration) override {
    return absl::UnimplementedError("not asked here");
  }

 private:
  class Reader final : public chunk::RemoteChunkReader {
   public:
    Reader(std::uint64_t size, std::vector<std::uint32_t> table, std::string bytes)
        : size_(size), table_(std::move(table)), bytes_(std::move(bytes)) {}
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }
    absl::StatusOr<Piece> Next() override { return Piece{0, Slices::Adopt(std::exchange(bytes_, {}))}; }
    void Cancel() override {}

   private:
    const std::uint64_t size_;
    const std::vector<std::uint32_t> table_;
    std::string bytes_;
  };

  Mutex mutex_;
  std::shared_ptr<Event> gate_ ABSL_GUARDED_BY(mutex_);
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace dfs::gossip_store

#endif  // DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_FAKES_H_
