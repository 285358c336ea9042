// The HTTP door of real nodes. With all its endpoints.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/integration/http_fixture.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The promise is 5 s; the rest is for a busy machine.
constexpr absl::Duration kVerdictTimeout = absl::Milliseconds(5'500);

// All of a literal that holds a NUL.
template <std::size_t N>
std::string WithNul(const char (&text)[N]) {
  return std::string(text, N - 1);
}

TEST_F(Http, UploadAndDownloadOnAnyNode) {
  int node = 0;
  for (const std::size_t size : {0u, 1u, 511u, 1024u, 1025u, 262'144u, 262'145u, 1'048'577u}) {
    const std::string name = "any-node/" + std::to_string(size);
    const std::string content = MakeBytes(size, size);
    const int to = 1 + node++ % 3;
    const auto put = At(to).Ask(size % 2 == 0 ? "PUT" : "POST", "/upload/" + name, {}, content);
    ASSERT_EQ(put.code, 201) << put.body;
    EXPECT_THAT(put.body, StartsWith("{\"name\":\"" + name + "\",\"size\":" + std::to_string(size) + ","));
    EXPECT_THAT(put.body, HasSubstr("\"version\":"));
    EXPECT_FALSE(put.Field("etag").empty());
    for (int n = 1; n <= 3; ++n) {
      const auto got = At(n).Get("/upload/" + name);
      EXPECT_EQ(got.code, 200);
      EXPECT_TRUE(got.is_whole);
      EXPECT_TRUE(got.body == content) << size << " bytes from n" << n;
      EXPECT_EQ(got.Field("etag"), put.Field("etag"));
      EXPECT_EQ(got.Field("content-type"), "application/octet-stream");
      EXPECT_EQ(got.Field("cache-control"), "no-cache");
    }
    const auto head = At(1 + node % 3).Ask("HEAD", "/upload/" + name);
    EXPECT_EQ(head.code, 200);
    EXPECT_EQ(head.Field("content-length"), std::to_string(size));
    // The other doors hold the same bytes.
    EXPECT_EQ(Get(client(), name).value_or("error"), content);
  }
  ASSERT_OK(Put(client(), "any-node/by-grpc", "through the other door"));
  EXPECT_EQ(At(2).Get("/upload/any-node/by-grpc").body, "through the other door");
  Proved("feature 13: /upload on any node, equal bytes over HTTP and gRPC");
}

// Features 5, 10, 13, 45.
TEST_F(Http, FilesStatusAndDelete) {
  EXPECT_EQ(At(1).Get("/files?prefix=none/").body, "[]\n");
  for (const char* name : {"list/b", "list/a", "list/%C3%BC%22", "list/c"}) {
    ASSERT_EQ(At(1).Ask("PUT", std::string("/upload/") + name, {}, "x").code, 201);
  }
  // Each line says how many copies there are: none is to come between two listings.
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  const auto all = At(2).Get("/files?prefix=list/");
  EXPECT_EQ(all.code, 200);
  EXPECT_TRUE(all.is_whole);
  std::size_t at = 0;
  for (const char* name : {"[{\"name\":\"list/a\",\"size\":1,\"version\":", "{\"name\":\"list/b\"",
                           "{\"name\":\"list/c\"", "{\"name\":\"list/\xC3\xBC\\\"\""}) {
    at = all.body.find(name, at);
    ASSERT_NE(at, std::string::npos) << name << " in " << all.body;
  }
  EXPECT_EQ(At(1).Get("/files?pattern=list/%3F*&prefix=li").body, all.body);
  EXPECT_EQ(At(2).Get("/files?pattern=none/*").body, "[]\n");
  EXPECT_EQ(At(2).Get("/files?pattern=%5C").code, 400);
  const auto page = At(3).Get("/files?prefix=list/&after=list/a&limit=1");
  EXPECT_THAT(page.body, HasSubstr("list/b"));
  EXPECT_THAT(page.body, Not(HasSubstr("list/c")));

  const auto removed = At(3).Ask("DELETE", "/upload/list/a");
  EXPECT_EQ(removed.code, 200);
  EXPECT_THAT(removed.body, HasSubstr("\"version\":"));
  EXPECT_EQ(At(1).Get("/upload/list/a").code, 404);
  EXPECT_EQ(At(2).Ask("HEAD", "/upload/list/a").code, 404);
  const auto again = At(2).Ask("DELETE", "/upload/list/a");
  EXPECT_EQ(again.code, 404);
  EXPECT_THAT(again.body, StartsWith("{\"error\":\""));

  int leaders = 0;
  for (int n = 1; n <= 3; ++n) {
    const auto status = At(n).Get("/status");
    EXPECT_EQ(status.code, 200);
    const auto grpc = cluster().Status(n);
    ASSERT_OK(grpc.status());
    const auto own = std::find_if(grpc->nodes().begin(), grpc->nodes().end(), [&](const auto& node) {
      return node.name() == "n" + std::to_string(n);
    });
    ASSERT_NE(own, grpc->nodes().end());
    EXPECT_THAT(status.body,
                StartsWith("{\"node_id\":" + std::to_string(own->node_id()) + ",\"is_leader\":"));
    EXPECT_THAT(status.body, HasSubstr("\"status\":\""));
    EXPECT_THAT(status.body, HasSubstr("\"leader\":\"" + grpc->leader() + "\""));
    const auto time = status.body.find("\"timestamp\":\"");
    ASSERT_NE(time, std::string::npos);
    std::string error;
    absl::Time parsed;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, status.body.substr(time + 13, 27), &parsed, &error))
        << error << " " << status.body;
    if (status.body.find("\"is_leader\":true") != std::string::npos) ++leaders;
  }
  EXPECT_EQ(leaders, 1);
  const auto metrics = At(1).Get("/metrics");
  EXPECT_EQ(metrics.code, 200);
  EXPECT_EQ(metrics.Field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line : {"# TYPE dfs_operations_total counter\n",
                           "dfs_operations_total{door=\"http\",operation=\"put\",result=\"ok\"}",
                           "dfs_operation_seconds_bucket{door=\"http\",operation=\"get\",le=\"+Inf\"}",
                           "dfs_raft_applied_index ", "dfs_is_serving 1\n", "dfs_files ",
                           "dfs_node_alive{node=\"n3\",state=\"alive\","}) {
    EXPECT_THAT(metrics.body, HasSubstr(line));
  }
  Proved("feature 13: /files ordered, /status, DELETE; /metrics");
}

TEST_F(Http, FormsAndByname) {
  const std::string big = MakeBytes(12, 1'500'000);
  const auto part = [](const std::string& disposition, const std::string& content) {
    return "--B0\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n";
  };
  const HttpClient::Fields form = {{"Content-Type", "multipart/form-data; boundary=B0"}};
  const auto posted = At(1).Ask("POST", "/", form,
                                part("name=\"note\"", "no file") +
                                    part("name=\"f\"; filename=\"forms/\xC3\xBC big.bin\"", big) +
                                    part("name=\"g\"; filename=\"forms/empty\"", "") + "--B0--\r\n");
  EXPECT_EQ(posted.code, 200) << posted.body;
  EXPECT_THAT(posted.body, HasSubstr("forms/empty"));
  const auto named = At(2).Get("/byname?filename=forms%2F%C3%BC+big.bin");
  EXPECT_EQ(named.code, 200);
  EXPECT_TRUE(named.body == big);
  EXPECT_EQ(named.Field("content-type"), "application/octet-stream");
  EXPECT_EQ(named.Field("content-disposition"),
            "attachment; filename=\"__ big.bin\"; filename*=UTF-8''%C3%BC%20big.bin");
  EXPECT_EQ(At(3).Get("/byname?filename=forms/empty").body, "");
  EXPECT_EQ(At(3).Get("/byname?filename=forms/none").code, 404);
  EXPECT_EQ(At(3).Get("/byname").code, 400);
  EXPECT_EQ(At(3).Get("/byname?filename=../x").code, 400);

  // A part that fails: what came before it is stored and named, it itself is not there.
  const auto bad = At(3).Ask("POST", "/", form,
                             part("name=a; filename=\"forms/good\"", "1") +
                                 part("name=b; filename=\"../bad\"", "2") + "--B0--\r\n");
  EXPECT_EQ(bad.code, 400);
  EXPECT_THAT(bad.body, HasSubstr("\"stored\":[\"forms/good\"]"));
  const auto cut = At(3).Ask("POST", "/", form, part("name=a; filename=\"forms/cut\"", "1"));
  EXPECT_EQ(cut.code, 400);
  EXPECT_EQ(At(1).Get("/upload/forms/cut").code, 404);
  Proved("feature 12: POST / with several files, GET /byname");
}

// Defect "path traversal, collision, length and UTF-8 of names".
TEST_F(Http, LimitsMethodsAndTypes) {
  const auto typed = At(1).Ask("POST", "/", {{"Content-Type", "text/plain"}}, "x");
  EXPECT_EQ(typed.code, 400);
  EXPECT_EQ(typed.body, "{\"error\":\"Content-Type must be multipart/form-data\"}\n");
  const HttpClient::Fields form = {{"Content-Type", "multipart/form-data; boundary=B0"}};
  const std::string too_long(4 << 20, 'x');
  const auto told = At(1).Ask("POST", "/", form, too_long);
  EXPECT_EQ(told.code, 413);
  EXPECT_EQ(told.body, "{\"error\":\"Content-Length must be less than 4MB\"}\n");
  const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  const std::string untold = HttpClient(cluster().HttpAddressOf(1))
                                 .Raw("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                                      "Content-Type: multipart/form-data; boundary=B0\r\n\r\n" +
                                      chunk + chunk + chunk + chunk + chunk + "0\r\n\r\n");
  EXPECT_THAT(untold, StartsWith("HTTP/1.1 413 "));

  struct Case {
    const char* method;
    const char* target;
    int code;
    const char* allow;
  };
  for (const auto& one : {Case{"GET", "/", 405, "POST"}, Case{"PUT", "/files", 405, "GET, HEAD"},
                          Case{"POST", "/status", 405, "GET, HEAD"},
                          Case{"DELETE", "/metrics", 405, "GET, HEAD"},
                          Case{"PATCH", "/upload/x", 405, "GET, HEAD, PUT, POST, DELETE"},
                          Case{"GET", "/nothing", 404, ""}, Case{"GET", "/upload", 404, ""},
                          Case{"GET", "/upload/", 400, ""}, Case{"PUT", "/upload/a//b", 400, ""},
                          Case{"PUT", "/upload/../x", 400, ""}, Case{"PUT", "/upload/a%00b", 400, ""},
                          Case{"PUT", "/upload/%2e%2e/etc/passwd", 400, ""},
                          Case{"PUT", "/upload/%2Fetc/passwd", 400, ""},
                          Case{"PUT", "/upload/%ff", 400, ""}, Case{"GET", "/files?limit=x", 400, ""},
                          Case{"GET", "/upload/x?consistency=maybe", 400, ""},
                          Case{"GET", "/upload/x?version=x", 400, ""},
                          Case{"GET", "/upload/x?bucket=none", 404, ""},
                          Case{"GET", "/files?bucket=none", 404, ""}}) {
    const auto answer = At(2).Ask(one.method, one.target, {}, "");
    EXPECT_EQ(answer.code, one.code) << one.method << " " << one.target;
    EXPECT_EQ(answer.Field("allow"), one.allow) << one.method << " " << one.target;
    EXPECT_THAT(answer.body, StartsWith("{\"error\":\"")) << one.method << " " << one.target;
  }
  const std::string longest(255, 'n');
  EXPECT_EQ(At(1).Ask("PUT", "/upload/" + longest + "/%F0%9F%98%80", {}, "emoji").code, 201);
  EXPECT_EQ(At(2).Get("/upload/" + longest + "/%F0%9F%98%80").body, "emoji");
  EXPECT_EQ(At(1).Ask("PUT", "/upload/" + std::string(1'025, 'n'), {}, "x").code, 400);
  Proved("feature 44: sizes, methods, types and names are checked");
}

// Features 13, 41.
TEST_F(Http, RangesAndConditions) {
  const auto put = At(1).Ask("PUT", "/upload/ranges", {}, "0123456789");
  const std::string tag = put.Field("etag");
  struct Case {
    const char* range;
    int code;
    const char* body;
    const char* content_range;
  };
  for (const auto& one : {Case{"bytes=2-4", 206, "234", "bytes 2-4/10"},
                          Case{"bytes=7-", 206, "789", "bytes 7-9/10"},
                          Case{"bytes=7-100", 206, "789", "bytes 7-9/10"},
                          Case{"bytes=-3", 206, "789", "bytes 7-9/10"},
                          Case{"bytes=-30", 206, "0123456789", "bytes 0-9/10"},
                          Case{"bytes=0-1,3-4", 200, "0123456789", ""},
                          Case{"bytes=4-2", 200, "0123456789", ""},
                          Case{"bytes=10-", 416, "", "bytes */10"},
                          Case{"bytes=100-", 416, "", "bytes */10"},
                          Case{"bytes=-0", 416, "", "bytes */10"}}) {
    const auto got = At(2).Get("/upload/ranges", {{"Range", one.range}});
    EXPECT_EQ(got.code, one.code) << one.range;
    if (one.code != 416) EXPECT_EQ(got.body, one.body) << one.range;
    EXPECT_EQ(got.Field("content-range"), one.content_range) << one.range;
  }
  const auto resumed = At(3).Get("/upload/ranges", {{"Range", "bytes=8-"}, {"If-Range", tag}});
  EXPECT_EQ(resumed.code, 206);
  EXPECT_EQ(resumed.body, "89");
  for (const std::string range : {"bytes=8-", "bytes=-2", "bytes=50-"}) {
    const auto changed = At(3).Get("/upload/ranges", {{"Range", range}, {"If-Range", "\"1-00\""}});
    EXPECT_EQ(changed.code, 200) << range;
    EXPECT_EQ(changed.body, "0123456789") << range;
  }
  const auto same = At(1).Get("/upload/ranges", {{"If-None-Match", "\"x\", W/" + tag}});
  EXPECT_EQ(same.code, 304);
  EXPECT_EQ(same.Field("etag"), tag);
  EXPECT_EQ(At(1).Get("/upload/ranges", {{"If-None-Match", "\"x\""}}).code, 200);
  EXPECT_EQ(At(1).Get("/upload/ranges", {{"If-Match", "\"x\""}}).code, 412);

  EXPECT_EQ(At(2).Ask("PUT", "/upload/ranges", {{"If-None-Match", "*"}}, "x").code, 412);
  EXPECT_EQ(At(2).Ask("PUT", "/upload/ranges", {{"If-Match", "\"1-00\""}}, "x").code, 412);
  EXPECT_EQ(At(2).Ask("PUT", "/upload/ranges-none", {{"If-Match", "*"}}, "x").code, 412);
  EXPECT_EQ(At(2).Ask("DELETE", "/upload/ranges", {{"If-Match", "\"1-00\""}}).code, 412);
  EXPECT_EQ(At(2).Get("/upload/ranges").body, "0123456789");
  EXPECT_EQ(At(2).Ask("PUT", "/upload/ranges-new", {{"If-None-Match", "*"}}, "x").code, 201);
  const auto replaced = At(3).Ask("PUT", "/upload/ranges", {{"If-Match", tag}}, "new");
  EXPECT_EQ(replaced.code, 201);
  EXPECT_NE(replaced.Field("etag"), tag);
  EXPECT_EQ(At(1).Get("/upload/ranges").body, "new");

  const std::string version = At(1).Get("/upload/ranges").Field("x-dfs-version");
  for (const std::string query : {"consistency=strong", "consistency=leader", "consistency=eventual"}) {
    EXPECT_EQ(At(1).Get("/upload/ranges?" + query + "&version=" + version).body, "new") << query;
  }
  EXPECT_EQ(At(1).Get("/upload/ranges?version=999999").code, 404);
}

TEST_F(Http, BucketsQuotaAndOlderVersions) {
  const auto made = cluster().Cli({"mb", "http", "--versions=3", "--quota-bytes=1000"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto old = At(1).Ask("PUT", "/upload/f?bucket=http", {}, "old");
  ASSERT_EQ(old.code, 201) << old.body;
  EXPECT_THAT(old.body, HasSubstr("\"bucket\":\"http\""));
  const std::string version = At(2).Get("/upload/f?bucket=http").Field("x-dfs-version");
  ASSERT_EQ(At(2).Ask("PUT", "/upload/f?bucket=http", {}, "newer").code, 201);
  EXPECT_EQ(At(3).Get("/upload/f?bucket=http").body, "newer");
  const auto got = At(3).Get("/upload/f?bucket=http&version=" + version, {{"Range", "bytes=-2"}});
  EXPECT_EQ(got.code, 206);
  EXPECT_EQ(got.body, "ld");
  EXPECT_EQ(At(1).Get("/upload/f").code, 404) << "another bucket";
  EXPECT_THAT(At(1).Get("/files?bucket=http").body, Not(HasSubstr("is_old")));
  EXPECT_THAT(At(1).Get("/files?bucket=http&versions=true").body,
              HasSubstr("\"version\":" + version + ","));
  EXPECT_EQ(At(1).Get("/files?versions=maybe").code, 400);

  const auto over = At(1).Ask("PUT", "/upload/big?bucket=http", {}, std::string(2'000, 'x'));
  EXPECT_EQ(over.code, 507) << over.body;
  EXPECT_EQ(At(1).Get("/upload/big?bucket=http").code, 404);
  EXPECT_EQ(At(2).Ask("DELETE", "/upload/f?bucket=http&version=" + version).code, 200);
  EXPECT_EQ(At(2).Get("/upload/f?bucket=http&version=" + version).code, 404);
  EXPECT_EQ(At(2).Get("/upload/f?bucket=http").body, "newer");
}

TEST_F(Http, WhatIsCutOffIsNeverVisible) {
  for (const std::string framing : {"Content-Length: 3000000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    HttpClient client(cluster().HttpAddressOf(2));
    ASSERT_TRUE(client.Connect());
    client.Write("PUT /upload/cut HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n");
    client.Write(framing[0] == 'C' ? std::string(2'000'000, 'x')
                                   : "100000\r\n" + std::string(0x100000, 'x') + "\r\n");
    client.Close();
  }
  // Behind them in the log.
  ASSERT_EQ(At(2).Ask("PUT", "/upload/after-the-cut", {}, "x").code, 201);
  EXPECT_EQ(At(1).Get("/upload/cut").code, 404);
  EXPECT_EQ(At(1).Get("/files?prefix=cut").body, "[]\n");
}

TEST_F(Http, MalformedRequestsAreRefusedByANode) {
  for (const std::string& request :
       {std::string("PUT /upload/smuggled HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        std::string("PUT /upload/smuggled HTTP/1.1\nHost: h\nContent-Length: 1\n\nx"),
        std::string("GET /files HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"),
        WithNul("GET /fi\0les HTTP/1.1\r\nHost: h\r\n\r\n")}) {
    const std::string answer = HttpClient(cluster().HttpAddressOf(1))
                                   .Raw(request + "GET /status HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "a second answer: " << answer;
  }
  EXPECT_EQ(At(1).Get("/upload/smuggled").code, 404);
}

double StatusMb(pid_t pid, const std::string& field) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) / 1'000;
  }
  return 0;
}

// Tells no size: it is sent in chunks.
class Unsized final : public client::ByteSource {
 public:
  explicit Unsized(client::ByteSource* source) : source_(source) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return std::nullopt; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    return source_->Read(bytes_max);
  }
  [[nodiscard]] bool Rewind() override { return false; }

 private:
  client::ByteSource* const source_;
};

// Feature 38; defect "whole file in memory".
TEST_F(Http, AStreamedBodyAddsLittleMemory) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables
  const bool is_nightly = std::getenv("DFS_TEST_NIGHTLY") != nullptr;
  const std::uint64_t size = is_nightly ? 5'000'000'000 : 200'000'000;
  constexpr double kAddedMbMax = 64;
  ASSERT_EQ(At(2).Ask("PUT", "/upload/stream", {}, MakeBytes(1, 1'000'000)).code, 201);
  ASSERT_EQ(At(2).Get("/upload/stream").code, 200);
  const pid_t pid = cluster().PidOf(2);
  std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5";  // the peak begins anew
  const double before = StatusMb(pid, "VmRSS");
  SeededSource source(7, size);
  const auto put = At(2).Send("PUT", "/upload/stream", source);
  ASSERT_EQ(put.code, 201) << put.body;
  FingerprintSink sink;
  EXPECT_TRUE(At(2).Receive("/upload/stream", sink).is_whole);
  EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(7, size));
  const double added = StatusMb(pid, "VmHWM") - before;
#ifndef DFS_HAS_ADDRESS_SANITIZER
  EXPECT_LT(added, kAddedMbMax);
#endif
  SeededSource again(8, 20'000'000);
  Unsized chunked(&again);
  ASSERT_EQ(At(3).Send("PUT", "/upload/chunked", chunked).code, 201);
  FingerprintSink other;
  EXPECT_TRUE(At(1).Receive("/upload/chunked", other).is_whole);
  EXPECT_EQ(other.fingerprint(), FingerprintOfSeeded(8, 20'000'000));
  Proved("PUT and GET of " + std::to_string(size / 1'000'000) + " MB over HTTP add " +
         std::to_string(static_cast<int>(added)) + " MB to the node");
}

// In its middle the node is told to stop; it goes on once the node takes no more connections.
class StoppingSource final : public client::ByteSource {
 public:
  StoppingSource(pid_t pid, std::string http_address, std::uint64_t size)
      : pid_(pid), http_address_(std::move(http_address)), bytes_(9, size) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return bytes_.size(); }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    if (++reads_ == 2) {
      ::kill(pid_, SIGTERM);
      EXPECT_OK(ProcessCluster::Await("no connection", ProcessCluster::kReadyTimeout,
                                      [&] { return !HttpClient(http_address_).Connect(); }));
    }
    return bytes_.Read(bytes_max);
  }
  [[nodiscard]] bool Rewind() override { return false; }

 private:
  const pid_t pid_;
  const std::string http_address_;
  SeededSource bytes_;
  int reads_ = 0;
};

// Feature 46.
TEST_F(Http, AStoppingNodeLetsAPutEnd) {
  StoppingSource source(cluster().PidOf(3), cluster().HttpAddressOf(3), 3'000'000);
  const auto put = At(3).Send("PUT", "/upload/stopping", source);
  EXPECT_EQ(put.code, 201) << put.body;
  EXPECT_EQ(cluster().Terminate(3).value_or(-1), 0);
  FingerprintSink sink;
  EXPECT_TRUE(At(1).Receive("/upload/stopping", sink).is_whole);
  EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(9, 3'000'000));
  ASSERT_OK(cluster().Up(3));
}

// Last: it kills nodes.
TEST_F(Http, ZNoQuorumIsSaidInTimeAndNothingShows) {
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  EXPECT_EQ(At(1).Get("/healthz").code, 200);
  EXPECT_EQ(At(1).Get("/readyz").code, 200);
  EXPECT_EQ(At(1).Get("/readyz?maintenance=true").code, 200);
  ASSERT_EQ(At(1).Ask("PUT", "/upload/before", {}, "put while all were well").code, 201);
  ASSERT_OK(cluster().WaitFullyReplicated(1));

  cluster().Kill(3);
  // Now every file needs the two that are left.
  EXPECT_OK(ProcessCluster::Await("a node may not be stopped", ProcessCluster::kReadyTimeout, [&] {
    return At(1).Get("/readyz?maintenance=true").code == 412;
  }));
  EXPECT_EQ(At(1).Get("/readyz").code, 200);
  EXPECT_EQ(At(1).Get("/upload/before").body, "put while all were well");

  cluster().Kill(2);
  EXPECT_OK(ProcessCluster::Await("it is not ready", ProcessCluster::kReadyTimeout,
                                  [&] { return At(1).Get("/readyz").code == 503; }));
  EXPECT_EQ(At(1).Get("/healthz").code, 200);
  EXPECT_EQ(At(1).Get("/status").code, 200);
  struct Case {
    const char* method;
    const char* target;
    std::string body;
  };
  for (const auto& one : {Case{"PUT", "/upload/never", "small"},
                          Case{"PUT", "/upload/never", std::string(3'000'000, 'x')},
                          Case{"GET", "/upload/before", ""}, Case{"DELETE", "/upload/before", ""},
                          Case{"GET", "/files", ""}}) {
    const MonotonicTime start = SystemClock().Now();
    const auto answer = At(1).Ask(one.method, one.target, {}, one.body);
    EXPECT_LT(SystemClock().Now() - start, kVerdictTimeout) << one.method << " " << one.target;
    EXPECT_EQ(answer.code, 503) << one.method << " " << one.target << " " << answer.body;
    EXPECT_EQ(answer.Field("retry-after"), "1") << one.method << " " << one.target;
    EXPECT_THAT(answer.body, HasSubstr("\"leader\":null")) << one.method << " " << one.target;
  }
  const auto eventual = At(1).Get("/upload/before?consistency=eventual");
  EXPECT_EQ(eventual.code, 200);
  EXPECT_EQ(eventual.body, "put while all were well");

  ASSERT_OK(cluster().Up(3));
  EXPECT_EQ(At(2).Get("/upload/never").code, 404);
  EXPECT_EQ(At(3).Get("/files?prefix=never").body, "[]\n");
  EXPECT_EQ(At(3).Get("/upload/before").body, "put while all were well");
  Proved("two of three dead: HTTP answers 503 within 5 s, and nothing of it shows later");
}

}  // namespace
}  // namespace dfs::testing
