#include "server/coordinator/replica_writer.h"

#include "common/status_macros.h"

namespace dfs::coordinator {
namespace {

class LocalSink final : public ReplicaSink {
 public:
  LocalSink(chunk::ChunkStore* store, const ChunkId& chunk, std::function<rpc::Ack()> own_ack)
      : store_(store), chunk_(chunk), own_ack_(std::move(own_ack)) {}

  absl::Status Write(const Slices& data, std::uint32_t crc) override {
    DFS_RETURN_IF_ERROR(Open());
    return writer_->AppendChecked(data.Views(), crc);
  }

  absl::StatusOr<rpc::Ack> Finish(std::uint64_t size, Hash128 hash) override {
    DFS_RETURN_IF_ERROR(Open());
    const auto stored = writer_->Commit(chunk::ChunkInfo{chunk_, size, hash});
    if (!stored.ok()) return stored.status();
    return own_ack_();
  }

  void Cancel() override {}  // what is not committed is dropped with the writer

 private:
  absl::Status Open() {
    if (writer_ != nullptr) return absl::OkStatus();
    DFS_ASSIGN_OR_RETURN(writer_, store_->Create(chunk_, 0));
    return absl::OkStatus();
  }

  chunk::ChunkStore* const store_;
  const ChunkId chunk_;
  const std::function<rpc::Ack()> own_ack_;
  std::unique_ptr<chunk::ChunkWriter> writer_;
};

class RemoteSink final : public ReplicaSink {
 public:
  RemoteSink(chunk::ChunkPeers* peers, NodeId node, const ChunkId& chunk, absl::Duration timeout)
      : peers_(peers), node_(node), chunk_(chunk), timeout_(timeout) {}

  absl::Status Write(const Slices& data, std::uint32_t crc) override {
    DFS_RETURN_IF_ERROR(Open());
    return writer_->Write(data, crc);
  }

  absl::StatusOr<rpc::Ack> Finish(std::uint64_t size, Hash128 hash) override {
    DFS_RETURN_IF_ERROR(Open());
    auto ack = writer_->Finish(size, hash);
    if (!ack.ok()) return ack.status();
    if (ack->size() != size || HashFromWire(ack->hash()) != hash) {
      return absl::DataLossError("the replica acknowledged other bytes than were sent");
    }
    return ack->ack();
  }

  void Cancel() override {
    MutexLock lock(&mutex_);
    is_cancelled_ = true;
    if (writer_ != nullptr) writer_->Cancel();
  }

 private:
  absl::Status Open() {
    MutexLock lock(&mutex_);
    if (is_cancelled_) return absl::CancelledError("cancelled");
    if (writer_ == nullptr) writer_ = peers_->Write(node_, chunk_, timeout_);
    return absl::OkStatus();
  }

  chunk::ChunkPeers* const peers_;
  const NodeId node_;
  const ChunkId chunk_;
  const absl::Duration timeout_;
  Mutex mutex_;
  bool is_cancelled_ = false;
  // Set once, by the writing thread under the mutex; so that thread reads it without.
  std::unique_ptr<chunk::RemoteChunkWriter> writer_;
};

}  // namespace

std::unique_ptr<ReplicaSink> MakeLocalSink(chunk::ChunkStore* store, const ChunkId& chunk,
                                           std::function<rpc::Ack()> own_ack) {
  return std::make_unique<LocalSink>(store, chunk, std::move(own_ack));
}

std::unique_ptr<ReplicaSink> MakeRemoteSink(chunk::ChunkPeers* peers, NodeId node,
                                            const ChunkId& chunk,
                                            absl::Duration progress_timeout) {
  return std::make_unique<RemoteSink>(peers, node, chunk, progress_timeout);
}

ReplicaWriter::ReplicaWriter(std::unique_ptr<ReplicaSink> sink, ThreadPool* pool,
                             QueuedBytes queued, std::function<void()> progressed, Done done)
    : sink_(std::move(sink)),
      pool_(pool),
      queued_(std::move(queued)),
      progressed_(std::move(progressed)),
      done_(std::move(done)) {}

// Not ended if the pool was stopped first.
ReplicaWriter::~ReplicaWriter() { *queued_ -= backlog_bytes_; }

void ReplicaWriter::Subtract(std::size_t bytes) {
  backlog_bytes_ -= bytes;
  *queued_ -= bytes;
}

void ReplicaWriter::Enqueue(Slices data, std::uint32_t crc) {
  MutexLock lock(&mutex_);
  if (is_done_ || is_cancelled_) return;
  backlog_bytes_ += data.size();
  *queued_ += data.size();
  queue_.push_back({std::move(data), crc});
  StartLocked();
}

void ReplicaWriter::Seal(std::uint64_t size, Hash128 hash) {
  MutexLock lock(&mutex_);
  seal_ = {size, hash};
  StartLocked();
}

void ReplicaWriter::Cancel() {
  {
    MutexLock lock(&mutex_);
    if (is_done_ || is_cancelled_) return;
    is_cancelled_ = true;
    StartLocked();
  }
  sink_->Cancel();
}

void ReplicaWriter::StartLocked() {
  if (is_running_ || is_done_) return;
  is_running_ = true;
  pool_->Post([self = shared_from_this()] { self->Pump(); });
}

void ReplicaWriter::Pump() {
  while (true) {
    Piece piece;
    std::optional<std::pair<std::uint64_t, Hash128>> seal;
    bool is_cancelled = false;
    {
      MutexLock lock(&mutex_);
      is_cancelled = is_cancelled_;
      if (!is_cancelled && !queue_.empty()) {
        piece = std::move(queue_.front());
        queue_.pop_front();
      } else if (!is_cancelled && seal_) {
        seal = seal_;
      } else if (!is_cancelled) {
        is_running_ = false;
        return;
      }
    }
    if (is_cancelled) return End(absl::CancelledError("cut off"));
    if (seal) return End(sink_->Finish(seal->first, seal->second));
    const std::size_t bytes = piece.data.size();
    const absl::Status written = sink_->Write(piece.data, piece.crc);
    if (!written.ok()) return End(written);
    Subtract(bytes);
    progressed_();
  }
}

void ReplicaWriter::End(absl::StatusOr<rpc::Ack> result) {
  Done done;
  std::deque<Piece> dropped;
  {
    MutexLock lock(&mutex_);
    is_done_ = true;
    done = std::move(done_);
    dropped.swap(queue_);
    Subtract(backlog_bytes_);
  }
  done(std::move(result));
}

}  // namespace dfs::coordinator
