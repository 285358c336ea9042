// What programs may rely on in dfs::Client, tried against a cluster. Built from the installed package by package_test.py.
//
//   exercise ENDPOINTS all         every call; prints nothing if all is right
//   exercise ENDPOINTS first       one Store and one Get; prints the seconds that they took together
//   exercise ENDPOINTS unreachable a Store that must fail, with nothing changed
#include <dfs/client.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>

#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

int failures = 0;

#define EXPECT(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      ++failures;                                                             \
      std::fprintf(stderr, "exercise.cc:%d: not true: %s\n", __LINE__, #condition); \
    }                                                                         \
  } while (false)
#define EXPECT_OK(status)                                                                       \
  do {                                                                                          \
    const dfs::Status checked = (status);                                                       \
    if (!checked.ok()) {                                                                        \
      ++failures;                                                                               \
      std::fprintf(stderr, "exercise.cc:%d: %s\n", __LINE__, checked.ToString().c_str());       \
    }                                                                                           \
  } while (false)

std::string Text(std::size_t bytes) {
  std::string out;
  for (std::uint32_t state = 1; out.size() < bytes; state = state * 1'664'525U + 1'013'904'223U) {
    out += static_cast<char>(state >> 24U);
  }
  return out;
}

// Hands out `bytes` in small pieces, and fails behind `fails_at`.
class Pieces final : public dfs::Source {
 public:
  Pieces(std::string bytes, std::size_t fails_at) : bytes_(std::move(bytes)), fails_at_(fails_at) {}
  dfs::Result<std::size_t> Read(char* to, std::size_t bytes_max) override {
    if (at_ >= fails_at_) return dfs::Status(dfs::Code::kLocal, "the tape is torn");
    const std::size_t count = std::min({bytes_max, bytes_.size() - at_, std::size_t{777}});
    bytes_.copy(to, count, at_);
    at_ += count;
    return count;
  }

 private:
  const std::string bytes_;
  const std::size_t fails_at_;
  std::size_t at_ = 0;
};

void StoreAndGetInEveryWay(dfs::Client& client) {
  const std::string text = Text(3'000'001);
  const auto get = [&](const std::string& name, const dfs::GetOptions& options = {}) {
    std::string out = "kept ";
    const auto got = client.Get(name, *dfs::ToBytes(&out), options);
    EXPECT_OK(got.status());
    EXPECT(out.compare(0, 5, "kept ") == 0);
    return out.substr(5);
  };
  const auto first = client.Store("ways/bytes", *dfs::FromBytes(text));
  EXPECT_OK(first.status());
  EXPECT(first.ok() && first->file.size == text.size() && first->replicas >= 2);
  EXPECT(get("ways/bytes") == text);

  std::istringstream in(text);
  EXPECT_OK(client.Store("ways/stream", *dfs::FromStream(in)).status());
  std::ostringstream out;
  EXPECT_OK(client.Get("ways/stream", *dfs::ToStream(out)).status());
  EXPECT(out.str() == text);

  Pieces pieces(text, text.size() + 1);
  EXPECT_OK(client.Store("ways/pieces", pieces).status());
  EXPECT(get("ways/pieces") == text);

  const auto empty = [](char*, std::size_t) { return dfs::Result<std::size_t>(std::size_t{0}); };
  EXPECT_OK(client.Store("ways/empty", *dfs::FromFunction(empty, 0)).status());
  EXPECT(get("ways/empty").empty());

  dfs::GetOptions range;
  range.offset = 1'048'570;
  range.length = 20;
  range.consistency = dfs::Consistency::kLeader;
  EXPECT(get("ways/bytes", range) == text.substr(1'048'570, 20));
  range.offset = text.size() + 1;
  std::string none;
  EXPECT(client.Get("ways/bytes", *dfs::ToBytes(&none), range).status().code() == dfs::Code::kOutOfRange);
}

void ErrorsSayWhetherAnythingHappened(dfs::Client& client) {
  std::string none;
  const auto missing = client.Get("no/such", *dfs::ToBytes(&none));
  EXPECT(missing.status().code() == dfs::Code::kNotFound);
  EXPECT(missing.status().outcome() == dfs::Outcome::kNothingChanged);

  // A source that breaks: its own words, and nothing is stored.
  Pieces torn(Text(100'000), 50'000);
  const auto broken = client.Store("torn", torn);
  EXPECT(broken.status().code() == dfs::Code::kLocal && broken.status().message() == "the tape is torn");
  EXPECT(broken.status().outcome() == dfs::Outcome::kNothingChanged);
  EXPECT(client.Stat("torn").status().code() == dfs::Code::kNotFound);

  // A sink that breaks.
  const auto full = dfs::ToFunction([](std::string_view) -> dfs::Status { return {dfs::Code::kLocal, "the paper is out"}; });
  EXPECT(client.Get("ways/bytes", *full).status().message() == "the paper is out");
  EXPECT(client.StoreFile("/no/such/file", "x").status().code() == dfs::Code::kLocal);
  EXPECT(client.Store("../up", *dfs::FromBytes("x")).status().code() == dfs::Code::kInvalidArgument);

  dfs::StoreOptions only_new;
  only_new.if_absent = true;
  EXPECT(client.Store("ways/bytes", *dfs::FromBytes("x"), only_new).status().code() == dfs::Code::kAlreadyExists);
  dfs::StoreOptions only_this;
  only_this.if_version = 1'000'000;
  EXPECT(client.Store("ways/bytes", *dfs::FromBytes("x"), only_this).status().code() ==
         dfs::Code::kPreconditionFailed);
}

std::vector<std::string> Names(dfs::Client& client, const dfs::ListOptions& options, std::size_t stop_at) {
  std::vector<std::string> names;
  EXPECT_OK(client.List(options, [&](const dfs::FileInfo& file) {
    names.push_back(file.name);
    return names.size() < stop_at;
  }));
  return names;
}

void ListMoveDeleteClear(dfs::Client& client) {
  dfs::ListOptions ways;
  ways.prefix = "ways/";
  EXPECT((Names(client, ways, 100) == std::vector<std::string>{"ways/bytes", "ways/empty", "ways/pieces", "ways/stream"}));
  EXPECT(Names(client, ways, 2).size() == 2);  // the visitor has enough
  ways.limit = 3;
  ways.after = "ways/bytes";
  EXPECT((Names(client, ways, 100) == std::vector<std::string>{"ways/empty", "ways/pieces", "ways/stream"}));

  const auto before = client.Stat("ways/bytes");
  EXPECT_OK(before.status());
  const auto moved = client.Move("ways/bytes", "ways/moved");
  EXPECT_OK(moved.status());
  EXPECT(moved.ok() && before.ok() && moved->content_hash == before->content_hash && moved->version > before->version);
  EXPECT(moved.ok() && before.ok() && moved->time >= before->time && moved->content_hash.size() == 32);
  EXPECT(client.Stat("ways/bytes").status().code() == dfs::Code::kNotFound);

  const auto where = client.Locate("ways/moved");
  EXPECT_OK(where.status());
  EXPECT(where.ok() && where->replicas.size() == 3 && !where->replicas[0].node.empty());

  const auto deleted = client.Delete("ways/moved");
  EXPECT_OK(deleted.status());
  EXPECT(deleted.ok() && moved.ok() && *deleted == moved->version);
  EXPECT(client.Delete("ways/moved").status().code() == dfs::Code::kNotFound);
  EXPECT_OK(client.Undelete("ways/moved").status());
  const auto cleared = client.Clear("ways/");
  EXPECT_OK(cleared.status());
  EXPECT(cleared.ok() && *cleared == 4);
  ways.limit = 0;
  ways.after.clear();
  EXPECT(Names(client, ways, 100).empty());
}

void Buckets(dfs::Client& client, dfs::ClientOptions options) {
  dfs::BucketOptions wanted;
  wanted.versions_kept = 3;
  EXPECT_OK(client.MakeBucket("exercise", wanted));
  EXPECT(client.MakeBucket("exercise").code() == dfs::Code::kAlreadyExists);
  options.bucket = "exercise";
  auto inside = dfs::Client::Open(options);
  EXPECT_OK(inside.status());
  const auto old = inside->Store("n", *dfs::FromBytes("one"));
  EXPECT_OK(old.status());
  EXPECT_OK(inside->Store("n", *dfs::FromBytes("two")).status());
  dfs::GetOptions get;
  if (old.ok()) get.version = old->file.version;
  std::string bytes;
  EXPECT_OK(inside->Get("n", *dfs::ToBytes(&bytes), get).status());
  EXPECT(bytes == "one");
  const auto all = client.Buckets();
  EXPECT_OK(all.status());
  EXPECT(all.ok() && all->size() == 2 && (*all)[1].name == "exercise" && (*all)[1].options.versions_kept == 3);
  EXPECT(client.RemoveBucket("exercise").code() == dfs::Code::kAlreadyExists);  // not empty
  EXPECT_OK(inside->Clear("").status());
  EXPECT_OK(client.RemoveBucket("exercise"));
}

double SecondsOfStoreAndGet(dfs::Client& client) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_OK(client.Store("first", *dfs::FromBytes("first bytes")).status());
  std::string bytes;
  EXPECT_OK(client.Get("first", *dfs::ToBytes(&bytes)).status());
  EXPECT(bytes == "first bytes");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  dfs::ClientOptions options;
  std::istringstream list(argv[1]);
  for (std::string endpoint; std::getline(list, endpoint, ',');) options.endpoints.push_back(endpoint);
  const std::string what = argv[2];
  auto opened = dfs::Client::Open(options);
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().ToString().c_str());
    return 1;
  }
  dfs::Client client = std::move(opened).value();
  if (what == "all") {
    EXPECT(dfs::Client::Open({}).status().code() == dfs::Code::kInvalidArgument);
    StoreAndGetInEveryWay(client);
    ErrorsSayWhetherAnythingHappened(client);
    ListMoveDeleteClear(client);
    Buckets(client, options);
    EXPECT(client.Endpoints().size() >= 3);
  } else if (what == "first") {
    std::printf("%.3f\n", SecondsOfStoreAndGet(client));
  } else if (what == "unreachable") {
    const auto stored = client.Store("x", *dfs::FromBytes("x"));
    EXPECT(stored.status().code() == dfs::Code::kUnreachable);
    EXPECT(stored.status().outcome() == dfs::Outcome::kNothingChanged);
  } else {
    return 64;
  }
  return failures == 0 ? 0 : 1;
}
