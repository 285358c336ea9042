// What is a request, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/http/beast_parser.h"
#include "server/http/header_block.h"
#include "server/http/request_target.h"
#include "server/http/response.h"
#include "tests/unit/http/bytes_with_nul.h"

namespace dfs::http {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<RequestHead> Parse(const std::string& block) {
  if (const auto status = CheckHeaderBlock(block); !status.ok()) return status;
  BeastParser parser;
  return parser.ParseHead(block);
}

TEST(RequestHead, AGoodOneIsTakenApart) {
  const auto head = Parse(
      "PUT /upload/a%20b?x=1 HTTP/1.1\r\nHost: h:1\r\nContent-LENGTH: 12\r\nX-A:  b \t\r\n"
      "x-a: c\r\nExpect: 100-Continue\r\n\r\n");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->method, "PUT");
  EXPECT_EQ(head->target, "/upload/a%20b?x=1");
  EXPECT_EQ(head->content_length, 12u);
  EXPECT_FALSE(head->is_chunked);
  EXPECT_TRUE(head->expects_continue);
  EXPECT_TRUE(head->keeps_alive);
  EXPECT_EQ(head->Find("x-a"), "b, c");
  EXPECT_EQ(head->Find("x-b"), std::nullopt);
}

TEST(RequestHead, ConnectionsEndAsTheRequestSays) {
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")->keeps_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.0\r\n\r\n")->keeps_alive);
  EXPECT_TRUE(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keeps_alive);
}

TEST(RequestHead, ATrailingChunkedIsTheOnlyCoding) {
  const auto head = Parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_TRUE(head->is_chunked);
  EXPECT_EQ(head->content_length, std::nullopt);
}

struct Bad {
  const char* what;
  std::string block;
};
const std::vector<Bad>& BadHeads() {
  static const std::vector<Bad> heads = {
      {"both framings", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"both, the other way", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"},
      {"two lengths", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"},
      {"two equal lengths", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"},
      {"a list of lengths", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n"},
      {"a signed length", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n"},
      {"a negative length", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n"},
      {"a length in hexadecimal", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\n"},
      {"an empty length", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n"},
      {"a length beyond 64 bits", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"},
      {"another coding", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
      {"chunked not last", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n"},
      {"identity", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n"},
      {"chunked twice", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"a disguised coding", "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0b" "chunked\r\n\r\n"},
      {"chunked in HTTP/1.0", "PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"bare LF after the request line", "GET /a HTTP/1.1\nHost: h\r\n\r\n"},
      {"bare LF after a field", "GET /a HTTP/1.1\r\nHost: h\n\r\n"},
      {"bare LF at the end", "GET /a HTTP/1.1\r\nHost: h\r\n\n"},
      {"bare CR", "GET /a HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"},
      {"a folded field", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"},
      {"a field folded by a tab", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n"},
      {"a folded field that looks like two", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n Content-Length: 3\r\n\r\n"},
      {"a folded first field", "GET /a HTTP/1.1\r\n Host: h\r\n\r\n"},
      {"space before the colon", "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\n"},
      {"a field without colon", "GET /a HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n"},
      {"a field without name", "GET /a HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n"},
      {"a space in a name", "GET /a HTTP/1.1\r\nHost: h\r\nX Y: x\r\n\r\n"},
      {"NUL in a value", WithNul("GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n")},
      {"NUL in the target", WithNul("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n")},
      {"a control character", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n"},
      {"no Host", "GET /a HTTP/1.1\r\n\r\n"},
      {"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"},
      {"HTTP/0.9", "GET /a\r\n\r\n"},
      {"HTTP/2.0", "GET /a HTTP/2.0\r\nHost: h\r\n\r\n"},
      {"HTTP/1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n"},
      {"a lower case version", "GET /a http/1.1\r\nHost: h\r\n\r\n"},
      {"two spaces", "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"a method that is no token", "G@T /a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"an unknown expectation", "PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 200-maybe\r\n\r\n"},
      {"an empty request line", "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
  };
  return heads;
}

TEST(RequestHead, WhatTwoProgramsMayReadDifferentlyIsRefused) {
  for (const auto& bad : BadHeads()) {
    EXPECT_FALSE(Parse(bad.block).ok()) << bad.what;
  }
  std::string many = "GET /a HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 0; i < kFieldsMax; ++i) many += "X: y\r\n";
  EXPECT_FALSE(Parse(many + "\r\n").ok()) << "too many fields";
}

TEST(RequestHead, TheEndIsFoundOnceItIsThere) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t n = 0; n < head.size(); ++n) {
    EXPECT_EQ(FindHeadEnd(head.substr(0, n)), std::nullopt) << n;
  }
  EXPECT_EQ(FindHeadEnd(head + "more\r\n\r\n"), head.size());
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\nHost: h\n\nmore"), 24u) << "to be refused, not waited for";
}

// All of a chunked body, given in pieces of `step` bytes; empty if refused.
absl::StatusOr<std::string> Dechunk(const std::string& body, std::size_t step,
                                    std::size_t data_max = 1'000) {
  BeastParser parser;
  const auto head =
      parser.ParseHead("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  if (!head.ok()) return head.status();
  std::string out;
  std::string unread;
  for (std::size_t at = 0; true;) {
    const auto taken = parser.ParseChunked(unread, data_max);
    if (!taken.ok()) return taken.status();
    EXPECT_LE(taken->data.size(), data_max);
    out += taken->data;
    unread.erase(0, taken->consumed);
    if (taken->is_end) return out + "|" + unread + body.substr(at);
    if (taken->consumed > 0) continue;
    if (at >= body.size()) return absl::CancelledError("not the end");
    const std::size_t more = std::min(step, body.size() - at);
    unread += body.substr(at, more);
    at += more;
  }
}

TEST(Chunks, AreJoinedHoweverTheyCome) {
  const std::string body =
      "5\r\nhello\r\n1;a=b;c=\"d e\"\r\n \r\n00B\r\nworld, all\n\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    const auto got = Dechunk(body, step);
    ASSERT_TRUE(got.ok()) << step << ": " << got.status();
    EXPECT_EQ(*got, "hello world, all\n|GET / HTTP/1.1") << step;
    const auto bit_by_bit = Dechunk(body, step, 1);
    ASSERT_TRUE(bit_by_bit.ok()) << step;
    EXPECT_EQ(*bit_by_bit, *got) << step;
  }
  EXPECT_EQ(*Dechunk("0\r\n\r\n", 1), "|");
}

TEST(Chunks, MalformedOnesAreRefused) {
  for (const std::string body :
       {"x\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n", "11111111111111111\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n", "5;\x01\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"}) {
    for (const std::size_t step : {std::size_t{1}, body.size()}) {
      const auto got = Dechunk(body, step);
      EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument) << body << step;
    }
  }
}

// Nothing that a client sends may stop the process: every byte of a body changed, removed or doubled.
TEST(Chunks, NoDamageIsMoreThanARefusal) {
  const std::string body = "5\r\nhello\r\n1;a=\"b\"\r\n \r\n0\r\nX: y\r\n\r\n";
  const std::string bytes = WithNul("\r\n0;:\"\x00\xff");
  int refused = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::vector<std::string> variants = {body, body};
    variants[0].erase(i, 1);
    variants[1].insert(i, 1, body[i]);
    for (const char c : bytes) {
      variants.push_back(body);
      variants.back()[i] = c;
    }
    for (const auto& variant : variants) {
      const auto whole = Dechunk(variant, variant.size());
      const auto single = Dechunk(variant, 1);
      EXPECT_EQ(whole.ok(), single.ok()) << i << " " << variant;
      refused += whole.ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Target, PathAndQueryAreDecoded) {
  const auto target = ParseTarget("/upload/a%20b+c/%C3%BC?bucket=x%2By&e&f=a+b&&");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->path, "/upload/a b+c/\xC3\xBC");
  EXPECT_EQ(target->Find("bucket"), "x+y");
  EXPECT_EQ(target->Find("e"), "");
  EXPECT_EQ(target->Find("f"), "a b");
  EXPECT_EQ(target->Find("g"), std::nullopt);
  EXPECT_EQ(ParseTarget("http://host:1/files?x=y")->path, "/files");
  EXPECT_EQ(ParseTarget("http://host")->path, "/");
  EXPECT_EQ(ParseTarget("/a/../b")->path, "/a/../b") << "names are never normalised";
}

TEST(Target, MalformedOnesAreRefused) {
  for (const std::string bad : {"/%", "/%4", "/%zz", "/%4g", "/%ff", "/%C3", "/a?b=%", "/a?b=%ff", "*",
                                "files", "/a#b", "/a?b=1&b=2", "/%ED%A0%80", "/%C0%AF"}) {
    EXPECT_FALSE(ParseTarget(bad).ok()) << bad;
  }
}

TEST(Target, EncodingIsUndoneByDecoding) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(DecodePercent(EncodePercent(all), true), all);
  EXPECT_EQ(EncodePercent("a b/\xC3\xBC"), "a%20b%2F%C3%BC");
}

TEST(ResponseHead, SaysHowTheBodyIsFramed) {
  Response response;
  response.code = 404;
  response.fields = {{"Allow", "GET"}};
  const std::string head =
      HeadOf(response, Framing::kLength, 3, true, absl::FromUnixSeconds(784'111'777));
  EXPECT_EQ(head,
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nAllow: GET\r\n"
            "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(HeadOf(response, Framing::kChunked, 0, false, absl::UnixEpoch()),
              HasSubstr("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
}

}  // namespace
}  // namespace dfs::http
