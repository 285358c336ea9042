#include "client/cli/simulation.h"

#include "client/cli/text.h"

namespace dfs::client::cli {

void AddDryRunFlag(CLI::App& app, bool& is_dry_run) {
  app.add_flag("-n,--dry-run", is_dry_run, "a simulation: say what would be done and how many bytes, and change nothing");
}

void Simulation::Would(const std::string& action, const std::string& text, const Json& fields, std::uint64_t bytes) {
  ++count_;
  bytes_ += bytes;
  if (session_.is_json()) {
    Json json = {{"status", "success"}, {"dry_run", true}, {"action", action}};
    json.update(fields);
    session_.PrintJson(json);
  } else {
    session_.Print("SIMULATION: would " + action + " " + text + "\n");
  }
}

int Simulation::Finish(int code) {
  session_.Say("SIMULATION: " + std::to_string(count_) + (count_ == 1 ? " change, " : " changes, ") +
               FormatBytes(bytes_, session_.flags().is_human) + " bytes; nothing was changed (--dry-run)");
  return code;
}

}  // namespace dfs::client::cli
