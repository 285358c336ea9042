// Lists that break, are cut, or come from an older server.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/client/file_client_fixture.h"

namespace dfs::client {
namespace {

TEST_F(FileClientTest, ListGoesOnAtAnotherNodeWhereItBroke) {
  for (int i = 0; i < 10; ++i) StoreDirectly("p/" + std::to_string(i), "x");
  StoreDirectly("q", "x");
  a.Inject("List", {Fault::kBreakMidway});
  std::vector<std::string> names;
  ListOptions options;
  options.prefix = "p/";
  ASSERT_TRUE(Client()
                  ->List(options, [&](const v1::FileInfo& file) { names.push_back(file.name()); })
                  .ok());
  ASSERT_EQ(names.size(), 10U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 10U);
}

TEST_F(FileClientTest, ListByPatternGoesOnUntilAllNamesHaveBeenLookedAt) {
  for (int i = 0; i < 20; ++i) StoreDirectly("p/" + std::to_string(10 + i) + (i % 7 == 6 ? ".rare" : ""), "x");
  a.Inject("List", {Fault::kNone, Fault::kBreakMidway});
  std::vector<std::string> names;
  const auto take = [&](const v1::FileInfo& file) { names.push_back(file.name()); };
  ListOptions options;
  options.pattern = "p/*.rare";
  ASSERT_TRUE(Client()->List(options, take).ok());
  EXPECT_EQ(names, (std::vector<std::string>{"p/16.rare", "p/23.rare"}));
  EXPECT_GE(a.calls("List") + b.calls("List"), 7) << "three names a call";
  names.clear();
  options.limit = 1;
  ASSERT_TRUE(Client()->List(options, take).ok());
  EXPECT_EQ(names, (std::vector<std::string>{"p/16.rare"}));
  options.pattern = "p/\\";
  EXPECT_TRUE(absl::IsInvalidArgument(Client()->List(options, take)));
}

// It would list, and a `remove` would remove, what was not meant.
TEST_F(FileClientTest, AnOlderServerIsNotTakenAtItsWord) {
  StoreDirectly("other", "x");
  for (FakeNode* node : {&a, &b}) node->Inject("List", {Fault::kIsOlder, Fault::kIsOlder});
  const auto take = [](const v1::FileInfo& file) { ADD_FAILURE() << file.name(); };
  ListOptions options;
  options.pattern = "f*";
  const absl::Status status = Client()->List(options, take);
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_NE(std::string(status.message()).find("--endpoints"), std::string::npos) << "what to do: " << status;
  options = {};
  options.trash = true;
  EXPECT_TRUE(absl::IsUnimplemented(Client()->List(options, take)));
}

}  // namespace
}  // namespace dfs::client
