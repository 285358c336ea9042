#include "client/cli/posix_tree.h"

#include <fts.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "client/cli/text.h"
#include "client/posix_byte_stream.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

int CompareNames(const FTSENT** a, const FTSENT** b) { return std::strcmp((*a)->fts_name, (*b)->fts_name); }

class Walk {
 public:
  Walk(const std::string& path, bool follows_links) : root_(path) {
    std::string name = path;
    char* const paths[] = {name.data(), nullptr};
    walk_ = ::fts_open(paths, FTS_NOCHDIR | FTS_COMFOLLOW | (follows_links ? FTS_LOGICAL : FTS_PHYSICAL), CompareNames);
    if (walk_ == nullptr) tree_.failed.emplace_back(path, LocalError("read", path, errno));
  }
  ~Walk() {
    if (walk_ != nullptr) ::fts_close(walk_);
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  LocalTree Run() {
    while (walk_ != nullptr) {
      errno = 0;
      FTSENT* const entry = ::fts_read(walk_);
      if (entry == nullptr && errno != 0) Fail(root_, errno);
      if (entry == nullptr) break;
      Take(*entry);
      if (tree_.files.size() > kTreeFilesMax) {
        Fail(root_, E2BIG);
        break;
      }
    }
    return std::move(tree_);
  }

 private:
  void Fail(const std::string& path, int error) { tree_.failed.emplace_back(path, LocalError("read", path, error)); }

  void Take(const FTSENT& entry) {
    const std::string path = entry.fts_path;
    // Whether the folder that holds it has something in it.
    if (entry.fts_level > FTS_ROOTLEVEL && entry.fts_info != FTS_DP) entry.fts_parent->fts_number = 1;
    switch (entry.fts_info) {
      case FTS_F:
        TakeFile(entry, path);
        return;
      case FTS_D:
        return;
      case FTS_DP:
        if (entry.fts_number == 0) ++tree_.empty_folders;
        return;
      case FTS_DC:
        Fail(path, ELOOP);
        return;
      case FTS_DNR:
      case FTS_ERR:
      case FTS_NS:
        Fail(path, entry.fts_errno);
        return;
      case FTS_SL:
      case FTS_SLNONE:
        tree_.skipped.emplace_back(path, "a symbolic link (--follow-links follows them)");
        return;
      default:
        tree_.skipped.emplace_back(path, "no regular file");
    }
  }

  void TakeFile(const FTSENT& entry, const std::string& path) {
    if (entry.fts_level > FTS_ROOTLEVEL && IsPartialName(entry.fts_name)) {
      tree_.skipped.emplace_back(path, "what an interrupted get left");
      return;
    }
    LocalFile& file = tree_.files.emplace_back();
    file.path = path;
    file.size = static_cast<std::uint64_t>(entry.fts_statp->st_size);
    if (entry.fts_level == FTS_ROOTLEVEL) {
      file.relative = BaseName(path);
      return;
    }
    file.relative = path.substr(root_.size());
    file.relative.erase(0, file.relative.find_first_not_of('/'));
  }

  const std::string root_;
  FTS* walk_ = nullptr;
  LocalTree tree_;
};

absl::Status MakeFolder(const std::string& path, bool follows_links) {
  if (::mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
  if (errno != EEXIST) return LocalError("create", path, errno);
  struct stat status {};
  if ((follows_links ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status)) != 0) {
    return LocalError("create", path, errno);
  }
  if (S_ISLNK(status.st_mode)) return LocalError("write (a symbolic link; --follow-links follows them)", path, ELOOP);
  return S_ISDIR(status.st_mode) ? absl::OkStatus() : LocalError("create", path, ENOTDIR);
}

}  // namespace

LocalTree ReadTree(const std::string& path, bool follows_links) { return Walk(path, follows_links).Run(); }

absl::Status MakeFoldersFor(const std::string& root, const std::string& relative, bool follows_links) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error) return LocalError("create", root, error.value());
  const std::string base = root.ends_with('/') ? root : root + "/";
  for (auto slash = relative.find('/'); slash != std::string::npos; slash = relative.find('/', slash + 1)) {
    DFS_RETURN_IF_ERROR(MakeFolder(base + relative.substr(0, slash), follows_links));
  }
  const std::string path = base + relative;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return absl::OkStatus();
  if (S_ISDIR(status.st_mode)) return LocalError("write", path, EISDIR);
  if (!S_ISLNK(status.st_mode)) return LocalError("write (no regular file)", path, EINVAL);
  if (!follows_links) return LocalError("write (a symbolic link; --follow-links follows them)", path, ELOOP);
  return absl::OkStatus();
}

}  // namespace dfs::client::cli
