// A client's connection between and during its requests.
#ifndef DFS_SERVER_HTTP_HTTP_CONNECTION_H_
#define DFS_SERVER_HTTP_HTTP_CONNECTION_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "server/http/exchange.h"
#include "server/http/http_stream.h"

namespace dfs::http {

// Answers one request. Blocks. Runs on many threads at once.
using Handler = std::function<void(Exchange&)>;

// Used by one thread at a time, but for ShutDown.
class HttpConnection {
 public:
  // A head must be whole so long after its first byte (of a new connection: after it was accepted).
  static constexpr absl::Duration kHeadTimeout = absl::Seconds(10);
  // A connection without a request is closed.
  static constexpr absl::Duration kIdleTimeout = absl::Seconds(60);

  // `count` is one more while the connection lives.
  HttpConnection(std::unique_ptr<HttpStream> stream, const Clock* clock,
                 std::atomic<std::size_t>* count);
  ~HttpConnection() { --*count_; }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  enum class Next {
    kRequest,  // a head is there, or something that is none: Serve
    kWait,     // for more bytes
    kClose,    // the client is gone
  };
  // Takes what has come; never blocks.
  Next Take();
  // Answers the request; what is malformed itself, without `handler`. Returns whether the connection goes on.
  bool Serve(const Handler& handler);
  // A last word to a connection that is one too many. Never blocks long.
  void Refuse();

  // When it is to be closed if nothing comes.
  [[nodiscard]] MonotonicTime deadline() const { return deadline_; }
  // It waits between two requests, not within one.
  [[nodiscard]] bool is_idle() const { return unread_.empty(); }
  [[nodiscard]] int descriptor() const { return stream_->descriptor(); }
  // Blocks for at most `timeout` until something can be read.
  [[nodiscard]] bool AwaitRequest(absl::Duration timeout);
  // From any thread.
  void ShutDown() { stream_->ShutDown(); }

 private:
  Next Examine();
  bool ServeRefusal();

  const std::unique_ptr<HttpStream> stream_;
  const Clock* const clock_;
  std::atomic<std::size_t>* const count_;
  std::string unread_;        // bytes that belong to no request yet
  std::size_t head_bytes_ = 0;  // of the next request; 0: not whole yet
  std::optional<Response> refusal_;
  MonotonicTime deadline_;
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HTTP_CONNECTION_H_
