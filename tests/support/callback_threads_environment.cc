// For GoogleTest programs that make calls with gRPC's callback API: what main() of dfs-server does, around all tests.
#include <gtest/gtest.h>

#include <optional>

#include "common/grpc_callback_threads.h"

namespace dfs::testing {
namespace {

class CallbackThreadsEnvironment final : public ::testing::Environment {
 public:
  void SetUp() override { threads_.emplace(); }
  void TearDown() override { threads_.reset(); }

 private:
  std::optional<CallbackThreads> threads_;
};

// Owned by GoogleTest.
[[maybe_unused]] ::testing::Environment* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new CallbackThreadsEnvironment);

}  // namespace
}  // namespace dfs::testing
