#include <glog/logging.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "client/cli/command_line.h"
#include "client/cli/interrupt.h"

namespace dfs::client::cli {
namespace {

int ReportUsage(const CommandLine& line) {
  if (line.error.empty()) return line.exit_code;
  if (line.flags.is_json) {
    std::printf("%s\n", Line(JsonOfError(absl::InvalidArgumentError(line.error), "")).c_str());
  } else {
    std::fprintf(stderr, "dfs-cli: %s\n", line.error.c_str());
  }
  return line.exit_code;
}

int Main(const std::vector<std::string>& words) {
  HandleInterrupts();
  const CommandLine line = ParseCommandLine(words);
  std::fputs(line.output.c_str(), stdout);
  if (!line.run) return ReportUsage(line);
  auto session = Session::Make(line.flags);
  if (!session.ok()) {
    CommandLine malformed;
    malformed.flags = line.flags;
    malformed.exit_code = kExitUsage;
    malformed.error = std::string(session.status().message());
    return ReportUsage(malformed);
  }
  return (*session)->Finish(line.run(**session));
}

}  // namespace
}  // namespace dfs::client::cli

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  // The distribution's Abseil looks for lock cycles at every lock, gRPC's too: 3 % of a small put.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return dfs::client::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
