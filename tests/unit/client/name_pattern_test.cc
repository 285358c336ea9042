#include "client/cli/name_pattern.h"

#include <gtest/gtest.h>

namespace dfs::client::cli {
namespace {

bool Matches(std::string_view pattern, std::string_view name) { return NamePattern::Parse(pattern).value().Matches(name); }

TEST(NamePattern, StarAndQuestionMarkStayWithinAComponent) {
  EXPECT_TRUE(Matches("logs/*.txt", "logs/a.txt"));
  EXPECT_TRUE(Matches("logs/*.txt", "logs/.txt")) << "a leading dot is nothing special";
  EXPECT_FALSE(Matches("logs/*.txt", "logs/b/a.txt"));
  EXPECT_FALSE(Matches("*", "a/b"));
  EXPECT_TRUE(Matches("tmp/?.log", "tmp/a.log"));
  EXPECT_FALSE(Matches("tmp/?.log", "tmp/ab.log"));
  EXPECT_FALSE(Matches("tmp/?.log", "tmp//log"));
  EXPECT_FALSE(Matches("tmp?a", "tmp/a"));
  EXPECT_TRUE(Matches("[a-c]/x[!0-9]", "b/xy"));
  EXPECT_FALSE(Matches("[a-c]/x[!0-9]", "b/x1"));
  EXPECT_TRUE(Matches("*a*b*", "xaxaxb"));
  EXPECT_FALSE(Matches("*a*b*", "xbxa"));
  EXPECT_TRUE(Matches("[]x-]", "]"));
  EXPECT_TRUE(Matches("[]x-]", "-"));
  EXPECT_TRUE(Matches("a[b", "a[b")) << "no set";
  EXPECT_TRUE(Matches("[\xC3\xA0-\xC3\xBF]", "\xC3\xA9"));
  EXPECT_FALSE(Matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(1000, 'a'))) << "in no time";
}

TEST(NamePattern, TwoStarsStandForAnyFolders) {
  EXPECT_TRUE(Matches("a/**/z", "a/z"));
  EXPECT_TRUE(Matches("a/**/z", "a/b/c/z"));
  EXPECT_FALSE(Matches("a/**/z", "a/b/c/zz"));
  EXPECT_TRUE(Matches("a/**", "a/b/c"));
  EXPECT_FALSE(Matches("a/**", "a"));
  EXPECT_FALSE(Matches("a/**", "ab/c"));
  EXPECT_TRUE(Matches("**/*.txt", "a.txt"));
  EXPECT_TRUE(Matches("**/*.txt", "x/y/a.txt"));
  EXPECT_TRUE(Matches("**", "x/y"));
  EXPECT_TRUE(Matches("a/**/b/**/c", "a/b/x/b/c"));
  EXPECT_FALSE(Matches("a/**/b/**/c", "a/x/c"));
  EXPECT_TRUE(Matches("**/b/*", "b/b/b/x"));
}

TEST(NamePattern, MatchesCharactersAndTakesBackslashes) {
  EXPECT_TRUE(Matches("?.log", "\xC3\xA9.log")) << "one character, two bytes";
  EXPECT_FALSE(Matches("??.log", "\xC3\xA9.log"));
  EXPECT_TRUE(Matches("a\\*b", "a*b"));
  EXPECT_FALSE(Matches("a\\*b", "axb"));
  EXPECT_FALSE(HasPattern("a\\*b"));
  EXPECT_TRUE(HasPattern("a\\\\*b"));
  EXPECT_TRUE(HasPattern("x[1]"));
  EXPECT_FALSE(HasPattern("plain/name"));
  EXPECT_FALSE(NamePattern::Parse("a\\").ok());
  EXPECT_FALSE(NamePattern::Parse("\xFF*").ok());
  EXPECT_FALSE(NamePattern::Parse(std::string(1025, '*')).ok());
  EXPECT_TRUE(Matches("a?b*", "a\xFF" "b\xC3")) << "names of local files may be anything";
  EXPECT_FALSE(Matches("a*", std::string_view("a\0b", 3)));
}

TEST(NamePattern, KnowsWhatEveryMatchBeginsWith) {
  const auto pattern = NamePattern::Parse("logs/20\\*26-*/x/?").value();
  EXPECT_EQ(pattern.prefix(), "logs/20*26-");
  EXPECT_EQ(pattern.folder(), "logs/");
  EXPECT_EQ(NamePattern::Parse("*").value().folder(), "");
  EXPECT_TRUE(pattern.MatchesAbove("logs/20*26-11/x/y/and/below"));
  EXPECT_TRUE(pattern.MatchesAbove("logs/20*26-11/x/y"));
  EXPECT_FALSE(pattern.MatchesAbove("logs/20*26-11/x"));
}

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
