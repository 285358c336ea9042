// What clients do with files while all nodes are well.
#include <openssl/evp.h>

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "client/retry_policy.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "proto/wire_status.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/copy_bytes.h"

namespace dfs::testing {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint64_t kMiB = 1 << 20;
const std::vector<int> kAllNodes = {1, 2, 3};

// By a library that the product does not use for it.
class Sha256Sink final : public client::ByteSink {
 public:
  Sha256Sink() { Rewind(); }
  void Update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  absl::Status Write(const Slices& bytes) override {
    for (const auto& piece : bytes.pieces()) EVP_DigestUpdate(context_.get(), piece.begin(), piece.size());
    return absl::OkStatus();
  }
  bool Rewind() override { return EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1; }
  // Once.
  std::string Digest() {
    std::string digest(EVP_MAX_MD_SIZE, 0);
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
    return absl::BytesToHexString(digest.substr(0, size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

class Files : public ThreeNodes {
 protected:
  static std::vector<std::string> List(const client::ListOptions& options) {
    std::vector<std::string> names;
    const auto status =
        client().List(options, [&](const v1::FileInfo& file) { names.push_back(file.name()); });
    EXPECT_OK(status);
    return names;
  }
  // What a put of the file, a get of it and each node's copy come to.
  static std::string Sha256OfSeeded(std::uint64_t seed, std::uint64_t size) {
    SeededSource source(seed, size);
    Sha256Sink sink;
    while (true) {
      const auto piece = source.Read(kMiB);
      if (!piece.ok() || piece->empty() || !sink.Write(*piece).ok()) return sink.Digest();
    }
  }
  static absl::StatusOr<std::string> GetRange(std::string_view name, std::uint64_t offset,
                                              std::optional<std::uint64_t> length) {
    client::GetOptions options;
    options.offset = offset;
    options.length = length;
    return Get(client(), name, options);
  }
};

// A loop that never waits takes a processor; all else that an idle node does is a twentieth of one.
TEST_F(Files, NobodyIsBusyWithNothingToDo) {
  constexpr double kShareMax = 0.5;  // of one processor, all nodes together
  const auto used = [] {
    absl::Duration sum;
    for (const int n : kAllNodes) sum += ProcessorTime(cluster().PidOf(n));
    return sum;
  };
  double share = 1;
  EXPECT_OK(ProcessCluster::Await("two seconds in which three nodes are idle", absl::Seconds(60), [&] {
    const MonotonicTime begin = SystemClock().Now();
    const absl::Duration before = used();
    Event never;
    never.WaitFor(absl::Seconds(2));
    share = absl::FDivDuration(used() - before, SystemClock().Now() - begin);
    return share < kShareMax;
  }));
  EXPECT_LT(share, kShareMax);
  EXPECT_GT(share, 0) << "they do not even send heartbeats";
}

// Feature 1; defect "stored bytes differ from sent bytes".
TEST_F(Files, EverySizeHasEqualBytesOnEveryReplica) {
  const std::array<std::uint64_t, 11> sizes = {0,           1,        511,           512,
                                               1023,        1024,     1025,          kMiB + 1,
                                               64 * kMiB - 1, 64 * kMiB + 1, 100'000'000};
  for (const std::uint64_t size : sizes) {
    SCOPED_TRACE(size);
    const std::string name = "sizes/" + std::to_string(size);
    const std::string expected = Sha256OfSeeded(size + 1, size);
    SeededSource source(size + 1, size);
    const auto put = client().Put(name, source);
    ASSERT_OK(put.status());
    EXPECT_EQ(put->info().size(), size);
    EXPECT_GE(put->replicas(), 2U);
    Sha256Sink sink;
    ASSERT_OK(client().Get(name, sink).status());
    EXPECT_EQ(sink.Digest(), expected);
    ASSERT_OK(cluster().WaitFullyReplicated(1));
    // Also waits until each node knows the name of what it holds.
    ASSERT_OK(CheckCopies(cluster(), client(), kAllNodes, name, FingerprintOfSeeded(size + 1, size)));
    for (const int n : kAllNodes) {
      Sha256Sink copy;
      ASSERT_OK(ReadCopyBytes(cluster(), client(), n, name, [&](std::string_view bytes) { copy.Update(bytes); }));
      EXPECT_EQ(copy.Digest(), expected) << "n" << n;
    }
  }
  Proved("files of 0, 1, 511, 512, 1023, 1024, 1025, 1 MiB+1, 64 MiB-1, 64 MiB+1 and 100,000,000 bytes "
         "have the SHA-256 of what was sent, when got and on all 3 replicas");
}

// Feature 2; defect "stored bytes differ from sent bytes".
TEST_F(Files, RangesAreExact) {
  const std::string content = MakeBytes(7, 3 * kMiB + 17);
  ASSERT_OK(Put(client(), "ranges", content));
  const std::uint64_t size = content.size();
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges = {
      {0, 1},        {0, size},      {1, 65'535},    {65'535, 2}, {65'536, 65'536}, {kMiB - 1, 2},
      {size - 1, 1}, {size, 0},      {size, 100},    {12'345, 0}, {2 * kMiB, 2 * kMiB},
      {100'000, 1'000'000}};
  for (const auto& [offset, length] : ranges) {
    const auto got = GetRange("ranges", offset, length);
    ASSERT_OK(got.status());
    EXPECT_TRUE(*got == content.substr(offset, length)) << offset << "+" << length;
  }
  const auto rest = GetRange("ranges", kMiB, std::nullopt);
  ASSERT_OK(rest.status());
  EXPECT_TRUE(*rest == content.substr(kMiB));
  EXPECT_EQ(GetRange("ranges", size + 1, 1).status().code(), absl::StatusCode::kOutOfRange);
}

// Features 2, 39.
TEST_F(Files, RangeAcrossChunksIsExact) {
  constexpr std::uint64_t kSize = 64 * kMiB + 100;
  SeededSource source(9, kSize);
  ASSERT_OK(client().Put("two-chunks", source).status());
  const std::string content = MakeBytes(9, kSize);
  const auto got = GetRange("two-chunks", 64 * kMiB - 50, 100);
  ASSERT_OK(got.status());
  EXPECT_TRUE(*got == content.substr(64 * kMiB - 50, 100));
}

// Feature 3.
TEST_F(Files, OverwriteMakesANewVersionWithNewBytesOnly) {
  ASSERT_OK(Put(client(), "overwritten", MakeBytes(1, 100'000)));
  const auto first = client().Stat("overwritten");
  ASSERT_OK(first.status());
  ASSERT_OK(Put(client(), "overwritten", "short"));
  const auto second = client().Stat("overwritten");
  ASSERT_OK(second.status());
  EXPECT_GT(second->version(), first->version());
  EXPECT_EQ(second->size(), 5U);
  for (const int n : kAllNodes) {
    const auto got = GetAt(cluster().ClientChannel(n), "overwritten");
    ASSERT_OK(got.status());
    EXPECT_EQ(*got, "short");
  }
}

// Feature 4.
TEST_F(Files, RemovedFileIsGoneEverywhereAndOnceOnly) {
  ASSERT_OK(Put(client(), "removed", "content"));
  ASSERT_OK(client().Remove("removed").status());
  for (const int n : kAllNodes) {
    EXPECT_TRUE(absl::IsNotFound(GetAt(cluster().ClientChannel(n), "removed").status()));
    EXPECT_TRUE(absl::IsNotFound(StatAt(cluster().ClientChannel(n), "removed").status()));
  }
  EXPECT_TRUE(absl::IsNotFound(client().Remove("removed").status()));
  ASSERT_OK(Put(client(), "removed", "again"));
  const auto got = Get(client(), "removed");
  ASSERT_OK(got.status());
  EXPECT_EQ(*got, "again");
}

TEST_F(Files, PreconditionsHold) {
  const auto channel = cluster().ClientChannel(2);
  ASSERT_OK(client().Clear("conditions/").status());
  const auto made = PutAt(channel, "conditions/a", "one", 0);
  ASSERT_OK(made.status());
  const auto refused = PutAt(channel, "conditions/a", "two", 0);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client::ReasonOf(refused.status()), v1::ErrorDetail::PRECONDITION);
  ASSERT_OK(PutAt(channel, "conditions/a", "two", made->info().version()).status());
  EXPECT_EQ(PutAt(channel, "conditions/a", "three", made->info().version()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const auto got = GetAt(channel, "conditions/a");
  ASSERT_OK(got.status());
  EXPECT_EQ(*got, "two");
}

// Feature 5.
TEST_F(Files, ListIsInByteOrderAndTakesPrefixAfterAndLimit) {
  ASSERT_OK(client().Clear("list/").status());
  EXPECT_THAT(List({.prefix = "list/", .after = ""}), IsEmpty());
  for (const char* name : {"list/b", "list/a/x", "list/a", "list/B", "list/\xC3\xA9", "list/a-b", "list/z"}) {
    ASSERT_OK(Put(client(), name, "x"));
  }
  EXPECT_THAT(List({.prefix = "list/", .after = ""}),
              ElementsAre("list/B", "list/a", "list/a-b", "list/a/x", "list/b", "list/z",
                          "list/\xC3\xA9"));
  EXPECT_THAT(List({.prefix = "list/a", .after = ""}), ElementsAre("list/a", "list/a-b", "list/a/x"));
  EXPECT_THAT(List({.prefix = "list/", .after = "list/a-b", .limit = 2}),
              ElementsAre("list/a/x", "list/b"));
}

// Feature 5.
TEST_F(Files, ListOfMoreThanOnePageIsComplete) {
  constexpr int kFiles = 1'100;  // a message holds 1,000
  ASSERT_OK(client().Clear("many/").status());
  ThreadPool pool("putters", 8);
  std::atomic<int> next = 0;
  std::atomic<int> failed = 0;
  std::atomic<int> done = 0;
  for (int thread = 0; thread < 8; ++thread) {
    pool.Post([&] {
      for (int i = next++; i < kFiles; i = next++) {
        failed += Put(client(), "many/" + std::to_string(10'000 + i), std::to_string(i)).ok() ? 0 : 1;
        ++done;
      }
    });
  }
  ASSERT_OK(ProcessCluster::Await("all puts", absl::Minutes(1), [&] { return done == kFiles; }));
  pool.Stop();
  EXPECT_EQ(failed, 0);
  const auto names = List({.prefix = "many/", .after = ""});
  ASSERT_EQ(names.size(), static_cast<std::size_t>(kFiles));
  for (int i = 0; i < kFiles; ++i) {
    ASSERT_EQ(names[static_cast<std::size_t>(i)], "many/" + std::to_string(10'000 + i));
  }
  // The first of them come soon, in a message of few.
  grpc::ClientContext context;
  v1::ListRequest request;
  request.set_prefix("many/");
  const auto reader = v1::Files::NewStub(cluster().ClientChannel(1))->List(&context, request);
  v1::ListResponse message;
  std::vector<int> sizes;
  while (reader->Read(&message)) sizes.push_back(message.files_size());
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_THAT(sizes, ElementsAre(64, 128, 256, 512, 140));
  const auto cleared = client().Clear("many/");
  ASSERT_OK(cleared.status());
  EXPECT_EQ(*cleared, static_cast<std::uint64_t>(kFiles));
  EXPECT_THAT(List({.prefix = "many/", .after = ""}), IsEmpty());
}

// Features 7, 39.
TEST_F(Files, LocateNamesThreeDistinctNodesForEachChunk) {
  SeededSource source(3, 64 * kMiB + 5);
  ASSERT_OK(client().Put("located", source).status());
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  const auto where = client().Locate("located");
  ASSERT_OK(where.status());
  for (std::uint32_t chunk = 0; chunk < 2; ++chunk) {
    std::vector<std::string> nodes;
    for (const auto& row : where->locations()) {
      if (row.chunk() != chunk) continue;
      nodes.push_back(row.node());
      EXPECT_EQ(row.state(), v1::OK);
      EXPECT_TRUE(row.node_is_alive());
      EXPECT_EQ(row.chunk_size(), chunk == 0 ? 64 * kMiB : 5);
      EXPECT_EQ(row.chunk_hash().size(), 32U);
      EXPECT_EQ(row.version(), where->info().version());
    }
    EXPECT_THAT(nodes, UnorderedElementsAre("n1", "n2", "n3"));
  }
}

// Features 31, 42; defect "path traversal, collision, length and UTF-8 of names".
TEST_F(Files, NamesThatMustWork) {
  const std::vector<std::string> names = {
      "names/a/x", "names/b/x", "names/x", "names/with space", "names/\xF0\x9F\x98\x80",
      "names/" + std::string(85, 'n'), "names/" + std::string(249, 'n'), std::string(1'024, 'n'),
      "names/-f", "names/...", "names/.hidden", "names/a..b", "names/~", "names/%2e%2e", "names/a\\b", "names/con"};
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    ASSERT_OK(Put(client(), name, "content of " + name));
  }
  for (const auto& name : names) {
    const auto got = Get(client(), name);
    ASSERT_OK(got.status());
    EXPECT_EQ(*got, "content of " + name);
  }
  Proved("names of 1,024 bytes, emoji, spaces, equal last components: each its own file");
}

// Defect "path traversal, collision, length and UTF-8 of names".
TEST_F(Files, NamesThatMustBeRefused) {
  const std::vector<std::string> names = {
      "", "/", "/absolute", "trailing/", "a//b", ".", "..", "../escape", "a/../b", "a/./b", "a/..",
      std::string("nul\0byte", 8), "line\nbreak", "tab\there", "del\x7F", std::string(1'025, 'n')};
  // A message with such a string is no message of proto3: gRPC itself answers a single request with INTERNAL.
  const std::vector<std::string> not_utf8 = {"bad utf8 \xFF\xFE", "overlong \xC0\xAF",
                                             "surrogate \xED\xA0\x80", "cut \xE2\x82"};
  const auto channel = cluster().ClientChannel(1);
  for (const auto& name : names) {
    SCOPED_TRACE(::testing::PrintToString(name));
    const auto put = PutAt(channel, name, "x");
    EXPECT_EQ(put.status().code(), absl::StatusCode::kInvalidArgument) << put.status().ToString();
    // gRPC itself refuses a message that is no valid UTF-8 in a place of text.
    EXPECT_THAT(GetAt(channel, name).status().code(),
                AnyOf(absl::StatusCode::kInvalidArgument, absl::StatusCode::kInternal));
  }
  for (const auto& name : not_utf8) {
    SCOPED_TRACE(::testing::PrintToString(name));
    EXPECT_EQ(PutAt(channel, name, "x").status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetAt(channel, name).status().code(), absl::StatusCode::kInternal);
  }
  Proved("names with .., absolute, NUL, control characters, bad UTF-8 or 1,025 bytes are refused");
}

// Defect "stale read after acknowledgement".
TEST_F(Files, AcknowledgedWriteIsReadAtEveryNode) {
  constexpr int kRounds = 1'000;
  for (int i = 0; i < kRounds; ++i) {
    const std::string content = "round " + std::to_string(i);
    // Every other round the same name again: the hard case for stale state.
    const std::string name = i % 2 == 0 ? "fresh/same" : "fresh/" + std::to_string(i);
    ASSERT_OK(PutAt(cluster().ClientChannel(1 + i % 3), name, content).status());
    for (const int n : kAllNodes) {
      const auto got = GetAt(cluster().ClientChannel(n), name);
      ASSERT_OK(got.status());
      ASSERT_EQ(*got, content) << "round " << i << " at n" << n;
    }
  }
  Proved("1,000 acknowledged puts were read at once at each of 3 nodes, none stale");
}

// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Files, TransfersInBothDirectionsAtOnceAllEnd) {
  constexpr int kPairs = 6;
  constexpr std::uint64_t kSize = 12 * kMiB;
  for (int i = 0; i < kPairs; ++i) {
    SeededSource source(static_cast<std::uint64_t>(i), kSize);
    ASSERT_OK(client().Put("both/" + std::to_string(i), source).status());
  }
  ThreadPool pool("both-ways", 2 * kPairs);
  std::atomic<int> done = 0;
  std::atomic<int> failed = 0;
  for (int i = 0; i < kPairs; ++i) {
    const auto seed = static_cast<std::uint64_t>(i);
    pool.Post([&, seed] {
      SeededSource source(seed + 100, kSize);
      failed += client().Put("both/new" + std::to_string(seed), source).ok() ? 0 : 1;
      ++done;
    });
    pool.Post([&, seed] {
      FingerprintSink sink;
      const auto got = client().Get("both/" + std::to_string(seed), sink);
      failed += got.ok() && sink.fingerprint() == FingerprintOfSeeded(seed, kSize) ? 0 : 1;
      ++done;
    });
  }
  ASSERT_OK(ProcessCluster::Await("all transfers", absl::Minutes(1), [&] { return done == 2 * kPairs; }));
  EXPECT_EQ(failed, 0);
}

TEST_F(Files, SameRequestTwiceHappensOnce) {
  const auto channel = cluster().ClientChannel(1);
  const auto id = NewRequestId(channel);
  ASSERT_OK(id.status());
  const auto first = SendPut(channel, HonestPut("once", "content", *id));
  ASSERT_OK(first.status());
  const auto again = SendPut(cluster().ClientChannel(2), HonestPut("once", "content", *id));
  ASSERT_OK(again.status());
  EXPECT_EQ(again->info().version(), first->info().version());
  const auto settled = SettleAt(cluster().ClientChannel(3), *id);
  ASSERT_OK(settled.status());
  EXPECT_EQ(settled->fate(), v1::SettleResponse::HAPPENED);
  EXPECT_EQ(settled->put().info().version(), first->info().version());
  const auto now = StatAt(channel, "once");
  ASSERT_OK(now.status());
  EXPECT_EQ(now->version(), first->info().version());
}

TEST_F(Files, SettledRequestNeverHappens) {
  const auto channel = cluster().ClientChannel(1);
  const auto id = NewRequestId(channel);
  ASSERT_OK(id.status());
  const auto settled = SettleAt(channel, *id);
  ASSERT_OK(settled.status());
  EXPECT_EQ(settled->fate(), v1::SettleResponse::DID_NOT_HAPPEN);
  EXPECT_FALSE(SendPut(cluster().ClientChannel(2), HonestPut("settled", "content", *id)).ok());
  EXPECT_TRUE(absl::IsNotFound(StatAt(channel, "settled").status()));
}

}  // namespace
}  // namespace dfs::testing
