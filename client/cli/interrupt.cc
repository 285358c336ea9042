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
enum class Slot : int { kFree, kBeingWritten, kInUse };
char g_paths[kRemovalsMax][kPathBytesMax];
std::atomic<Slot> g_slots[kRemovalsMax];
std::atomic<int> g_changes = 0;
static_assert(std::atomic<Slot>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

template <std::size_t N>
void WriteToStderr(const char (&text)[N]) {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text, N - 1);
}

extern "C" void HandleSignal(int) {
  for (int i = 0; i < kRemovalsMax; ++i) {
    if (g_slots[i].load() == Slot::kInUse) ::unlink(g_paths[i]);
  }
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
  for (int i = 0; i < kRemovalsMax; ++i) {
    Slot expected = Slot::kFree;
    if (!g_slots[i].compare_exchange_strong(expected, Slot::kBeingWritten)) continue;
    std::memcpy(g_paths[i], path.c_str(), path.size() + 1);
    g_slots[i].store(Slot::kInUse);
    slot_ = i;
    return;
  }
}

RemoveOnInterrupt::~RemoveOnInterrupt() {
  if (slot_ >= 0) g_slots[slot_].store(Slot::kFree);
}

ChangeInProgress::ChangeInProgress() { g_changes.fetch_add(1); }

ChangeInProgress::~ChangeInProgress() { g_changes.fetch_sub(1); }

}  // namespace dfs::client::cli
