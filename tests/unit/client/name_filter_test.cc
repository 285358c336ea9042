#include "client/cli/name_filter.h"

#include <gtest/gtest.h>

namespace dfs::client::cli {
namespace {

TEST(NameFilter, IncludesThenExcludes) {
  const auto filter = NameFilter::Make({"*.txt", "doc/**"}, {".git", "doc/old"}).value();
  EXPECT_TRUE(filter.Takes("a.txt"));
  EXPECT_TRUE(filter.Takes("x/y/a.txt"));
  EXPECT_FALSE(filter.Takes("a.bin"));
  EXPECT_FALSE(filter.Takes("a.txt/b.bin")) << "--include without a slash is about the last component";
  EXPECT_TRUE(filter.Takes("doc/b.bin"));
  EXPECT_FALSE(filter.Takes(".git/a.txt"));
  EXPECT_FALSE(filter.Takes("x/.git/y/a.txt"));
  EXPECT_FALSE(filter.Takes("doc/old/a.txt"));
  EXPECT_TRUE(filter.Takes("doc/older/a.txt"));
  EXPECT_TRUE(NameFilter().Takes("anything"));
  EXPECT_FALSE(NameFilter::Make({"\\"}, {}).ok());
}

}  // namespace
}  // namespace dfs::client::cli
