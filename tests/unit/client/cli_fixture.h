// The program itself, run as users run it, against nodes in this process.
#ifndef DFS_TESTS_UNIT_CLIENT_CLI_FIXTURE_H_
#define DFS_TESTS_UNIT_CLIENT_CLI_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/client/fake_cluster.h"

namespace dfs::client {

using Json = nlohmann::json;
namespace fs = std::filesystem;

inline std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

struct Result {
  int code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] std::vector<Json> Lines() const {
    std::vector<Json> lines;
    std::istringstream in(out);
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    std::string pattern = (fs::temp_directory_path() / "dfs_cli_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~CliTest() override { fs::remove_all(folder); }

  // Runs `dfs-cli ARGUMENTS` by a shell, in `folder`.
  Result Run(const std::string& arguments, const std::string& before = "") const {
    const std::string endpoints = a.address() + "," + b.address();
    const std::string command = "cd " + folder.string() + " && " + before +
                                " DFS_ENDPOINTS=" + endpoints + " " DFS_CLI_PATH " " + arguments +
                                " >.out 2>.err";
    const int status = std::system(command.c_str());
    Result result;
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = ReadFile(folder / ".out");
    result.err = ReadFile(folder / ".err");
    return result;
  }
  // Runs the file `script` by a shell, in `folder`, against both nodes.
  Result RunScript() const {
    return Run("version >/dev/null && export DFS_ENDPOINTS=" + a.address() + "," + b.address() + " && sh ./script");
  }
  // A line of a shell: waits until there is one file of this name, and it is not empty. A minute at most.
  static std::string UntilOneIs(const std::string& pattern, const std::string& size = "+0") {
    return "n=0; until [ $(find . -name '" + pattern + "' -size " + size +
           " | wc -l) = 1 ]; do n=$((n + 1)); [ $n -gt 3000 ] && exit 99; sleep 0.02; done\n";
  }
  void StoreDirectly(const std::string& name, const std::string& bytes = "x") const {
    MutexLock lock(&state->mutex);
    FakeState::File& file = state->files[name];
    file.info.set_name(name);
    file.info.set_size(bytes.size());
    file.info.set_version(++state->version);
    file.bytes = bytes;
  }
  int PartialFiles() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().string().ends_with(".partial")) ++count;
    }
    return count;
  }

  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  mutable FakeNode a{"a", state};
  mutable FakeNode b{"b", state};
  fs::path folder;
};

}  // namespace dfs::client

#endif  // DFS_TESTS_UNIT_CLIENT_CLI_FIXTURE_H_
