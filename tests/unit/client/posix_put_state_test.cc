#include "client/cli/posix_put_state.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;

class PutStateTest : public ::testing::Test {
 protected:
  PutStateTest() {
    std::string pattern = ::testing::TempDir() + "put-state-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    local_ = folder_ + "/file";
    WriteLocal("content");
    ::setenv("XDG_STATE_HOME", folder_.c_str(), 1);
    trace_.token = std::string(16, '\xAB');
    trace_.request_id.set_session(std::string(16, '\0'));
    trace_.request_id.set_sequence(3);
    trace_.address = "127.0.0.1:7710";
  }
  ~PutStateTest() override {
    ::unsetenv("XDG_STATE_HOME");
    fs::remove_all(folder_);
  }
  void WriteLocal(const std::string& text) const { std::ofstream(local_, std::ios::trunc) << text; }
  std::size_t Files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_ + "/dfs/puts")) ++count;
    return count;
  }
  void Leave() const { (*PutState::Open("what", local_))->Write(trace_); }

  std::string folder_;
  std::string local_;
  PutTrace trace_;
};

TEST_F(PutStateTest, ALaterRunFindsWhatWasLeft) {
  EXPECT_FALSE((*PutState::Open("what", local_))->left());
  EXPECT_EQ(Files(), 0u) << "nothing was written";
  Leave();
  EXPECT_FALSE((*PutState::Open("another bucket", local_))->left());
  const auto state = *PutState::Open("what", local_);
  const auto left = state->left();
  ASSERT_TRUE(left);
  EXPECT_EQ(left->token, trace_.token);
  EXPECT_EQ(left->request_id.SerializeAsString(), trace_.request_id.SerializeAsString());
  EXPECT_EQ(left->address, trace_.address);
  struct stat status {};
  ASSERT_EQ(::stat(fs::directory_iterator(folder_ + "/dfs/puts")->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  state->Remove();
  EXPECT_EQ(Files(), 0u);
}

TEST_F(PutStateTest, TwoRunsDoNotGoOnWithOnePut) {
  Leave();
  auto first = PutState::Open("what", local_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = PutState::Open("what", local_);
  EXPECT_NE(second.status().message().find("another run"), std::string_view::npos) << second.status();
  first->reset();
  EXPECT_TRUE(PutState::Open("what", local_).ok());
}

TEST_F(PutStateTest, AFileThatHasChangedIsAnother) {
  Leave();
  WriteLocal("content of another length");
  EXPECT_FALSE((*PutState::Open("what", local_))->left());
}

TEST_F(PutStateTest, DamageIsNothingLeft) {
  Leave();
  const fs::path path = fs::directory_iterator(folder_ + "/dfs/puts")->path();
  const auto whole = fs::file_size(path);
  for (std::uintmax_t size = whole - 1; size > 0; size /= 2) {
    fs::resize_file(path, size);
    EXPECT_FALSE((*PutState::Open("what", local_))->left()) << size;
  }
  std::ofstream(path, std::ios::trunc) << "[]";
  EXPECT_FALSE((*PutState::Open("what", local_))->left());
  std::ofstream(path, std::ios::trunc) << R"({"token":7,"request":"zz","address":{},"file":"x"})";
  EXPECT_FALSE((*PutState::Open("what", local_))->left());
}

TEST_F(PutStateTest, OldOnesGoAndTheNumberIsBounded) {
  Leave();
  const fs::path old = fs::directory_iterator(folder_ + "/dfs/puts")->path();
  fs::last_write_time(old, fs::last_write_time(old) - std::chrono::hours(25));
  EXPECT_TRUE(PutState::Open("more", local_).ok());
  EXPECT_FALSE(fs::exists(old));
  for (std::size_t i = 0; i < PutState::kStatesMax; ++i) {
    std::ofstream(folder_ + "/dfs/puts/" + std::to_string(i)) << "{}";
  }
  const auto state = PutState::Open("one too many", local_);
  EXPECT_TRUE(absl::IsResourceExhausted(state.status())) << state.status();
}

// Whoever opens it makes it young again: its own age is looked at before.
TEST_F(PutStateTest, WhatIsTooOldIsNotGoneOnWith) {
  Leave();
  const fs::path path = fs::directory_iterator(folder_ + "/dfs/puts")->path();
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(25));
  EXPECT_FALSE((*PutState::Open("what", local_))->left());
  EXPECT_EQ(Files(), 0u);
}

TEST_F(PutStateTest, WhatIsClearedMayBeWrittenAnew) {
  Leave();
  {
    const auto state = *PutState::Open("what", local_);
    state->Clear();
    EXPECT_FALSE(state->left());
    state->Write(trace_);
  }
  EXPECT_TRUE((*PutState::Open("what", local_))->left());
}

TEST_F(PutStateTest, WithoutAPlaceItSaysWhatToSet) {
  ::setenv("XDG_STATE_HOME", "/proc/none", 1);
  const auto state = PutState::Open("what", local_);
  EXPECT_NE(state.status().message().find("XDG_STATE_HOME"), std::string_view::npos) << state.status();
}

}  // namespace
}  // namespace dfs::client::cli
