// Forms with files, in pieces of any size.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "server/http/multipart_reader.h"

namespace dfs::http {
namespace {

// A body that comes in pieces of `step` bytes.
MultipartReader::More InPieces(std::string body, std::size_t step) {
  return [body = std::move(body), step, at = std::size_t{0}]() mutable -> absl::StatusOr<Slices> {
    const std::string piece = body.substr(std::min(at, body.size()), step);
    at += piece.size();
    return Slices::CopyOf(piece);
  };
}

// "name/filename=content;" for each part, or the error.
std::string ReadAll(const std::string& body, std::size_t step, std::size_t bytes_max = 7) {
  MultipartReader reader("XX", InPieces(body, step));
  std::string out;
  while (true) {
    const auto part = reader.NextPart();
    if (!part.ok()) return out + "error";
    if (!*part) return out;
    out += (*part)->name + "/" + (*part)->filename.value_or("none") + "=";
    while (true) {
      const auto piece = reader.ReadPart(bytes_max);
      if (!piece.ok()) return out + "error";
      if (piece->empty()) break;
      EXPECT_LE(piece->size(), bytes_max);
      out += piece->ToString();
    }
    out += ";";
  }
}

std::string PartOf(const std::string& disposition, const std::string& content) {
  return "--XX\r\nContent-Disposition: " + disposition + "\r\nContent-Type: text/plain\r\n\r\n" +
         content + "\r\n";
}

// Feature 12.
TEST(Multipart, PartsAreWholeHoweverTheyCome) {
  const std::string tricky = "\r\n--X\r\n--\r\r\n--XY \r\n-";
  const std::string body = "preamble\r\n" + PartOf("form-data; name=\"t\"", "text") +
                           PartOf("form-data; name=\"f\"; filename=\"a/b.txt\"", tricky) +
                           PartOf("form-data; name=g; filename=\"\"", "") + "--XX--\r\nepilogue";
  const std::string expected = "t/none=text;f/a/b.txt=" + tricky + ";g/=;";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    ASSERT_EQ(ReadAll(body, step), expected) << step;
  }
  EXPECT_EQ(ReadAll(body, body.size(), 100'000), expected);
}

TEST(Multipart, APartThatIsNotReadIsPassedOver) {
  MultipartReader reader("XX", InPieces(PartOf("form-data; name=a", std::string(5'000'000, 'x')) +
                                            PartOf("form-data; name=b; filename=c", "d") + "--XX--",
                                        100'000));
  ASSERT_EQ(reader.NextPart().value()->name, "a");
  EXPECT_EQ(reader.ReadPart(3)->ToString(), "xxx");
  ASSERT_EQ(reader.NextPart().value()->name, "b");
  EXPECT_EQ(reader.ReadPart(3)->ToString(), "d");
  EXPECT_FALSE(reader.NextPart().value().has_value());
  EXPECT_FALSE(reader.NextPart().value().has_value());
}

TEST(Multipart, FileNamesAreTakenAsTheyAreMeant) {
  const auto name_of = [](const std::string& disposition) {
    MultipartReader reader("XX", InPieces(PartOf(disposition, "x") + "--XX--", 1'000));
    const auto part = reader.NextPart();
    return part.ok() && *part ? (*part)->filename.value_or("none") : "error";
  };
  EXPECT_EQ(name_of("form-data; name=\"a\"; filename=\"x \\\"y\\\" z;.txt\""), "x \"y\" z;.txt");
  EXPECT_EQ(name_of("form-data; filename=\"C:\\dir\\x.txt\"; name=a"), "C:\\dir\\x.txt");
  EXPECT_EQ(name_of("Form-Data; FileName=plain ; name=a"), "plain");
  EXPECT_EQ(name_of("form-data; name=a; filename=\"\xC3\xBC\""), "\xC3\xBC");
  EXPECT_EQ(name_of("form-data; name=\"filename=x\""), "none");
  EXPECT_EQ(name_of("attachment; filename=x"), "error");
  EXPECT_EQ(name_of("form-data; name=a; filename=\"open"), "error");
  EXPECT_EQ(name_of("form-data; filename=a; filename=b"), "error");
}

TEST(Multipart, WhatIsNotWholeOrMalformedIsAnError) {
  const std::string part = PartOf("form-data; name=a; filename=b", "content");
  EXPECT_EQ(ReadAll(part + "--XX--", 1'000), "a/b=content;") << "no line end is needed at the end";
  for (std::size_t n = 0; n <= part.size(); ++n) {
    EXPECT_TRUE(ReadAll(part.substr(0, n), 1'000).ends_with("error")) << "cut off after " << n;
  }
  EXPECT_EQ(ReadAll(part + "--XX", 1'000), "a/b=content;error");
  EXPECT_EQ(ReadAll("", 1'000), "error");
  EXPECT_EQ(ReadAll("--XX junk\r\n\r\n\r\n--XX--", 1'000), "error");
  EXPECT_EQ(ReadAll("--XX\r\nContent-Type: x\r\n\r\nabc\r\n--XX--", 1'000), "error");
  EXPECT_EQ(ReadAll("--XX\r\nnonsense\r\n\r\nabc\r\n--XX--", 1'000), "error");
  const std::string long_field = "--XX\r\nX: " + std::string(MultipartReader::kPartHeadBytesMax, 'x');
  EXPECT_EQ(ReadAll(long_field + "\r\n\r\n\r\n--XX--", 1'000), "error");
  std::string many;
  for (int i = 0; i <= MultipartReader::kPartsMax; ++i) many += PartOf("form-data; name=a", "");
  EXPECT_TRUE(ReadAll(many + "--XX--", 100'000).ends_with("error"));
}

TEST(Boundary, IsThatOfTheContentType) {
  EXPECT_EQ(BoundaryOf("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(BoundaryOf("Multipart/Form-Data; charset=utf-8; Boundary=\"a b:c\""), "a b:c");
  EXPECT_EQ(BoundaryOf("multipart/form-data"), "");
  EXPECT_EQ(BoundaryOf("multipart/form-data; boundary=" + std::string(71, 'a')), "");
  EXPECT_EQ(BoundaryOf("application/json"), std::nullopt);
  EXPECT_EQ(BoundaryOf("multipart/form-database; boundary=a"), std::nullopt);
  EXPECT_EQ(BoundaryOf(""), std::nullopt);
}

}  // namespace
}  // namespace dfs::http
