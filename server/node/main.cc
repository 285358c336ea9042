// dfs-server: reads the configuration, runs one node until SIGTERM or SIGINT.
#include <glog/logging.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <iostream>

#include "absl/synchronization/mutex.h"
#include "common/grpc_callback_threads.h"
#include "common/grpc_credentials.h"
#include "common/disk_full.h"
#include "common/posix_disk.h"
#include "common/posix_log.h"
#include "server/node/config.h"
#include "server/node/disk_space.h"
#include "server/node/node.h"
#include "server/node/service_notice.h"

namespace {

// A node joins anew or makes its chunk index anew so often in one process. A disk that asks for more is to be replaced.
constexpr int kAnewMax = 5;

// Every connection and file needs a descriptor; running out makes this gRPC deaf for ever.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = dfs::node::ParseConfig(argc, argv);
  if (parsed.exit_code >= 0) return parsed.exit_code;
  dfs::node::Config config = parsed.config;
  absl::Status checked = dfs::node::CompleteConfig(&config);
  if (checked.ok()) checked = dfs::node::CheckConfig(config);
  if (checked.ok()) checked = dfs::node::LoadTls(&config);
  if (!checked.ok()) {
    std::cerr << "dfs-server: " << checked.message() << "\n";
    return 64;
  }
  if (config.log_verbosity) FLAGS_v = *config.log_verbosity;
  if (config.log_level) FLAGS_minloglevel = *config.log_level;
  dfs::StartLog(argv[0]);
  // The distribution's Abseil looks for lock cycles at every lock, gRPC's too: 3 % of a small put.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  dfs::TakeOverTlsLog(/*is_server=*/true);
  RaiseFileLimit();
  signal(SIGPIPE, SIG_IGN);
  // Blocked here, so in every thread: only sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  dfs::node::NotifyService("STATUS=starts; ready once it takes part in its cluster");

  const dfs::CallbackThreads callback_threads;
  const auto interrupted = [&signals](absl::Duration wait) {
    const timespec time = absl::ToTimespec(wait);
    return sigtimedwait(&signals, nullptr, &time) > 0;
  };
  if (!dfs::node::AwaitSpaceToRun(dfs::PosixDisk(), config.data_dir, interrupted)) return 0;
  for (int anew = 0;; ++anew) {
    auto node = dfs::node::Node::Start(config, interrupted);
    if (!node.ok() && dfs::IsDiskFull(node.status())) {
      LOG(ERROR) << "the disk is full: " << node.status();
      if (interrupted(absl::Seconds(1))) return 0;
      dfs::node::RestartProgram();
    }
    if (!node.ok()) {
      std::cerr << "dfs-server: " << node.status().message() << "\n";
      return node.status().code() == absl::StatusCode::kInvalidArgument ? 64 : 1;
    }
    int received = 0;
    sigwait(&signals, &received);
    LOG(INFO) << "stopping on signal " << received;
    // Said only by a process that ends: after this word systemd kills whatever is still there.
    const bool ends = !(*node)->was_full() && !(*node)->begins_anew();
    dfs::node::NotifyService(ends ? "STOPPING=1\nSTATUS=stops" : "STATUS=begins anew");
    (*node)->Stop();
    if ((*node)->was_full()) dfs::node::RestartProgram();
    if (!(*node)->begins_anew()) return (*node)->has_failed() ? 1 : 0;
    if (anew == kAnewMax) {
      std::cerr << "dfs-server: this disk has failed " << kAnewMax + 1
                << " times since the start: replace it\n";
      return 1;
    }
    config.join = (*node)->KnownAddresses();
    config.bootstrap = false;
    config.recover_as_voter = false;
  }
}
