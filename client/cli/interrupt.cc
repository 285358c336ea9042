#include "client/cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "client/cli/exit_code.h"

namespace dfs::client::cli {
namespace {

// Only what a signal handler may touch.
constexpr std::size_t kPathBytesMax = 4096;
char g_partial_path[kPathBytesMax];
std::atomic<bool> g_has_partial = false;
std::atomic<int> g_changes = 0;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

template <std::size_t N>
void WriteToStderr(const char (&text)[N]) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text, N - 1);
}

extern "C" void HandleSignal(int) {
  if (g_has_partial.load()) ::unlink(g_partial_path);
  if (g_changes.load() > 0) {
    WriteToStderr("\ndfs-cli: interrupted; the change may or may not have happened\n");
  } else {
    WriteToStderr("\ndfs-cli: interrupted\n");
  }
  ::_exit(kExitInterrupted);
}

}  // namespace

void HandleInterrupts() {
  struct sigaction action {};
  action.sa_handler = HandleSignal;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A reader that goes away (`… | head`) is a failed write, not the end of us.
  ::signal(SIGPIPE, SIG_IGN);
}

RemoveOnInterrupt::RemoveOnInterrupt(const std::string& path) {
  if (path.empty() || path.size() >= kPathBytesMax) return;
  std::memcpy(g_partial_path, path.c_str(), path.size() + 1);
  g_has_partial.store(true);
}

RemoveOnInterrupt::~RemoveOnInterrupt() { g_has_partial.store(false); }

ChangeInProgress::ChangeInProgress() { g_changes.fetch_add(1); }

ChangeInProgress::~ChangeInProgress() { g_changes.fetch_sub(1); }

}  // namespace dfs::client::cli
