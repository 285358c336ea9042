// A folder to the cluster and back:
//
//   dfs-backup H:P,H:P… store FOLDER PREFIX     each regular file below FOLDER as PREFIX/path; what is gone there goes here, too
//   dfs-backup H:P,H:P… restore PREFIX FOLDER   and back
//
// Exit status: 0 all of it worked, 1 not (what, is on standard error), 64 usage.
#include <dfs/client.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace {

namespace fs = std::filesystem;

int failures = 0;

// Whether it is OK; says so if not.
bool Check(const dfs::Status& status, const std::string& what) {
  if (status.ok()) return true;
  ++failures;
  std::fprintf(stderr, "%s: %s\n", what.c_str(), status.ToString().c_str());
  return false;
}

std::vector<std::string> NamesBelow(dfs::Client& client, const std::string& prefix) {
  std::vector<std::string> names;
  dfs::ListOptions options;
  options.prefix = prefix + "/";
  const dfs::Status listed = client.List(options, [&](const dfs::FileInfo& file) {
    names.push_back(file.name);
    return true;
  });
  Check(listed, prefix);
  return names;
}

void Store(dfs::Client& client, const fs::path& folder, const std::string& prefix) {
  std::set<std::string> stored;
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file()) continue;
    const std::string name = prefix + "/" + at->path().lexically_relative(folder).generic_string();
    stored.insert(name);
    const auto result = client.StoreFile(at->path().string(), name);
    if (!Check(result.status(), name)) continue;
    bytes += result->file.size;
    std::printf("%s version %llu, %u copies\n", name.c_str(),
                static_cast<unsigned long long>(result->file.version), result->replicas);
  }
  if (error) Check({dfs::Code::kLocal, error.message()}, folder.string());
  // Only after a whole pass: a file that could not be read now is not to be forgotten.
  for (const auto& name : NamesBelow(client, prefix)) {
    if (failures == 0 && !stored.contains(name)) Check(client.Delete(name).status(), name);
  }
  std::printf("%zu files, %llu bytes\n", stored.size(), static_cast<unsigned long long>(bytes));
}

void Restore(dfs::Client& client, const std::string& prefix, const fs::path& folder) {
  const auto names = NamesBelow(client, prefix);
  for (const auto& name : names) {
    // Names have no ".." parts, so this stays below the folder.
    const fs::path path = folder / name.substr(prefix.size() + 1);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    Check(client.GetFile(name, path.string()).status(), name);
  }
  std::printf("%zu files\n", names.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() != 4 || (words[1] != "store" && words[1] != "restore")) {
    std::fprintf(stderr, "dfs-backup ENDPOINTS store FOLDER PREFIX | restore PREFIX FOLDER\n");
    return 64;
  }
  dfs::ClientOptions options;
  for (std::size_t from = 0; from <= words[0].size();) {
    const std::size_t comma = std::min(words[0].find(',', from), words[0].size());
    options.endpoints.push_back(words[0].substr(from, comma - from));
    from = comma + 1;
  }
  auto client = dfs::Client::Open(options);
  if (!Check(client.status(), words[0])) return 64;
  if (words[1] == "store") {
    Store(*client, words[2], words[3]);
  } else {
    Restore(*client, words[2], words[3]);
  }
  return failures == 0 ? 0 : 1;
}
