// Sinks that pass an answer on to a stream of gRPC.
#ifndef DFS_SERVER_GATEWAY_STREAM_SINKS_H_
#define DFS_SERVER_GATEWAY_STREAM_SINKS_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "absl/time/time.h"
#include "common/progress_guard.h"

namespace dfs::gateway {

// A client that does not read, or write, for so long is left: it would hold a thread for ever.
inline constexpr absl::Duration kStallTimeout = absl::Seconds(30);

// Writes to the client's stream; the call is cancelled when one message waits for kStallTimeout. Used by one thread.
template <class Response>
class StreamSink {
 public:
  // All three outlive it.
  StreamSink(ProgressGuard* guard, grpc::ServerContext* context, grpc::ServerWriter<Response>* writer)
      : watch_(guard, kStallTimeout, [context] { context->TryCancel(); }), writer_(writer) {}

  bool operator()(const Response& response) {
    watch_.Begin();
    const bool is_open = writer_->Write(response);
    watch_.End();
    return is_open;
  }

 private:
  ProgressGuard::Watch watch_;
  grpc::ServerWriter<Response>* const writer_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_STREAM_SINKS_H_
