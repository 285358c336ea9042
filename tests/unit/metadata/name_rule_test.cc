#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/metadata/metadata_machine.h"

namespace dfs::metadata {
namespace {

using namespace std::string_view_literals;

struct Case {
  std::string name;
  bool is_good = false;
};

std::string Utf8(std::uint32_t c) {
  std::string out;
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F))); };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

std::vector<Case> Components() {
  std::vector<Case> cases;
  for (const std::string_view name :
       {"a"sv,        "a/b"sv,      "a/b/c"sv,     "..."sv,       "a.."sv,       "..a"sv,
        ".a"sv,       "a."sv,       ".../..."sv,   "a/.b"sv,      "a/b."sv,      "a/..b"sv,
        "a/b.."sv,    "%2e%2e"sv,   "%2e%2e/x"sv,  "%2f"sv,       "%00"sv,       "a\\b"sv,
        "\\"sv,       "..\\.."sv,   "C:\\x"sv,     "C:"sv,        "~"sv,         "~/x"sv,
        " "sv,        " a"sv,       "a "sv,        "-"sv,         "--help"sv,    "-rf"sv,
        "*"sv,        "?"sv,        "a*b"sv,       "$HOME"sv,     "`x`"sv,       "a;b"sv,
        "a|b"sv,      "a&b"sv,      "<a>"sv,       "\"a\""sv,     "'a'"sv,       "{a}"sv,
        "a:b"sv,      "a@b"sv,      "#a"sv,        "a=b"sv,       "a,b"sv,       "CON"sv,
        "NUL"sv,      "aux.txt"sv,  "a/b/c/d/e"sv, ". ."sv,       ".. "sv,       " .."sv,
        "..;"sv,      "....//"sv}) {
    cases.push_back({std::string(name), name != "....//"});
  }
  for (const std::string_view name :
       {""sv,        "/"sv,       "//"sv,      "/a"sv,      "a/"sv,      "a//b"sv,   "//a"sv,
        "a//"sv,     "."sv,       ".."sv,      "./a"sv,     "../a"sv,    "a/."sv,    "a/.."sv,
        "a/./b"sv,   "a/../b"sv,  "../../a"sv, "a/b/.."sv,  "a/b/."sv,   "/.."sv,    "../"sv,
        "./"sv,      "/."sv,      "a/../../b"sv, "../../../etc/passwd"sv, "/etc/passwd"sv,
        "a/b/"sv,    "///"sv,     "a///b"sv,   "./."sv,     "../.."sv}) {
    cases.push_back({std::string(name), false});
  }
  return cases;
}

std::vector<Case> Controls() {
  std::vector<Case> cases;
  // U+0000 to U+001F, U+007F, U+0080 to U+009F: alone, and inside a name.
  for (std::uint32_t c = 0; c <= 0x9F; ++c) {
    if (c >= 0x20 && c < 0x7F) continue;
    cases.push_back({Utf8(c), false});
    cases.push_back({"a" + Utf8(c) + "b", false});
  }
  // Neighbours of the ranges, and what is no control character (category Cc) though it is invisible: the line
  // and paragraph separators, joiners, marks of direction, the byte order mark, noncharacters.
  for (const std::uint32_t c : {0x20u, 0x7Eu, 0xA0u, 0xADu, 0x200Bu, 0x200Du, 0x200Eu, 0x2028u, 0x2029u,
                                0x202Eu, 0x2060u, 0xFEFFu, 0xFFFDu, 0xFFFEu, 0xFFFFu, 0xE000u}) {
    cases.push_back({"a" + Utf8(c) + "b", true});
  }
  return cases;
}

std::vector<Case> Encodings() {
  std::vector<Case> cases;
  for (const std::uint32_t c : {0x80u + 0x20u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x1F600u,
                                0x10FFFFu, 0x4E2Du, 0x3042u, 0x5D0u, 0x627u}) {
    cases.push_back({Utf8(c), true});
    cases.push_back({"d/" + Utf8(c) + Utf8(c), true});
    const std::string cut = Utf8(c).substr(0, Utf8(c).size() - 1);
    cases.push_back({cut, false});
    cases.push_back({cut + "a", false});
    cases.push_back({Utf8(c) + "\x80", false});  // one byte too many
  }
  for (const std::string_view bytes :
       {"\x80"sv,             "\xBF"sv,             "\xC0\xAF"sv /* overlong / */,
        "\xC0\xAE\xC0\xAE"sv /* overlong .. */,     "\xC1\xBF"sv,
        "\xC0\x80"sv /* overlong NUL */,            "\xE0\x80\xAF"sv,
        "\xE0\x80\xAE"sv,     "\xE0\x9F\xBF"sv,     "\xF0\x80\x80\xAF"sv,
        "\xF0\x8F\xBF\xBF"sv, "\xED\xA0\x80"sv /* surrogates */,
        "\xED\xAF\xBF"sv,     "\xED\xB0\x80"sv,     "\xED\xBF\xBF"sv,
        "\xED\xA0\xBD\xED\xB8\x80"sv /* an emoji in CESU-8 */,
        "\xF4\x90\x80\x80"sv /* above U+10FFFF */,  "\xF5\x80\x80\x80"sv,
        "\xF7\xBF\xBF\xBF"sv, "\xF8\x88\x80\x80\x80"sv, "\xFC\x84\x80\x80\x80\x80"sv,
        "\xFE"sv,             "\xFF"sv,             "\xFE\xFF"sv,
        "\xC3"sv,             "\xC3("sv,            "\xE2\x82"sv,
        "\xE2(\xA1"sv,        "\xE2\x82("sv,        "\xF0(\x8C\xBC"sv,
        "\xF0\x90(\xBC"sv,    "\xF0\x28\x8C\x28"sv, "caf\xE9"sv /* Latin-1 */}) {
    cases.push_back({std::string(bytes), false});
    cases.push_back({"a/" + std::string(bytes) + "/b", false});
  }
  cases.push_back({"\xF0\x9F\x98\x80", true});
  cases.push_back({"\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xAC.txt", true});  // two emoji joined
  cases.push_back({"\xC3\xA9", true});    // NFC
  cases.push_back({"e\xCC\x81", true});   // NFD: another name, see NamesAreNeverNormalised
  cases.push_back({"\xEF\xBC\x8E\xEF\xBC\x8E", true});  // fullwidth full stops are no dots
  cases.push_back({"\xE2\x88\x95", true});              // division slash is no slash
  return cases;
}

std::vector<Case> Lengths() {
  std::vector<Case> cases;
  for (const std::size_t length : {1u, 255u, 256u, 1'023u, 1'024u}) {
    cases.push_back({std::string(length, 'x'), true});
  }
  for (const std::size_t length : {1'025u, 2'048u, 100'000u}) {
    cases.push_back({std::string(length, 'x'), false});
  }
  // Bytes count, not characters.
  std::string wide;
  for (int i = 0; i < 512; ++i) wide += "\xC3\xA9";
  cases.push_back({wide, true});
  cases.push_back({wide + "x", false});
  std::string deep = "a";
  while (deep.size() + 2 <= 1'024) deep += "/a";
  cases.push_back({deep, true});
  return cases;
}

TEST(CheckName, TellsGoodFromBad) {
  std::size_t count = 0;
  for (const auto& cases : {Components(), Controls(), Encodings(), Lengths()}) {
    for (const Case& c : cases) {
      ++count;
      const absl::Status status = CheckName(c.name);
      EXPECT_EQ(status.ok(), c.is_good) << ::testing::PrintToString(c.name) << " " << status;
      if (!status.ok()) {
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_FALSE(status.message().empty());
      }
    }
  }
  EXPECT_GE(count, 200u);
}

TEST(CheckName, SaysWhatIsWrong) {
  const auto message = [](std::string_view name) {
    const absl::Status status = CheckName(name);
    return std::string(status.message().data(), status.message().size());
  };
  EXPECT_EQ(message(""), "the name is empty");
  EXPECT_EQ(message("/a"), "the name begins with \"/\"");
  EXPECT_EQ(message("a/"), "the name ends with \"/\"");
  EXPECT_EQ(message("a//b"), "the name contains \"//\"");
  EXPECT_EQ(message("a/../b"), "a part of the name is \".\" or \"..\"");
  EXPECT_EQ(message("\n"), "the name contains a control character");
  EXPECT_EQ(message("\xFF"), "the name is not valid UTF-8");
  EXPECT_EQ(message(std::string(1'025, 'a')), "the name is longer than 1,024 bytes");
}

// A message never carries the name: it may hold anything, and messages end up in logs.
TEST(CheckName, MessageDoesNotRepeatTheName) {
  const absl::Status status = CheckName("secret\x1b[31m");
  EXPECT_EQ(std::string(status.message().data(), status.message().size()).find("secret"),
            std::string::npos);
}

}  // namespace
}  // namespace dfs::metadata
