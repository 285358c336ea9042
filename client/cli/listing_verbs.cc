// locate, ls, lshere, stat.
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/remote_selection.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

constexpr std::size_t kTableRowsMax = 1000;  // printed at once, with columns aligned among them

// Prints rows in blocks, so that long lists are neither kept nor waited for.
class Table {
 public:
  Table(Session& session, std::string alignment)
      : session_(session), alignment_(std::move(alignment)) {}
  ~Table() { Flush(); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  void Add(std::vector<std::string> row) {
    rows_.push_back(std::move(row));
    if (rows_.size() >= kTableRowsMax) Flush();
  }
  void Flush() {
    if (!rows_.empty()) session_.Print(FormatTable(rows_, alignment_));
    rows_.clear();
  }

 private:
  Session& session_;
  const std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

struct LsFlags {
  std::string prefix;
  SelectionFlags selection;
  ListOptions list;
  bool is_long = false;
  std::string consistency = "strong";
};

// Which of the names that the cluster lists are meant.
class LsFilter {
 public:
  // Sets what `list` asks for.
  static absl::StatusOr<LsFilter> Make(const LsFlags& flags, ListOptions& list) {
    LsFilter out;
    DFS_ASSIGN_OR_RETURN(out.filter_, NameFilter::Make(flags.selection.includes, flags.selection.excludes));
    const bool is_recursive = flags.selection.is_recursive;
    out.takes_all_ = flags.selection.includes.empty() && flags.selection.excludes.empty();
    list.prefix = flags.prefix;
    while (is_recursive && list.prefix.ends_with('/')) list.prefix.pop_back();
    if (!flags.selection.is_literal && HasPattern(flags.prefix)) {
      DFS_ASSIGN_OR_RETURN(list.pattern, PatternOf(flags.prefix, flags.selection));
      list.prefix.clear();
      list.pattern_above = is_recursive;
      DFS_ASSIGN_OR_RETURN(const NamePattern pattern, NamePattern::Parse(list.pattern));
      out.folder_bytes_ = pattern.folder().size();
      return out;
    }
    list.prefix = PlainNameOf(list.prefix, flags.selection);
    if (is_recursive && !list.prefix.empty()) {
      list.prefix += '/';
      out.folder_bytes_ = list.prefix.size();
    }
    return out;
  }
  // Whatever the cluster lists.
  [[nodiscard]] bool takes_all() const { return takes_all_; }
  [[nodiscard]] bool Takes(const std::string& name) const {
    return takes_all_ || (name.size() >= folder_bytes_ && filter_.Takes(name.substr(folder_bytes_)));
  }

 private:
  NameFilter filter_;
  std::size_t folder_bytes_ = 0;
  bool takes_all_ = true;
};

// Prints what `ls` shows of a file.
class LsRows {
 public:
  LsRows(Session& session, const LsFlags& flags)
      : session_(session), flags_(flags), table_(session, ">><<<") {}
  void Add(const v1::FileInfo& file) {
    const std::string mark = file.is_old() ? "  (older)" : "";
    if (session_.is_json()) {
      session_.PrintJson(JsonOf(file));
    } else if (flags_.list.trash) {
      // The trash is of versions: a name alone would not say which.
      AddRow(file, FormatTime(file.trashed_time_us()), FormatTime(file.purge_time_us()), file.name());
    } else if (flags_.is_long) {
      AddRow(file, FormatTime(file.time_us()), FormatHealth(file), file.name() + mark);
    } else if (flags_.list.old_versions) {
      session_.Print(std::to_string(file.version()) + "  " + file.name() + mark + "\n");
    } else {
      session_.Print(file.name() + "\n");
    }
  }
  // Whoever reads them need not wait for a table that is full: the first names are few and come early.
  void Flush() {
    table_.Flush();
    Session::Flush();
  }

 private:
  void AddRow(const v1::FileInfo& file, std::string third, std::string fourth, std::string name) {
    table_.Add({FormatBytes(file.size(), session_.flags().is_human), std::to_string(file.version()), std::move(third),
                std::move(fourth), std::move(name)});
  }

  Session& session_;
  const LsFlags& flags_;
  Table table_;
};

int RunLs(Session& session, LsFlags flags) {
  auto consistency = ParseConsistency(flags.consistency);
  if (!consistency.ok()) return session.Fail(consistency.status());
  flags.list.consistency = *consistency;
  const auto filter = LsFilter::Make(flags, flags.list);
  if (!filter.ok()) return session.Fail(filter.status());
  // How many of those that are listed are meant is not known there.
  const std::uint64_t limit = filter->takes_all() ? 0 : std::exchange(flags.list.limit, 0);
  std::uint64_t taken = 0;
  absl::Status status;
  {
    LsRows rows(session, flags);
    ListOptions list = flags.list;
    list.on_page = [&rows] { rows.Flush(); };
    status = session.client().ListWhile(list, [&](const v1::FileInfo& file) {
      // The older versions of the last one belong to it.
      const bool has_all = limit > 0 && taken == limit && !file.is_old();
      if (has_all || !Session::CanPrint()) return false;
      if (!filter->Takes(file.name())) return true;
      rows.Add(file);
      if (!file.is_old()) ++taken;
      return flags.list.old_versions || limit == 0 || taken < limit;
    });
  }
  return status.ok() ? kExitOk : session.Fail(status);
}

// The id of a node given by name or number.
absl::StatusOr<std::uint32_t> FindNode(Session& session, const std::string& node) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(node.data(), node.data() + node.size(), id);
  if (error == std::errc() && end == node.data() + node.size() && id > 0) return id;
  DFS_ASSIGN_OR_RETURN(const v1::MembersResponse members, session.client().Members());
  for (const auto& member : members.nodes()) {
    if (member.name() == node) return member.node_id();
  }
  return absl::NotFoundError("no node is called \"" + node + "\"");
}

int RunLsHere(Session& session, const std::string& node) {
  std::uint32_t id = 0;
  if (!node.empty()) {
    auto found = FindNode(session, node);
    if (!found.ok()) return session.Fail(found.status(), node);
    id = *found;
  }
  absl::Status status;
  std::string answered_by;
  {
    Table table(session, "<>><<<");
    status =
        session.client().ListHere(id, [&](const std::string& from, const v1::HereChunk& chunk) {
          answered_by = from;
          if (session.is_json()) {
            session.PrintJson(JsonOf(chunk, from));
            return;
          }
          const std::string state =
              chunk.is_trashed() ? "trashed" : (chunk.name().empty() ? "pending" : "live");
          table.Add({chunk.chunk(), FormatBytes(chunk.size(), session.flags().is_human),
                     std::to_string(chunk.version()), chunk.hash(), state, chunk.name()});
        });
  }
  if (!status.ok()) return session.Fail(status, node);
  if (!answered_by.empty()) session.Say("(held by " + answered_by + ")");
  return kExitOk;
}

struct LookFlags {
  std::string remote;
  std::string consistency = "strong";
  std::optional<std::uint64_t> version;
};

std::shared_ptr<LookFlags> AddLookFlags(CLI::App& app) {
  auto flags = std::make_shared<LookFlags>();
  app.add_option("REMOTE", flags->remote, "name in the cluster")->required();
  app.add_option("--version", flags->version,
                 "this version: the current one or an older one that the bucket keeps");
  app.add_option("--consistency", flags->consistency, "strong, leader or eventual")
      ->capture_default_str();
  return flags;
}

int RunStat(Session& session, const LookFlags& flags) {
  const auto consistency = ParseConsistency(flags.consistency);
  if (!consistency.ok()) return session.Fail(consistency.status());
  const auto file = session.client().Stat(flags.remote, *consistency, flags.version);
  if (!file.ok()) return session.Fail(file.status(), flags.remote);
  if (session.is_json()) {
    session.PrintJson(JsonOf(*file));
    return kExitOk;
  }
  session.Print(FormatTable(
      {{"name", file->name()},
       {"bucket", file->bucket()},
       {"size", FormatBytes(file->size(), session.flags().is_human)},
       {"version", std::to_string(file->version()) + (file->is_old() ? " (older, kept)" : "")},
       {"commit index", std::to_string(file->commit_index())},
       {"time", FormatTime(file->time_us())},
       {"clock", std::to_string(file->time_us()) + " (hybrid logical, us)"},
       {"writer", file->writer().empty() ? "-" : file->writer()},
       {"health", FormatHealth(*file) + FormatFreshness(*file)},
       {"crc32c", FormatCrc(file->crc32c())},
       {"content", FormatHex(file->content_hash()) + " (XXH3-128)"},
       {"chunks", std::to_string(file->chunks())}},
      "<<"));
  return kExitOk;
}

int RunLocate(Session& session, const LookFlags& flags) {
  const auto consistency = ParseConsistency(flags.consistency);
  if (!consistency.ok()) return session.Fail(consistency.status());
  const auto located = session.client().Locate(flags.remote, *consistency, flags.version);
  if (!located.ok()) return session.Fail(located.status(), flags.remote);
  std::vector<std::vector<std::string>> rows = {
      {"CHUNK", "NODE", "ADDRESS", "ZONE", "STATE", "SIZE", "CHECKSUM", "VERSION"}};
  for (const auto& location : located->locations()) {
    if (session.is_json()) {
      Json row = JsonOf(location);
      row["name"] = located->info().name();
      session.PrintJson(row);
      continue;
    }
    rows.push_back({std::to_string(location.chunk()), location.node(), location.address(),
                    location.zone(),
                    NameOf(location.state()) + (location.node_is_alive() ? "" : " (node is down)"),
                    FormatBytes(location.chunk_size(), session.flags().is_human),
                    location.chunk_hash(), std::to_string(location.version())});
  }
  if (!session.is_json()) session.Print(FormatTable(rows, "><<<<><>"));
  return kExitOk;
}

}  // namespace

Verb LocateVerb() {
  return {"locate",
          {},
          "locate REMOTE",
          "show where the copies of a file are",
          {"dfs-cli locate report.pdf", "dfs-cli --json locate report.pdf"},
          [](CLI::App& app) -> RunVerb {
            const auto flags = AddLookFlags(app);
            return [flags](Session& session) { return RunLocate(session, *flags); };
          }};
}

Verb LsVerb() {
  return {"ls",
          {"list"},
          "ls [PREFIX]",
          "list files, ordered by name",
          {"dfs-cli ls", "dfs-cli ls -l archive/", "dfs-cli ls -l -h",
           "dfs-cli ls --versions -l report", "dfs-cli ls --trash reports/", "dfs-cli ls 'logs/*.txt'", "dfs-cli ls -r --exclude=*.tmp archive"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<LsFlags>();
            app.add_option("PREFIX", flags->prefix,
                           "only names that begin so, or that match this pattern (*, ?, [a-z], ** for any folders; quoted)");
            AddSelectionFlags(app, flags->selection,
                              "PREFIX is a folder, or the pattern of one: all below it (a list is never cut at a folder)");
            app.add_flag("-l,--long", flags->is_long,
                         "size, version, time (UTC), health (copies ok / wanted), name");
            auto* versions = app.add_flag("--versions", flags->list.old_versions,
                         "also the older versions that the bucket keeps, newest first");
            app.add_flag("--trash", flags->list.trash,
                         "what was removed or replaced and can be had back (undelete --version): size, version, when it was "
                         "removed, when it may be purged (UTC; sooner when space is short), name")
                ->excludes(versions);
            app.add_option("--after", flags->list.after, "only names greater than this");
            app.add_option("--limit", flags->list.limit, "at most so many (0: all)");
            app.add_option("--consistency", flags->consistency, "strong, leader or eventual");
            return [flags](Session& session) { return RunLs(session, *flags); };
          }};
}

Verb LsHereVerb() {
  return {"lshere",
          {},
          "lshere [--node=N]",
          "list what one node holds: chunk, size, version, checksum, state, file",
          {"dfs-cli lshere", "dfs-cli lshere --node=n2"},
          [](CLI::App& app) -> RunVerb {
            auto node = std::make_shared<std::string>();
            app.add_option("--node", *node, "name or id (default: the node that answers)");
            return [node](Session& session) { return RunLsHere(session, *node); };
          }};
}

Verb StatVerb() {
  return {"stat",
          {},
          "stat REMOTE",
          "show size, version, checksums, time and health of a file",
          {"dfs-cli stat report.pdf", "dfs-cli stat --version=17 report.pdf",
           "dfs-cli --json stat report.pdf"},
          [](CLI::App& app) -> RunVerb {
            const auto flags = AddLookFlags(app);
            return [flags](Session& session) { return RunStat(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
