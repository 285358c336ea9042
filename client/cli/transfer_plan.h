// Which file goes where, before a byte is moved. Pure.
#ifndef DFS_CLIENT_CLI_TRANSFER_PLAN_H_
#define DFS_CLIENT_CLI_TRANSFER_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/name_filter.h"
#include "client/cli/posix_tree.h"

namespace dfs::client::cli {

using Failures = std::vector<std::pair<std::string, absl::Status>>;  // by what they are about

// ---- put ----

struct PutSource {
  std::string word;  // as it was given
  bool is_folder = false;
  LocalTree tree;    // of a file: that file alone
};

struct PutPlan {
  struct File {
    std::string local;
    std::string remote;
    std::uint64_t size = 0;
  };
  std::vector<File> files;
  std::vector<std::pair<std::string, std::string>> skipped;  // local path, and why
  Failures failed;  // what cannot be read, and names that no file can have
  std::uint64_t bytes = 0;
  std::uint64_t empty_folders = 0;
};

// A folder alone with a target: what is in it goes below the target. Everything else keeps its own name (a folder's, before the
// names in it) if there are several sources, if the target ends with a slash, or if there is none; one file with another target is
// given that name. `.` and `..` have no name of their own. kInvalidArgument, nothing is to be done: two files would have one name.
absl::StatusOr<PutPlan> PlanPut(const std::vector<PutSource>& sources, const std::string& target, const NameFilter& filter);

// ---- get, remove ----

// A file of the cluster that a word means.
struct RemoteFile {
  std::string name;
  std::string relative;  // what it is to be called below the folder it goes to
  std::uint64_t size = 0;
  std::uint64_t version = 0;
  std::uint32_t crc32c = 0;
  std::string content_hash;
  bool is_eventual = false;  // of a gossip bucket
};

struct GetPlan {
  std::vector<RemoteFile> files;
  Failures failed;
  std::uint64_t bytes = 0;
};

// kInvalidArgument: a local file of this relative path would not lie below the folder (`..`, absolute, an empty component), or
// there cannot be one (NUL).
absl::Status CheckRelative(std::string_view relative);

// Leaves out, as failures, names that lead elsewhere, and a file that is also the folder of others: a local file system has one of
// them only. kInvalidArgument, nothing is to be done: two files would go to one place.
absl::StatusOr<GetPlan> PlanGet(std::vector<RemoteFile> files);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_TRANSFER_PLAN_H_
