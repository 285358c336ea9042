// scrub.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/progress_line.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/clock.h"
#include "common/sync.h"

namespace dfs::client::cli {
namespace {

constexpr absl::Duration kPollEvery = absl::Milliseconds(500);

struct ScrubFlags {
  std::string node;
  bool only_shows = false;
  bool waits = false;
  bool is_dry_run = false;
};

std::string TextOfTime(std::int64_t micros) {
  return micros <= 0 ? "never" : FormatTime(static_cast<std::uint64_t>(micros));
}

int Print(Session& session, const v1::ScrubResponse& response) {
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "STATE", "CHUNKS", "BYTES", "OF",
                                                 "RATE", "BAD", "CORRUPT", "QUARANTINED", "STARTED",
                                                 "LAST WHOLE"}};
  const bool is_human = session.flags().is_human;
  int silent = 0;
  for (const auto& node : response.nodes()) {
    if (session.is_json()) session.PrintJson(JsonOf(node));
    if (!node.error().empty()) {
      ++silent;
      rows.push_back({std::to_string(node.node_id()), node.node(), "unreachable", "", "", "", "",
                      "", "", "", "", ""});
      session.Say(node.node() + ": " + node.error());
      continue;
    }
    rows.push_back({std::to_string(node.node_id()), node.node(),
                    node.is_running() ? "running" : "idle", std::to_string(node.chunks()),
                    FormatBytes(node.bytes(), is_human), FormatBytes(node.stored_bytes(), is_human),
                    FormatBytes(node.rate(), is_human) + "/s", std::to_string(node.bad()),
                    std::to_string(node.corrupt_chunks()),
                    std::to_string(node.quarantined_objects()), TextOfTime(node.started_us()),
                    TextOfTime(node.finished_us())});
  }
  if (!session.is_json()) session.Print(FormatTable(rows, "><<>>>>>>><<"));
  if (silent == 0) return kExitOk;
  return silent == response.nodes_size() ? kExitUnreachable : kExitPartly;
}

// Until every pass has ended and what is known to be bad is healed. What does not change for --timeout ends it.
int Wait(Session& session, const std::string& node) {
  absl::Duration timeout = absl::Seconds(30);
  (void)absl::ParseDuration(session.flags().timeout, &timeout);
  ProgressLine line(session, "scrub");
  MonotonicTime moved = SystemClock().Now();
  std::vector<std::uint64_t> seen;
  while (true) {
    const auto now = session.client().Scrub(node, /*starts=*/false);
    if (!now.ok()) return session.Fail(now.status());
    std::uint64_t bytes = 0;
    std::uint64_t total = 0;
    bool is_over = true;
    std::vector<std::uint64_t> counts;
    for (const auto& status : now->nodes()) {
      bytes += status.bytes();
      total += std::max(status.bytes(), status.stored_bytes());
      counts.insert(counts.end(), {status.bytes(), status.chunks(), status.corrupt_chunks()});
      if (status.error().empty() && (status.is_running() || status.corrupt_chunks() > 0)) {
        is_over = false;
      }
    }
    line.Update(bytes, total);
    if (is_over) return Print(session, *now);
    if (counts != seen) moved = SystemClock().Now();
    seen = std::move(counts);
    if (SystemClock().Now() - moved > timeout) {
      (void)Print(session, *now);
      return session.Fail(absl::ResourceExhaustedError(
          "no progress for " + absl::FormatDuration(timeout) + "; scrubbing goes on by itself"));
    }
    Event never;
    never.WaitFor(kPollEvery);
  }
}

int Simulate(Session& session, const v1::ScrubResponse& response) {
  Simulation simulation(session);
  for (const auto& node : response.nodes()) {
    if (!node.error().empty()) continue;
    simulation.Would("scrub", node.node() + ": read and check " +
                                  FormatBytes(node.stored_bytes(), session.flags().is_human) + " bytes",
                     Json{{"node", node.node()}, {"bytes", node.stored_bytes()}}, node.stored_bytes());
  }
  return simulation.Finish();
}

int RunScrub(Session& session, const ScrubFlags& flags) {
  const auto response = session.client().Scrub(flags.node, !flags.only_shows && !flags.is_dry_run);
  if (!response.ok()) return session.Fail(response.status(), flags.node);
  if (flags.is_dry_run) return Simulate(session, *response);
  return flags.waits ? Wait(session, flags.node) : Print(session, *response);
}

}  // namespace

Verb ScrubVerb() {
  return {"scrub",
          {},
          "scrub [NODE] [--show] [--wait]",
          "read and check all that is stored, on one node or on all, from now; shows how far it is",
          {"dfs-cli scrub", "dfs-cli scrub n2 --wait", "dfs-cli --json scrub --show"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<ScrubFlags>();
            app.add_option("NODE", flags->node, "name or number; without: every node");
            app.add_flag("--show", flags->only_shows, "start nothing, only show");
            app.add_flag("--wait", flags->waits, "until all is checked and what was bad is healed");
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunScrub(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
