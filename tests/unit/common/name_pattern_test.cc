#include "common/name_pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace dfs {
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

TEST(NamePattern, ABackslashCountsAtBothEndsOfARange) {
  EXPECT_TRUE(Matches("[+-\\]]", "]"));
  EXPECT_TRUE(Matches("[+-\\]]", "A"));
  EXPECT_FALSE(Matches("[+-\\]]", "+]"));
  EXPECT_FALSE(Matches("[+-\\]]", "a"));
  EXPECT_TRUE(Matches("[a-\\z]", "m"));
  EXPECT_FALSE(Matches("[a-\\z]", "\\"));
  EXPECT_TRUE(Matches("[\\a-c]", "b"));
  EXPECT_TRUE(Matches("[a\\-c]", "-"));
  EXPECT_FALSE(Matches("[a\\-c]", "b"));
  EXPECT_TRUE(Matches("[\\\\-\\]]", "\\"));
  EXPECT_TRUE(Matches("[a-\\]", "[a-]")) << "the bracket is not closed";
}

TEST(NamePattern, ASlashEndsAComponentWithABackslashToo) {
  EXPECT_TRUE(Matches("a\\/b*", "a/bc"));
  EXPECT_EQ(NamePattern::Parse("a\\/b*").value().prefix(), "a/b");
  EXPECT_FALSE(Matches("a\\/b*", "a\\/bc"));
  EXPECT_TRUE(Matches("a\\\\/b*", "a\\/bc")) << "that one is a character of the name";
  EXPECT_EQ(NamePattern::Parse("a\\\\/b*").value().prefix(), "a\\/b");
  EXPECT_TRUE(Matches("**\\/z", "a/b/z"));
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

// The rule itself, trying everything: what the pattern's components and characters may stand for.
bool MeansOne(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return MeansOne(pattern.substr(1), text) || (!text.empty() && MeansOne(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && MeansOne(pattern.substr(1), text.substr(1));
}
bool Means(std::vector<std::string> pattern, std::vector<std::string> name) {
  if (pattern.empty()) return name.empty();
  const std::string first = pattern[0];
  const std::vector<std::string> rest(pattern.begin() + 1, pattern.end());
  if (first != "**") {
    return !name.empty() && MeansOne(first, name[0]) && Means(rest, {name.begin() + 1, name.end()});
  }
  // At the end it stands for one component at least.
  for (std::size_t i = rest.empty() ? 1 : 0; i <= name.size(); ++i) {
    if (Means(rest, {name.begin() + static_cast<std::ptrdiff_t>(i), name.end()})) return true;
  }
  return false;
}
std::string Joined(const std::vector<std::string>& parts) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) out += (i == 0 ? "" : "/") + parts[i];
  return out;
}

TEST(NamePattern, MeansWhatTryingEverythingMeans) {
  std::mt19937 random(7);
  const auto pick = [&](const std::vector<std::string>& words, std::size_t parts_max) {
    std::vector<std::string> out(1 + random() % parts_max);
    for (std::string& part : out) {
      if (words.size() > 3 && random() % 3 == 0) {
        part = "**";
        continue;
      }
      for (std::size_t n = 1 + random() % 3; n > 0; --n) part += words[random() % words.size()];
    }
    return out;
  };
  int matches = 0;
  int above = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto pattern = pick({"a", "b", "*", "?"}, 4);
    const auto name = pick({"a", "b"}, 5);
    const auto parsed = NamePattern::Parse(Joined(pattern)).value();
    const bool means = Means(pattern, name);
    bool means_above = false;
    for (std::size_t n = 1; n <= name.size(); ++n) {
      means_above |= Means(pattern, {name.begin(), name.begin() + static_cast<std::ptrdiff_t>(n)});
    }
    ASSERT_EQ(parsed.Matches(Joined(name)), means) << Joined(pattern) << "  " << Joined(name);
    ASSERT_EQ(parsed.MatchesAbove(Joined(name)), means_above) << Joined(pattern) << "  " << Joined(name);
    matches += means ? 1 : 0;
    above += means_above ? 1 : 0;
  }
  EXPECT_GT(matches, 1'000);
  EXPECT_GT(above, matches);
  EXPECT_LT(above, 18'000);
}

TEST(NamePattern, HostilePatternsCostNoMoreThanTheirLengthTimesThatOfTheName) {
  const auto repeated = [](std::string_view word, std::size_t bytes) {
    std::string out;
    while (out.size() + word.size() <= bytes) out += word;
    return out;
  };
  const std::pair<std::string, std::string> cases[] = {
      {repeated("*a", 1'000) + "*b", std::string(1'024, 'a')},
      {"*" + std::string(500, 'a') + "b", std::string(1'024, 'a')},
      {repeated("**/a/", 1'000) + "b", repeated("a/", 1'022) + "a"},
      {repeated("**/*a*/", 1'000) + "b", repeated("aaaa/", 1'020) + "a"},
      {"*[" + repeated("b-c", 1'000) + "]*[" + "d]", std::string(1'024, 'a')},
      {repeated("*a*/", 1'000) + "b", repeated("aaaa/", 1'020) + "a"},
      {repeated("[", 1'024), std::string(1'024, '[')},
  };
  for (const auto& [pattern, name] : cases) {
    const auto parsed = NamePattern::Parse(pattern).value();
    std::uint64_t steps = 0;
    [[maybe_unused]] const bool matches = parsed.Matches(name, &steps);
    EXPECT_LE(steps, 2 * pattern.size() * name.size()) << pattern;
    EXPECT_GT(steps, 0U);
    steps = 0;
    [[maybe_unused]] const bool above = parsed.MatchesAbove(name, &steps);
    EXPECT_LE(steps, 2 * pattern.size() * name.size()) << pattern;
  }
}

}  // namespace
}  // namespace dfs
