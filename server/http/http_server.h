// Accepts connections and gives each request a thread.
#ifndef DFS_SERVER_HTTP_HTTP_SERVER_H_
#define DFS_SERVER_HTTP_HTTP_SERVER_H_

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "server/http/http_connection.h"
#include "server/http/http_stream.h"

namespace dfs::http {

// One thread watches the connections that wait for a request, or for the rest of its head; a request is served by a
// thread of a pool, which then waits a moment for the next one of the same connection. So neither idle connections nor
// slow senders of heads hold threads.
//
// Thread-safe, but for Stop: once, from one thread.
class HttpServer {
 public:
  struct Options {
    std::string address;            // host:port; port 0: any
    Handler handler;                // outlives the server
    StreamMaker make_stream;
    const Clock* clock = nullptr;
    // Requests that are served at once, a thread each; others wait.
    std::size_t requests_max = 256;
    // Beyond it the connection that has been idle longest is closed; if none is idle, the new one.
    std::size_t connections_max = 512;
  };
  // How long a thread stays with a connection that has been served, while threads are plenty.
  static constexpr absl::Duration kStay = absl::Milliseconds(200);

  // kUnavailable: the address is in use or not this machine's. kInvalidArgument: it is no address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(Options options);
  ~HttpServer();  // Stop(0)

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::size_t connections() const { return count_; }

  // Accepts no more, closes idle connections, lets running requests end for `grace` at most, then cuts them.
  void Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Connections = std::map<int, std::unique_ptr<HttpConnection>>;

  HttpServer(Options options, int listener, int port);
  // Poller's thread.
  void Watch();
  void Listen(bool is_wanted);
  void Accept();
  void Admit(int descriptor);
  bool MakeRoom();
  void Hand(int descriptor);
  void Consider(std::unique_ptr<HttpConnection> connection);
  void TakeBack();
  void CloseOverdue();
  void Rearm(std::unique_ptr<HttpConnection> connection);
  // A thread of the pool.
  void Serve(std::unique_ptr<HttpConnection> connection);
  void WakeWatcher();

  const Options options_;
  const int listener_;
  const int port_;
  int epoll_ = -1;
  int wake_ = -1;

  std::atomic<std::size_t> count_{0};

  // Poller's thread only.
  Connections waiting_;
  bool is_listening_ = true;
  MonotonicTime next_sweep_;

  mutable Mutex mutex_;
  CondVar none_served_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<HttpConnection*> served_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<HttpConnection>> returned_ ABSL_GUARDED_BY(mutex_);

  ThreadPool pool_;
  ThreadExecutor poller_;
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HTTP_SERVER_H_
