// Keeps the threads of gRPC's callback API for as long as a process needs them.
#ifndef DFS_COMMON_CALLBACK_THREADS_H_
#define DFS_COMMON_CALLBACK_THREADS_H_

#include <grpcpp/channel.h>

#include <memory>

namespace dfs {

// In gRPC 1.51 all channels of a process that were used with the callback API share one queue with
// threads of its own, and the last of these channels ends it: on one of those threads, whose
// callback may own a channel, it joins itself and frees the queue twice. A process that makes such
// calls has one of these, made before and destroyed after all of them, on a thread of its own.
class CallbackThreads {
 public:
  CallbackThreads();  // blocks for some milliseconds
  CallbackThreads(const CallbackThreads&) = delete;
  CallbackThreads& operator=(const CallbackThreads&) = delete;

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace dfs

#endif  // DFS_COMMON_CALLBACK_THREADS_H_
