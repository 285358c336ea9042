// --dry-run: what a verb would do, told instead of done.
#ifndef DFS_CLIENT_CLI_SIMULATION_H_
#define DFS_CLIENT_CLI_SIMULATION_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "client/cli/session.h"

namespace dfs::client::cli {

// -n,--dry-run
void AddDryRunFlag(CLI::App& app, bool& is_dry_run);

// Every line says that it is a simulation, so that none of them is taken for the thing itself; -q does not silence them: they are
// what was asked for. Not thread-safe.
class Simulation {
 public:
  explicit Simulation(Session& session) : session_(session) {}

  // "SIMULATION: would <action> <text>"; with --json `fields` behind "status", "dry_run" and "action". `bytes` are added up.
  void Would(const std::string& action, const std::string& text, const Json& fields, std::uint64_t bytes = 0);
  // Says the sum and that nothing was changed. `code`, for the caller to return.
  int Finish(int code = kExitOk);

 private:
  Session& session_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_SIMULATION_H_
