// A TCP proxy on loopback that is unkind to whoever talks through it.
#ifndef DFS_TESTS_SUPPORT_BYTE_PROXY_H_
#define DFS_TESTS_SUPPORT_BYTE_PROXY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs::testing {

// Passes bytes on in both directions, `piece_bytes` in each write at most. Thread-safe.
class ByteProxy {
 public:
  // `target`: "127.0.0.1:port". `gathers`: what comes is held back until nothing more has come for a moment, and then goes
  // on at once, so that messages lie in one piece with the ends and beginnings of others.
  ByteProxy(const std::string& target, std::size_t piece_bytes, bool gathers = false);
  ~ByteProxy();
  ByteProxy(const ByteProxy&) = delete;
  ByteProxy& operator=(const ByteProxy&) = delete;

  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  // From now on bytes are taken and thrown away, in both directions; connections are accepted and stay
  // open: a network that drops packets, as seen by who waits for an answer.
  void BecomeBlackHole() { is_black_hole_ = true; }
  // A connection is held up when it has brought so many bytes from the client: what comes then is thrown away, until the client
  // hangs up, which the server is told. Before the first connection.
  void HoldAfter(std::uint64_t bytes) { hold_after_ = bytes; }
  [[nodiscard]] bool has_held() const { return has_held_; }

 private:
  static constexpr std::size_t kConnectionsMax = 32;

  void Accept() ABSL_LOCKS_EXCLUDED(mutex_);
  void Pump(int from, int to, std::uint64_t hold_after);
  // More of what comes, behind `size` bytes that have come; the new size.
  [[nodiscard]] static std::size_t Gather(int from, char* buffer, std::size_t size, std::size_t size_max);
  // Remembers a socket, so that the destructor can end who waits for it. False if it is too late.
  bool Keep(int fd) ABSL_LOCKS_EXCLUDED(mutex_);

  const int target_port_;
  const std::size_t piece_bytes_;
  const bool gathers_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> is_black_hole_ = false;
  std::atomic<std::uint64_t> hold_after_ = UINT64_MAX;
  std::atomic<bool> has_held_ = false;
  Mutex mutex_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);
  ThreadPool threads_;  // last: its threads use the rest
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_BYTE_PROXY_H_
