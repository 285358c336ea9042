// A client of two nodes in this process that break on demand.
#ifndef DFS_TESTS_UNIT_CLIENT_FILE_CLIENT_FIXTURE_H_
#define DFS_TESTS_UNIT_CLIENT_FILE_CLIENT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "tests/unit/client/fake_cluster.h"

namespace dfs::client {

// Bytes that no other offset has in this order.
inline std::string Pattern(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 131 + (i >> 9));
  return out;
}

class FileClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileClient> Client(const FileClientOptions& options = {}) const {
    return std::make_unique<FileClient>(std::vector<std::string>{a.address(), b.address()},
                                        options);
  }

  std::string StoredBytes(const std::string& name) const {
    MutexLock lock(&state->mutex);
    const auto found = state->files.find(name);
    return found == state->files.end() ? "(none)" : found->second.bytes;
  }
  std::uint64_t Versions() const {
    MutexLock lock(&state->mutex);
    return state->version;
  }
  void StoreDirectly(const std::string& name, const std::string& bytes) const {
    StringSource source(bytes);
    ASSERT_TRUE(Client()->Put(name, source).ok());
  }

  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  mutable FakeNode a{"a", state};
  mutable FakeNode b{"b", state};
};

}  // namespace dfs::client

#endif  // DFS_TESTS_UNIT_CLIENT_FILE_CLIENT_FIXTURE_H_
