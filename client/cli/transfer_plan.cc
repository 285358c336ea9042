#include "client/cli/transfer_plan.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "client/cli/text.h"
#include "common/utf8.h"

namespace dfs::client::cli {
namespace {

constexpr std::size_t kNameBytesMax = 1024;

std::string WithoutSlashes(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

// What a local path is called; empty for `.`, `..` and the root.
std::string OwnName(const std::string& word) {
  const std::string name = std::filesystem::path(WithoutSlashes(word)).lexically_normal().filename().string();
  return name == "." || name == ".." ? "" : name;
}

std::string Below(const std::string& folder, const std::string& name) {
  return folder.empty() || name.empty() ? folder + name : folder + "/" + name;
}

// What every name in the cluster must be; the server checks it again.
absl::Status CheckName(std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("it would have no name");
  if (name.size() > kNameBytesMax) return absl::InvalidArgumentError("its name is longer than 1024 bytes");
  if (!IsUtf8(name)) return absl::InvalidArgumentError("its name is not UTF-8");
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (has_control) return absl::InvalidArgumentError("its name has control characters");
  return CheckRelative(name);
}

// The name that the files of a source stand below, or the one file has.
std::string RootOf(const PutSource& source, bool is_alone, const std::string& target) {
  const std::string own = OwnName(source.word);
  const bool keeps_name = target.empty() || !is_alone || (target.ends_with('/') && !source.is_folder);
  return keeps_name ? Below(WithoutSlashes(target), own) : WithoutSlashes(target);
}

}  // namespace

absl::StatusOr<PutPlan> PlanPut(const std::vector<PutSource>& sources, const std::string& target, const NameFilter& filter) {
  PutPlan plan;
  std::unordered_map<std::string, std::string> taken;
  for (const PutSource& source : sources) {
    const std::string root = RootOf(source, sources.size() == 1, target);
    for (const LocalFile& file : source.tree.files) {
      if (!filter.Takes(file.relative)) continue;
      const std::string remote = source.is_folder ? Below(root, file.relative) : root;
      if (const absl::Status status = CheckName(remote); !status.ok()) {
        plan.failed.emplace_back(file.path, status);
        continue;
      }
      const auto [other, is_new] = taken.try_emplace(remote, file.path);
      if (!is_new) {
        return absl::InvalidArgumentError(other->second + " and " + file.path + " would both be called " + remote);
      }
      plan.files.push_back({file.path, remote, file.size});
      plan.bytes += file.size;
    }
    plan.skipped.insert(plan.skipped.end(), source.tree.skipped.begin(), source.tree.skipped.end());
    plan.failed.insert(plan.failed.end(), source.tree.failed.begin(), source.tree.failed.end());
    plan.empty_folders += source.tree.empty_folders;
  }
  return plan;
}

absl::Status CheckRelative(std::string_view relative) {
  if (relative.find('\0') != std::string_view::npos) return absl::InvalidArgumentError("its name has a NUL");
  for (std::string_view rest = relative;;) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError("its name leads out of the folder (an empty component, \".\" or \"..\")");
    }
    if (slash == std::string_view::npos) return absl::OkStatus();
    rest.remove_prefix(slash + 1);
  }
}

absl::StatusOr<GetPlan> PlanGet(std::vector<RemoteFile> files) {
  GetPlan plan;
  std::unordered_map<std::string, std::string> taken;
  std::unordered_set<std::string> folders;
  for (RemoteFile& file : files) {
    if (const absl::Status status = CheckRelative(file.relative); !status.ok()) {
      plan.failed.emplace_back(file.name, status);
      continue;
    }
    const auto [other, is_new] = taken.try_emplace(file.relative, file.name);
    if (!is_new) {
      return absl::InvalidArgumentError(other->second + " and " + file.name + " would both be called " + file.relative);
    }
    for (auto slash = file.relative.rfind('/'); slash != std::string::npos && slash > 0;
         slash = file.relative.rfind('/', slash - 1)) {
      if (!folders.insert(file.relative.substr(0, slash)).second) break;  // nor are those above it new
    }
    plan.files.push_back(std::move(file));
  }
  std::erase_if(plan.files, [&](const RemoteFile& file) {
    if (!folders.contains(file.relative)) return false;
    plan.failed.emplace_back(file.name, absl::InvalidArgumentError("there are files below this name, too: here it can only be a folder"));
    return true;
  });
  for (const RemoteFile& file : plan.files) plan.bytes += file.size;
  return plan;
}

}  // namespace dfs::client::cli
