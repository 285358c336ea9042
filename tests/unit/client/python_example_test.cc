// client/examples/put_get.py against a node in this process.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "tests/unit/client/fake_cluster.h"

namespace dfs::client {
namespace {

int RunExample(const FakeNode& node, const std::string& arguments) {
  const std::string command = DFS_PYTHON_COMMAND " --endpoint " + node.address() + arguments;
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(PythonExample, StoresReadsBackAndRemoves) {
  const auto state = std::make_shared<FakeState>();
  FakeNode node("a", state);
  for (const char* size : {"", " --size 0", " --size 1048576"}) {
    EXPECT_EQ(RunExample(node, size), 0) << size;
  }
  EXPECT_EQ(node.calls("Put"), 3);
  EXPECT_EQ(node.calls("Get"), 3);
  MutexLock lock(&state->mutex);
  EXPECT_EQ(state->version, 3U);
  EXPECT_TRUE(state->files.empty());
}

TEST(PythonExample, NoticesDamagedBytes) {
  FakeNode node("a", std::make_shared<FakeState>());
  node.Inject("Get", {Fault::kDamage});
  EXPECT_NE(RunExample(node, ""), 0);
}

}  // namespace
}  // namespace dfs::client
