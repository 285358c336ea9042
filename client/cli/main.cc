#include <glog/logging.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/cli/command_line.h"
#include "client/cli/interrupt.h"
#include "common/grpc_credentials.h"

namespace dfs::client::cli {
namespace {

int Report(const absl::Status& error, bool is_json) {
  if (is_json) {
    std::printf("%s\n", Line(JsonOfError(error, "")).c_str());
  } else {
    std::fprintf(stderr, "dfs-cli: %s\n", std::string(error.message()).c_str());
  }
  return ExitCodeOf(error);
}

int Main(const std::vector<std::string>& words) {
  HandleInterrupts();
  const CommandLine line = ParseCommandLine(words);
  std::fputs(line.output.c_str(), stdout);
  if (!line.run && line.error.empty()) return line.exit_code;
  if (!line.run) return Report(absl::InvalidArgumentError(line.error), line.flags.is_json);
  auto session = Session::Make(line.flags);
  if (!session.ok()) return Report(session.status(), line.flags.is_json);
  return (*session)->Finish(line.run(**session));
}

}  // namespace
}  // namespace dfs::client::cli

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  dfs::TakeOverTlsLog(/*is_server=*/false);
  // The distribution's Abseil looks for lock cycles at every lock, gRPC's too: 3 % of a small put.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return dfs::client::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
