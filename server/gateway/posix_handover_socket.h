// The Unix socket at which clients of this machine take over open chunk files.
#ifndef DFS_SERVER_GATEWAY_POSIX_HANDOVER_SOCKET_H_
#define DFS_SERVER_GATEWAY_POSIX_HANDOVER_SOCKET_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "server/gateway/handover_desk.h"

namespace dfs::gateway {

// One packet of tickets is answered by one packet with their files (SCM_RIGHTS), each opened for reading only and not shared with
// this process (an open file of its own); one byte says how many. None, if any ticket is not known, or the client is who it may not be.
class HandoverSocket {
 public:
  struct Options {
    std::string path;
    // Whether processes of this process's own user get files, too. They could make the file writable again, which
    // others cannot.
    bool serves_own_user = false;
    // Clients that are served or wait for it; more are hung up on, and get bytes.
    std::size_t clients_max = 64;
    absl::Duration client_patience = absl::Seconds(1);  // for one that says or takes nothing
  };
  // kUnavailable: the path cannot be bound, or another process listens there; what a dead one left is replaced. `desk` outlives
  // the socket.
  static absl::StatusOr<std::unique_ptr<HandoverSocket>> Listen(const Options& options, HandoverDesk* desk);
  // Removes the path.
  ~HandoverSocket();
  HandoverSocket(const HandoverSocket&) = delete;
  HandoverSocket& operator=(const HandoverSocket&) = delete;

  [[nodiscard]] const std::string& path() const { return options_.path; }

 private:
  static constexpr std::size_t kThreadsMax = 4;

  HandoverSocket(Options options, int listener, HandoverDesk* desk);
  void Accept();
  void Serve(int client);

  const Options options_;
  const int listener_;
  HandoverDesk* const desk_;
  std::atomic<std::size_t> clients_{0};
  ThreadPool threads_{"handover", kThreadsMax};
  ThreadExecutor acceptor_{"handover-accept"};  // last: its thread uses the rest
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_POSIX_HANDOVER_SOCKET_H_
