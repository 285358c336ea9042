// One cluster of three with their HTTP doors, for all tests of a suite.
#ifndef DFS_TESTS_INTEGRATION_HTTP_FIXTURE_H_
#define DFS_TESTS_INTEGRATION_HTTP_FIXTURE_H_

#include <map>
#include <memory>
#include <utility>

#include "tests/integration/cluster_fixture.h"
#include "tests/support/http_client.h"

namespace dfs::testing {

class Http : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ProcessCluster::Options options;
    options.flags = {"--http-upload-limit=4MB", "--v=1"};
    cluster_ = std::make_unique<ProcessCluster>(std::move(options));
    ASSERT_OK(cluster_->Up(3));
    client_ = std::make_unique<client::FileClient>(cluster_->Endpoints());
  }
  static void TearDownTestSuite() {
    https_.clear();
    client_.reset();
    cluster_.reset();
  }
  static ProcessCluster& cluster() { return *cluster_; }
  static client::FileClient& client() { return *client_; }
  static HttpClient& At(int n) {
    auto& made = https_[n];
    if (made == nullptr) made = std::make_unique<HttpClient>(cluster().HttpAddressOf(n));
    return *made;
  }

 private:
  static inline std::unique_ptr<ProcessCluster> cluster_;
  static inline std::unique_ptr<client::FileClient> client_;
  static inline std::map<int, std::unique_ptr<HttpClient>> https_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_INTEGRATION_HTTP_FIXTURE_H_
