// Many small requests to one peer, few calls.
#ifndef DFS_SERVER_CHUNK_GRPC_PEER_BATCHER_H_
#define DFS_SERVER_CHUNK_GRPC_PEER_BATCHER_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <grpcpp/client_context.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "proto/wire_status.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/replica_methods.h"

namespace dfs::chunk {

// One kind of call: what to send for a batch, and what the answer says to each of its items.

struct SmallWriteCall {
  struct Item {
    ChunkInfo info;
    Slices data;
  };
  using Answer = rpc::Ack;
  using Request = WithData<rpc::WriteSmallRequest>;
  using Response = rpc::WriteSmallResponse;
  static constexpr std::size_t kCallsMax = 2;  // one is built and sent while the other waits for the disk
  static constexpr std::size_t kBatchMax = 256;

  static std::size_t BytesOf(const Item& item) { return item.data.size(); }
  static void Add(Item item, Request* request);
  static bool IsComplete(const Response& response, std::size_t items);
  static absl::StatusOr<Answer> AnswerOf(const Response& response, std::size_t at);
  static void Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                    const Request* request, Response* response,
                    std::function<void(grpc::Status)> done);
};

struct ConfirmCall {
  struct Item {
    LogIndex read_index;
    rpc::ConfirmItem item;
  };
  using Answer = rpc::ConfirmResponse::Verdict;
  using Request = rpc::ConfirmRequest;
  using Response = rpc::ConfirmResponse;
  static constexpr std::size_t kCallsMax = 2;
  static constexpr std::size_t kBatchMax = 256;

  static std::size_t BytesOf(const Item& item) { return item.item.name().size(); }
  static void Add(Item item, Request* request);
  static bool IsComplete(const Response& response, std::size_t items);
  static absl::StatusOr<Answer> AnswerOf(const Response& response, std::size_t at);
  static void Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                    const Request* request, Response* response,
                    std::function<void(grpc::Status)> done);
};

// The relinks of one put: all or nothing, so they share no call with those of others.
struct RelinkCall {
  using Item = std::vector<Relink>;
  using Answer = rpc::Ack;
  using Request = rpc::RelinkRequest;
  using Response = rpc::RelinkResponse;
  static constexpr std::size_t kCallsMax = 32;
  static constexpr std::size_t kBatchMax = 1;

  static std::size_t BytesOf(const Item& item) { return item.size() * sizeof(Relink); }
  static void Add(Item item, Request* request);
  static bool IsComplete(const Response& response, std::size_t items);
  static absl::StatusOr<Answer> AnswerOf(const Response& response, std::size_t at);
  static void Start(const ReplicaMethods& methods, grpc::ClientContext* context,
                    const Request* request, Response* response,
                    std::function<void(grpc::Status)> done);
};

// At most Call::kCallsMax calls are under way to a peer; what arrives meanwhile forms the next one. So a lone request
// leaves at once, and under load the batches grow by themselves. Never blocks. Thread-safe.
template <class Call>
class PeerBatcher {
 public:
  using Item = typename Call::Item;
  using Callback = absl::AnyInvocable<void(absl::StatusOr<typename Call::Answer>)>;
  using MethodsOf = std::function<std::shared_ptr<const ReplicaMethods>(NodeId)>;

  static constexpr std::size_t kWaitingMax = 4096;  // items to one peer
  static constexpr std::size_t kWaitingBytes = std::size_t{32} << 20;
  static constexpr std::size_t kBatchBytes = std::size_t{4} << 20;

  // `callbacks` runs the callbacks of what is never sent.
  PeerBatcher(MethodsOf methods_of, Executor* callbacks, const Clock& clock = SystemClock())
      : methods_of_(std::move(methods_of)), callbacks_(callbacks), clock_(clock) {}
  ~PeerBatcher() { Stop(); }

  void Submit(NodeId node, Item item, absl::Duration timeout, Callback done)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    Waiting waiting{std::move(item), clock_.Now() + timeout, std::move(done)};
    bool is_full = false;
    {
      MutexLock lock(&mutex_);
      Lane& lane = lanes_[node];
      const std::size_t bytes = Call::BytesOf(waiting.item);
      is_full = is_stopping_ || lane.queue.size() >= kWaitingMax ||
                lane.bytes + bytes > kWaitingBytes;
      if (!is_full) {
        lane.bytes += bytes;
        lane.queue.push_back(std::move(waiting));
      }
    }
    if (is_full) {
      Refuse(std::move(waiting), absl::ResourceExhaustedError("too much waits for this node"));
    } else {
      Pump(node);
    }
  }

  // Cancels what is under way and waits for it; what waits is cancelled. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::map<NodeId, Lane> lanes;
    {
      MutexLock lock(&mutex_);
      is_stopping_ = true;
      for (auto& [node, lane] : lanes_) lanes[node].queue.swap(lane.queue);
      for (const auto& call : running_) call->context.TryCancel();
      while (!running_.empty()) call_ended_.Wait(&mutex_);
    }
    for (auto& [node, lane] : lanes) {
      for (auto& waiting : lane.queue) waiting.done(absl::CancelledError("this node is stopping"));
    }
  }

 private:
  struct Waiting {
    Item item;
    MonotonicTime deadline;
    Callback done;
  };
  struct Lane {
    std::deque<Waiting> queue;
    std::size_t bytes = 0;  // in the queue
    std::size_t calls = 0;  // under way
  };
  struct Running {
    std::shared_ptr<const ReplicaMethods> methods;
    grpc::ClientContext context;
    typename Call::Request request;
    typename Call::Response response;
    std::vector<Callback> callbacks;
  };

  void Refuse(Waiting waiting, absl::Status status) {
    callbacks_->Post([done = std::move(waiting.done), status = std::move(status)]() mutable {
      done(std::move(status));
    });
  }

  // Sends the next batch, if the peer may have one more.
  void Pump(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MonotonicTime now = clock_.Now();
    std::vector<Waiting> batch;
    std::vector<Waiting> late;
    {
      MutexLock lock(&mutex_);
      Lane& lane = lanes_[node];
      if (is_stopping_ || lane.calls >= Call::kCallsMax) return;
      TakeLocked(lane, now, &batch, &late);
      if (!batch.empty()) ++lane.calls;
    }
    for (auto& waiting : late) {
      Refuse(std::move(waiting), absl::DeadlineExceededError("the node did not answer in time"));
    }
    if (!batch.empty()) Send(node, now, std::move(batch));
  }

  void TakeLocked(Lane& lane, MonotonicTime now, std::vector<Waiting>* batch,
                  std::vector<Waiting>* late) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::size_t batch_bytes = 0;
    while (!lane.queue.empty() && batch->size() < Call::kBatchMax) {
      Waiting& next = lane.queue.front();
      const std::size_t bytes = Call::BytesOf(next.item);
      const bool is_late = next.deadline <= now;
      if (!is_late && batch_bytes + bytes > kBatchBytes) break;
      if (!is_late) batch_bytes += bytes;
      lane.bytes -= bytes;
      (is_late ? late : batch)->push_back(std::move(next));
      lane.queue.pop_front();
    }
  }

  void Send(NodeId node, MonotonicTime now, std::vector<Waiting> batch)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    auto running = std::make_shared<Running>();
    running->methods = methods_of_(node);
    MonotonicTime deadline = now;
    for (auto& waiting : batch) {
      deadline = std::max(deadline, waiting.deadline);
      Call::Add(std::move(waiting.item), &running->request);
      running->callbacks.push_back(std::move(waiting.done));
    }
    running->context.set_deadline(std::chrono::system_clock::now() +
                                  absl::ToChronoMilliseconds(deadline - now));
    bool must_start = running->methods != nullptr;
    {
      MutexLock lock(&mutex_);
      running_.insert(running);
      must_start = must_start && !is_stopping_;
    }
    if (!must_start) {
      callbacks_->Post([this, node, running] {
        End(node, running, absl::UnavailableError("the node's address is not known"));
      });
      return;
    }
    Call::Start(*running->methods, &running->context, &running->request, &running->response,
                [this, node, running](const grpc::Status& status) {
                  End(node, running, FromGrpc(status));
                });
  }

  void End(NodeId node, const std::shared_ptr<Running>& running, absl::Status status)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    if (status.ok() && !Call::IsComplete(running->response, running->callbacks.size())) {
      status = absl::InternalError("the node answered less than it was asked");
    }
    for (std::size_t i = 0; i < running->callbacks.size(); ++i) {
      running->callbacks[i](status.ok() ? Call::AnswerOf(running->response, i)
                                        : absl::StatusOr<typename Call::Answer>(status));
    }
    {
      MutexLock lock(&mutex_);
      --lanes_[node].calls;
    }
    Pump(node);
    MutexLock lock(&mutex_);
    running_.erase(running);
    call_ended_.SignalAll();
  }

  const MethodsOf methods_of_;
  Executor* const callbacks_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar call_ended_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<NodeId, Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Running>> running_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_GRPC_PEER_BATCHER_H_
