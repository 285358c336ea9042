// undelete, gc.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

struct UndeleteFlags {
  std::string remote;
  std::optional<std::uint64_t> version;
  bool replaces = false;
  bool is_dry_run = false;
};

absl::Status ThereIsAFile() {
  return ErrorWithReason(absl::StatusCode::kAlreadyExists,
                         "there is a file of this name; --replace puts it into the trash instead",
                         v1::ErrorDetail::PRECONDITION);
}

// What would be taken back: the newest version of the name in the trash, or the one that is meant.
absl::StatusOr<v1::FileInfo> FindInTrash(Session& session, const UndeleteFlags& flags) {
  ListOptions options;
  options.prefix = flags.remote;
  options.trash = true;
  std::optional<v1::FileInfo> found;
  DFS_RETURN_IF_ERROR(session.client().ListWhile(options, [&](const v1::FileInfo& file) {
    if (file.name() != flags.remote) return false;
    if (flags.version && file.version() != *flags.version) return true;
    found = file;
    return false;
  }));
  if (found) return *std::move(found);
  return absl::NotFoundError(flags.version ? "this version is not in the trash (any more)" : "it is not in the trash (any more)");
}

int SimulateUndelete(Session& session, const UndeleteFlags& flags) {
  const auto current = session.client().Stat(flags.remote);
  if (!current.ok() && !absl::IsNotFound(current.status())) return session.Fail(current.status(), flags.remote);
  if (current.ok() && !flags.replaces) return session.Fail(ThereIsAFile(), flags.remote);
  const auto trashed = FindInTrash(session, flags);
  if (!trashed.ok()) return session.Fail(trashed.status(), flags.remote);
  const std::uint64_t replaced = current.ok() ? current->version() : 0;
  Simulation simulation(session);
  simulation.Would("undelete", flags.remote + ": take back version " + std::to_string(trashed->version()) + ", " +
                                   FormatBytes(trashed->size(), session.flags().is_human) + " bytes" +
                                   (replaced == 0 ? "" : ", in place of version " + std::to_string(replaced)),
                   Json{{"name", flags.remote}, {"version", trashed->version()}, {"replaces", replaced}}, trashed->size());
  return simulation.Finish();
}

int RunUndelete(Session& session, const UndeleteFlags& flags) {
  if (flags.is_dry_run) return SimulateUndelete(session, flags);
  absl::StatusOr<v1::FileInfo> file;
  {
    const ChangeInProgress change;
    file = session.client().Undelete(flags.remote, flags.version, flags.replaces);
  }
  if (!file.ok()) {
    const bool exists = ReasonOf(file.status()) == v1::ErrorDetail::PRECONDITION;
    return session.Fail(exists ? ThereIsAFile() : file.status(), flags.remote);
  }
  if (session.is_json()) {
    session.PrintJson(JsonOf(*file));
  } else {
    session.Say("took back " + file->name() + "  " +
                FormatBytes(file->size(), session.flags().is_human) + " bytes  version " +
                std::to_string(file->version()));
  }
  return kExitOk;
}

// ---- gc ----

struct GcFlags {
  std::string node;
  bool only_shows = false;
  bool confirms = false;
  bool is_dry_run = false;
};

int SimulateCollection(Session& session, const GcFlags& flags, const v1::CollectResponse& response) {
  Simulation simulation(session);
  std::size_t silent = 0;
  for (const auto& node : response.nodes()) {
    if (!node.error().empty()) {
      ++silent;
      session.Fail(absl::UnavailableError(node.error()), node.node());
      continue;
    }
    const std::uint64_t withheld = flags.confirms ? node.withheld_bytes() : 0;
    simulation.Would("gc", node.node() + ": of " + std::to_string(node.trash_chunks()) + " chunks, " +
                               FormatBytes(node.trash_bytes(), session.flags().is_human) +
                               " bytes in the trash what no file needs" +
                               (withheld == 0 ? "" : ", and " + FormatBytes(withheld, session.flags().is_human) +
                                                         " bytes that it withholds"),
                     Json{{"node", node.node()}, {"trash_chunks", node.trash_chunks()},
                          {"trash_bytes", node.trash_bytes()}, {"withheld_bytes", node.withheld_bytes()}},
                     node.trash_bytes() + withheld);
  }
  const bool is_silent = silent > 0 && silent == static_cast<std::size_t>(response.nodes_size());
  return simulation.Finish(is_silent ? kExitUnreachable : (silent > 0 ? kExitPartly : kExitOk));
}

int PrintCollection(Session& session, const v1::CollectResponse& response) {
  const bool is_human = session.flags().is_human;
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "STATE", "WITHHELD", "LIMIT", "TRASH CHUNKS", "TRASH BYTES", "REMOVED CHUNKS",
       "REMOVED BYTES", "LAST WHOLE"}};
  int silent = 0;
  for (const auto& node : response.nodes()) {
    if (session.is_json()) session.PrintJson(JsonOf(node));
    if (!node.error().empty()) {
      ++silent;
      rows.push_back({std::to_string(node.node_id()), node.node(), "unreachable"});
      session.Say(node.node() + ": " + node.error());
      continue;
    }
    rows.push_back({std::to_string(node.node_id()), node.node(),
                    node.is_stopped() ? "STOPPED" : "ok",
                    FormatBytes(node.withheld_bytes(), is_human),
                    FormatBytes(node.limit_bytes(), is_human), std::to_string(node.trash_chunks()),
                    FormatBytes(node.trash_bytes(), is_human),
                    std::to_string(node.removed_chunks()),
                    FormatBytes(node.removed_bytes(), is_human),
                    node.finished_us() <= 0
                        ? "never"
                        : FormatTime(static_cast<std::uint64_t>(node.finished_us()))});
    if (node.is_stopped()) {
      session.Say(
          node.node() +
          " found more to delete at once than can be right, and has stopped. If it is (many puts "
          "broke off while the leader changed, say): dfs-cli gc --confirm " +
          node.node());
    }
  }
  if (!session.is_json()) session.Print(FormatTable(rows, "><<>>>>>><"));
  session.Say(std::to_string(response.trashed_files()) + " versions in the trash (dfs-cli undelete)");
  if (silent == 0) return kExitOk;
  return silent == response.nodes_size() ? kExitUnreachable : kExitPartly;
}

int RunGc(Session& session, const GcFlags& flags) {
  v1::CollectRequest request;
  request.set_node(flags.node);
  request.set_start(!flags.only_shows && !flags.is_dry_run);
  request.set_confirm(flags.confirms && !flags.is_dry_run);
  const auto response = session.client().Collect(request);
  if (!response.ok()) return session.Fail(response.status(), flags.node);
  if (flags.is_dry_run) return SimulateCollection(session, flags, *response);
  return PrintCollection(session, *response);
}

}  // namespace

Verb GcVerb() {
  return {"gc",
          {},
          "gc [NODE] [--show] [--confirm]",
          "delete now what no file needs any more; shows what is in the trash of each node",
          {"dfs-cli gc", "dfs-cli gc --show", "dfs-cli gc --confirm n3"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<GcFlags>();
            app.add_option("NODE", flags->node, "name or number; without: every node");
            auto* show = app.add_flag("--show", flags->only_shows, "start nothing, only show");
            app.add_flag("--confirm", flags->confirms,
                         "what a node withholds, because it is so much at once, may go")
                ->excludes(show);
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunGc(session, *flags); };
          }};
}

Verb UndeleteVerb() {
  return {"undelete",
          {},
          "undelete REMOTE",
          "take a removed file back, while it is in the trash (a day, less when space is short)",
          {"dfs-cli undelete report.pdf", "dfs-cli undelete --version=17 report.pdf",
           "dfs-cli undelete --replace --version=17 report.pdf"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<UndeleteFlags>();
            app.add_option("REMOTE", flags->remote, "its name in the cluster")->required();
            app.add_option("--version", flags->version,
                           "this version (default: the newest in the trash)");
            app.add_flag("--replace", flags->replaces,
                         "also if there is a file of this name: that one goes to the trash");
            AddDryRunFlag(app, flags->is_dry_run);
            return [flags](Session& session) { return RunUndelete(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
