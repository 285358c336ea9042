// find.
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/clock.h"
#include "common/name_pattern.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

struct FindFlags {
  std::string folder;
  std::string name;
  std::string size;
  std::string newer;
  bool ends_with_nul = false;
  std::string consistency = "strong";
};

// What --size says.
struct SizeRule {
  enum Kind { kLess, kExactly, kMore };
  Kind kind = kExactly;
  std::uint64_t bytes = 0;

  [[nodiscard]] bool Takes(std::uint64_t size) const {
    return kind == kLess ? size < bytes : kind == kMore ? size > bytes : size == bytes;
  }
};

absl::StatusOr<SizeRule> ParseSizeRule(std::string_view text) {
  SizeRule rule;
  std::string_view number = text;
  if (text.starts_with('+') || text.starts_with('-')) {
    rule.kind = text[0] == '+' ? SizeRule::kMore : SizeRule::kLess;
    number.remove_prefix(1);
  }
  const auto bytes = ParseBytes(number);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--size=", std::string(text), ": +10M is more than that, -10M less, 10M exactly"));
  }
  rule.bytes = *bytes;
  return rule;
}

// When a file of this machine was changed, a time, or an age.
absl::StatusOr<absl::Time> ParseNewer(const std::string& text) {
  struct stat local = {};
  if (::stat(text.c_str(), &local) == 0) return absl::TimeFromTimespec(local.st_mtim);
  for (const char* format : {absl::RFC3339_full, "%Y-%m-%d"}) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(format, text, &time, &error)) return time;
  }
  absl::Duration age;
  if (absl::ParseDuration(text, &age) && age > absl::ZeroDuration()) return SystemClock().WallNow() - age;
  return absl::InvalidArgumentError(absl::StrCat("--newer=", text, ": no file of this machine, no time (2026-11-21 or "
                                                 "2026-11-21T04:11:32Z) and no age (90m, 24h)"));
}

// The word as a pattern that means itself.
std::string Escaped(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// Which files are meant, and what of it the servers can tell.
class FindRule {
 public:
  static absl::StatusOr<FindRule> Make(const FindFlags& flags) {
    FindRule out;
    out.folder_ = flags.folder;
    while (out.folder_.ends_with('/')) out.folder_.pop_back();
    if (!flags.name.empty()) {
      if (flags.name.find('/') != std::string::npos) {
        return absl::InvalidArgumentError("--name is of the last part of a name: say where with FOLDER");
      }
      DFS_ASSIGN_OR_RETURN(out.name_, NamePattern::Parse(flags.name));
      const std::string below = out.folder_.empty() ? "" : Escaped(out.folder_) + "/";
      out.list_.pattern = below + "**/" + flags.name;
      DFS_RETURN_IF_ERROR(NamePattern::Parse(out.list_.pattern).status());
    } else if (!out.folder_.empty()) {
      out.list_.prefix = out.folder_ + "/";
    }
    if (!flags.size.empty()) {
      DFS_ASSIGN_OR_RETURN(out.size_, ParseSizeRule(flags.size));
    }
    if (!flags.newer.empty()) {
      DFS_ASSIGN_OR_RETURN(out.newer_, ParseNewer(flags.newer));
    }
    DFS_ASSIGN_OR_RETURN(out.list_.consistency, ParseConsistency(flags.consistency));
    return out;
  }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] const ListOptions& list() const { return list_; }
  [[nodiscard]] bool Takes(const v1::FileInfo& file) const {
    return (!name_ || name_->Matches(BaseName(file.name()))) && (!size_ || size_->Takes(file.size())) &&
           (!newer_ || absl::FromUnixMicros(static_cast<std::int64_t>(file.time_us())) > *newer_);
  }

 private:
  std::string folder_;  // without a slash at the end
  ListOptions list_;
  std::optional<NamePattern> name_;
  std::optional<SizeRule> size_;
  std::optional<absl::Time> newer_;
};

int RunFind(Session& session, const FindFlags& flags) {
  const auto rule = FindRule::Make(flags);
  if (!rule.ok()) return session.Fail(rule.status());
  const std::string end = flags.ends_with_nul ? std::string(1, '\0') : "\n";
  const auto show = [&](const v1::FileInfo& file) {
    if (!Session::CanPrint()) return false;
    if (!rule->Takes(file)) return true;
    if (session.is_json()) {
      session.PrintJson(JsonOf(file));
    } else {
      session.Print(file.name() + end);
    }
    return true;
  };
  // A name may be a file and a folder.
  if (!rule->folder().empty()) {
    const auto file = session.client().Stat(rule->folder(), rule->list().consistency);
    if (file.ok() && !show(*file)) return kExitOk;
    if (!file.ok() && !absl::IsNotFound(file.status())) return session.Fail(file.status(), rule->folder());
  }
  ListOptions list = rule->list();
  list.on_page = [] { Session::Flush(); };
  const absl::Status status = session.client().ListWhile(list, show);
  return status.ok() ? kExitOk : session.Fail(status);
}

}  // namespace

Verb FindFilesVerb() {
  return {"find",
          {},
          "find [FOLDER]",
          "print the names of files below a folder that are called so, as large, or as new",
          {"dfs-cli find --name='*.log' --size=+10M", "dfs-cli find reports --newer=24h",
           "dfs-cli find --name='*.tmp' --print0 | xargs -0 dfs-cli remove --"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<FindFlags>();
            app.add_option("FOLDER", flags->folder, "only what is below it, and the file of this name (default: all)");
            app.add_option("--name", flags->name, "the last part of the name matches this pattern (*, ?, [a-z]; quoted)");
            app.add_option("--size", flags->size, "more than +N, less than -N, or exactly N bytes (K, M, G)");
            app.add_option("--newer", flags->newer,
                           "written after: a local file was changed, a time (2026-11-21, 2026-11-21T04:11:32Z), or so long ago (90m, 24h)");
            app.add_flag("-0,--print0", flags->ends_with_nul, "a NUL behind each name instead of a new line");
            app.add_option("--consistency", flags->consistency, "strong, leader or eventual")->capture_default_str();
            return [flags](Session& session) { return RunFind(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
