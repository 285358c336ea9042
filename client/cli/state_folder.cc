#include "client/cli/state_folder.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace dfs::client::cli {

std::string StateFolder(std::string_view below) {
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here sets variables
  const char* base = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  std::string folder;
  if (base != nullptr && *base == '/') {
    folder = std::string(base) + "/dfs";
  } else if (home != nullptr && *home == '/') {
    folder = std::string(home) + "/.local/state/dfs";
  } else {
    return "";
  }
  if (!below.empty()) folder.append("/").append(below);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "" : folder;
}

}  // namespace dfs::client::cli
