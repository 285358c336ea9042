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
      // Within one tree no name comes twice.
      if (sources.size() > 1) {
        const auto [other, is_new] = taken.try_emplace(remote, file.path);
        if (!is_new) {
          return absl::InvalidArgumentError(other->second + " and " + file.path + " would both be called " + remote);
        }
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
  if (std::find(relative.begin(), relative.end(), '\0') != relative.end()) return absl::InvalidArgumentError("its name has a NUL");
  for (std::string_view rest = relative;;) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError("its name has an empty component, \".\" or \"..\", or a slash at an end");
    }
    if (slash == std::string_view::npos) return absl::OkStatus();
    rest.remove_prefix(slash + 1);
  }
}

absl::StatusOr<GetPlan> PlanGet(std::vector<RemoteFile> files) {
  GetPlan plan;
  plan.files.reserve(files.size());  // so that they stay where they are: the views below are of them
  std::unordered_map<std::string_view, std::string_view> taken;
  std::unordered_set<std::string_view> folders;
  for (RemoteFile& one : files) {
    if (const absl::Status status = CheckRelative(one.relative); !status.ok()) {
      plan.failed.emplace_back(one.name, status);
      continue;
    }
    const RemoteFile& file = plan.files.emplace_back(std::move(one));
    const auto [other, is_new] = taken.try_emplace(file.relative, file.name);
    if (!is_new) {
      return absl::InvalidArgumentError(std::string(other->second) + " and " + file.name + " would both be called " +
                                        file.relative);
    }
    const std::string_view path = file.relative;
    for (auto slash = path.rfind('/'); slash != std::string_view::npos && slash > 0; slash = path.rfind('/', slash - 1)) {
      if (!folders.insert(path.substr(0, slash)).second) break;  // nor are those above it new
    }
  }
  std::vector<bool> is_folder;
  for (const RemoteFile& file : plan.files) is_folder.push_back(folders.contains(file.relative));
  // From here on the views are of nothing.
  std::size_t at = 0;
  std::erase_if(plan.files, [&](const RemoteFile& file) {
    if (!is_folder[at++]) return false;
    plan.failed.emplace_back(file.name,
                             absl::InvalidArgumentError("there are files below this name, too: here it can only be a folder"));
    return true;
  });
  for (const RemoteFile& file : plan.files) plan.bytes += file.size;
  return plan;
}

}  // namespace dfs::client::cli
