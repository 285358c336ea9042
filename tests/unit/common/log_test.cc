#include <glog/logging.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "common/log_text.h"
#include "common/posix_log.h"

namespace dfs {
namespace {

TEST(LogText, LeavesWhatCannotHarm) {
  for (const std::string text : {"", "plain \\ \"text\"", "größer 文件 \xf0\x9f\x98\x80"}) EXPECT_EQ(OneLine(text), text);
  EXPECT_EQ(OneLine(OneLine("a\n\xff")), OneLine("a\n\xff"));
}

TEST(LogText, EscapesWhatEndsALineSteersATerminalOrIsNoText) {
  EXPECT_EQ(OneLine("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(OneLine(std::string("\0\x1b[31m\x7f", 7)), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(OneLine("\xc2\x85|\xc2\x9b|\xe2\x80\xa8|\xe2\x80\xae|\xe2\x81\xa6|\xef\xbb\xbf"),
            "\\u0085|\\u009b|\\u2028|\\u202e|\\u2066|\\ufeff");
  EXPECT_EQ(OneLine("\xff\xc3(\x80"), "\\xff\\xc3(\\x80");
}

TEST(LogText, AQuotedValueEndsWhereItSaysSo) {
  EXPECT_EQ(QuotedForLog(""), "\"\"");
  EXPECT_EQ(QuotedForLog("a\" size=1 b=\"\\"), "\"a\\\" size=1 b=\\\"\\\\\"");
  EXPECT_EQ(QuotedForLog("\xc3\xb6\n\""), "\"\xc3\xb6\\n\\\"\"");
}

TEST(LogDeathTest, AnEventIsOneLineOnStandardError) {
  const auto log = [] {
    StartLog("test");
    LOG(WARNING) << "got \"x\nE0101 00:00:00.000000     1 node.cc:1] forged\"";
    LOG(INFO) << "the next";
    _exit(0);
  };
  EXPECT_EXIT(log(), ::testing::ExitedWithCode(0),
              "^W[0-9]+ [^\n]*log_test.cc:[0-9]+\\] got \"x\\\\nE0101 [^\n]* forged\"\nI[0-9]+ [^\n]*\\] the next\n$");
}

TEST(LogDeathTest, AFatalOneIsNotLost) {
  const auto log = [] {
    StartLog("test");
    CHECK_EQ(1, 2) << "first\nsecond";
  };
  EXPECT_DEATH(log(), "F[0-9]+ [^\n]*Check failed: 1 == 2 [^\n]*first\\\\nsecond\n");
}

}  // namespace
}  // namespace dfs
