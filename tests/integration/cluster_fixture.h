// One cluster of three for all tests of a suite that break nothing for good.
#ifndef DFS_TESTS_INTEGRATION_CLUSTER_FIXTURE_H_
#define DFS_TESTS_INTEGRATION_CLUSTER_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/file_client.h"
#include "tests/support/file_checks.h"
#include "tests/support/process_cluster.h"
#include "tests/support/raw_calls.h"

// NOLINTBEGIN(bugprone-macro-parentheses): statements
#define ASSERT_OK(expression)                            \
  do {                                                   \
    const ::absl::Status& dfs_status = (expression);     \
    ASSERT_TRUE(dfs_status.ok()) << dfs_status.ToString(); \
  } while (false)
#define EXPECT_OK(expression)                            \
  do {                                                   \
    const ::absl::Status& dfs_status = (expression);     \
    EXPECT_TRUE(dfs_status.ok()) << dfs_status.ToString(); \
  } while (false)
// NOLINTEND(bugprone-macro-parentheses)

namespace dfs::testing {

// A line that tests/run collects (tests/README.md); nothing if the test has failed.
inline void Proved(const std::string& what) {
  if (!::testing::Test::HasFailure()) std::cout << "PROVED: " << what << std::endl;
}

class ThreeNodes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<ProcessCluster>();
    ASSERT_OK(cluster_->Up(3));
    client_ = std::make_unique<client::FileClient>(cluster_->Endpoints());
  }
  static void TearDownTestSuite() {
    client_.reset();
    cluster_.reset();
  }
  static ProcessCluster& cluster() { return *cluster_; }
  static client::FileClient& client() { return *client_; }

 private:
  static inline std::unique_ptr<ProcessCluster> cluster_;
  static inline std::unique_ptr<client::FileClient> client_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_INTEGRATION_CLUSTER_FIXTURE_H_
