// What ^C does: removes the partial files, says whether a change may have happened, ends with 130.
#ifndef DFS_CLIENT_CLI_INTERRUPT_H_
#define DFS_CLIENT_CLI_INTERRUPT_H_

#include <string>

namespace dfs::client::cli {

// Installs the handlers of SIGINT and SIGTERM. Call once, first.
void HandleInterrupts();

// While it lives, an interrupt removes `path` (at most 4,095 bytes; empty: nothing). Up to kRemovalsMax live at a time; the others
// do nothing. Thread-safe.
inline constexpr int kRemovalsMax = 64;
class RemoveOnInterrupt {
 public:
  explicit RemoveOnInterrupt(const std::string& path);
  ~RemoveOnInterrupt();
  RemoveOnInterrupt(const RemoveOnInterrupt&) = delete;
  RemoveOnInterrupt& operator=(const RemoveOnInterrupt&) = delete;

 private:
  int slot_ = -1;  // none
};

// While it lives, an interrupt says that the outcome is unknown.
class ChangeInProgress {
 public:
  ChangeInProgress();
  ~ChangeInProgress();
  ChangeInProgress(const ChangeInProgress&) = delete;
  ChangeInProgress& operator=(const ChangeInProgress&) = delete;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_INTERRUPT_H_
