// Entity tags, ranges and names of attachments.
#include <gtest/gtest.h>

#include "server/http/content_disposition.h"
#include "server/http/entity_tag.h"
#include "server/http/upload_form.h"

namespace dfs::http {
namespace {

TEST(EntityTag, NamesVersionAndContent) {
  v1::FileInfo file;
  file.set_version(42);
  file.set_content_hash(std::string("\x01\xab", 2));
  EXPECT_EQ(EntityTagOf(file), "\"42-01ab\"");
}

TEST(TagList, IsParsedStrictly) {
  const auto list = ParseTagList("\"a\", W/\"b\" ,\"c,d\"");
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->tags, (std::vector<std::string>{"\"a\"", "W/\"b\"", "\"c,d\""}));
  EXPECT_TRUE(ParseTagList(" * ")->is_any);
  for (const std::string_view bad : {"", "a", "\"a", "\"a\" \"b\"", "*, \"a\"", "W/a", ","}) {
    EXPECT_FALSE(ParseTagList(bad).ok()) << bad;
  }
}

TEST(TagList, AWeakTagMatchesOnlyWhereWeakIsEnough) {
  const auto list = ParseTagList("W/\"a\", \"b\"");
  EXPECT_TRUE(MatchesWeakly(*list, "\"a\""));
  EXPECT_FALSE(MatchesStrongly(*list, "\"a\""));
  EXPECT_TRUE(MatchesStrongly(*list, "\"b\""));
  EXPECT_FALSE(MatchesWeakly(*list, "\"c\""));
  EXPECT_TRUE(MatchesStrongly(*ParseTagList("*"), "\"c\""));
}

struct RangeCase {
  const char* text;
  std::uint64_t size;
  std::uint64_t offset;
  std::uint64_t length;
};

TEST(ByteRange, IsCutAtTheEndOfTheFile) {
  for (const auto& one : {RangeCase{"bytes=0-0", 10, 0, 1}, RangeCase{"bytes=2-5", 10, 2, 4},
                          RangeCase{"bytes=2-", 10, 2, 8}, RangeCase{"bytes=2-99", 10, 2, 8},
                          RangeCase{"bytes=-3", 10, 7, 3}, RangeCase{"bytes=-99", 10, 0, 10},
                          RangeCase{"BYTES=9-9", 10, 9, 1},
                          RangeCase{"bytes=0-9223372036854775807", 10, 0, 10}}) {
    const auto range = ParseRange(one.text);
    ASSERT_TRUE(range.has_value()) << one.text;
    const auto span = Resolve(*range, one.size);
    ASSERT_TRUE(span.has_value()) << one.text;
    EXPECT_EQ(span->offset, one.offset) << one.text;
    EXPECT_EQ(span->length, one.length) << one.text;
  }
}

TEST(ByteRange, BeyondTheEndIsUnsatisfiable) {
  EXPECT_FALSE(Resolve(*ParseRange("bytes=10-"), 10).has_value());
  EXPECT_FALSE(Resolve(*ParseRange("bytes=0-"), 0).has_value());
  EXPECT_FALSE(Resolve(*ParseRange("bytes=-0"), 10).has_value());
  EXPECT_FALSE(Resolve(*ParseRange("bytes=-5"), 0).has_value());
}

TEST(ByteRange, OthersAreIgnored) {
  for (const std::string_view text :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=1-2,4-5", "lines=1-2",
        "bytes=1", "bytes=+1-2", "bytes=0x1-2", "bytes=99999999999999999999-"}) {
    EXPECT_FALSE(ParseRange(text).has_value()) << text;
  }
}

TEST(Attachment, CannotLeaveItsField) {
  EXPECT_EQ(AttachmentNamed("a/b/report.pdf"), "attachment; filename=\"report.pdf\"");
  EXPECT_EQ(AttachmentNamed("x\"; filename=evil.exe"),
            "attachment; filename=\"x_; filename=evil.exe\"; "
            "filename*=UTF-8''x%22%3B%20filename%3Devil.exe");
  EXPECT_EQ(AttachmentNamed("a\r\nSet-Cookie: x"),
            "attachment; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x");
  EXPECT_EQ(AttachmentNamed("\xC3\xBC.txt"),
            "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%BC.txt");
  EXPECT_EQ(AttachmentNamed("100%.txt"), "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt");
}

// Feature 44.
TEST(UploadLimit, IsNamedAsItWasConfigured) {
  EXPECT_EQ(FormatLimit(std::uint64_t{1} << 30), "1GB");
  EXPECT_EQ(FormatLimit(std::uint64_t{1536} << 20), "1536MB");
  EXPECT_EQ(FormatLimit(64 << 10), "64KB");
  EXPECT_EQ(FormatLimit(1'000), "1000 bytes");
}

}  // namespace
}  // namespace dfs::http
