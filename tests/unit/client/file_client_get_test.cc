// Gets, and what is read, against nodes in this process that break on demand.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire_status.h"
#include "tests/unit/client/file_client_fixture.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

TEST_F(FileClientTest, BytesOfEverySizeComeBack) {
  const auto client = Client();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{262'144}, std::size_t{262'145},
        std::size_t{1} << 20, (std::size_t{1} << 20) + 1, std::size_t{7} << 20}) {
    const std::string bytes = Pattern(size);
    StringSource source(bytes);
    const auto put = client->Put("f", source);
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(put->info().size(), size);
    EXPECT_EQ(put->replicas(), 2U);
    StringSink sink;
    const auto got = client->Get("f", sink);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->version(), put->info().version());
    EXPECT_TRUE(sink.bytes() == bytes) << size;
  }
}

TEST_F(FileClientTest, RangeGivesExactlyThoseBytes) {
  const std::string bytes = Pattern(3'000'000);
  StoreDirectly("f", bytes);
  const auto client = Client();
  GetOptions options;
  options.offset = 1'048'570;
  options.length = 1'100'000;
  StringSink sink;
  ASSERT_TRUE(client->Get("f", sink, options).ok());
  EXPECT_TRUE(sink.bytes() == bytes.substr(1'048'570, 1'100'000));
  options.offset = 3'000'001;
  EXPECT_EQ(client->Get("f", sink, options).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FileClientTest, MissingFileIsNotFoundAtOnce) {
  const auto client = Client();
  StringSink sink;
  EXPECT_EQ(client->Get("f", sink).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(client->Stat("f").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(client->Remove("f").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(a.calls("Get"), 1);
  EXPECT_EQ(a.calls("Remove"), 1);
  EXPECT_EQ(a.calls("Settle"), 0);
}

TEST_F(FileClientTest, FailedReadIsNeverOfUnknownOutcome) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Stat", std::vector<Fault>(100, Fault::kBreakBefore));
  }
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(200);
  const auto stat = Client(options)->Stat("f");
  EXPECT_FALSE(stat.ok());
  EXPECT_EQ(OutcomeOf(stat.status()), ErrorDetail::NOTHING_CHANGED);
}

// Feature 22.
TEST_F(FileClientTest, BrokenGetGoesOnAtAnotherNodeWhereItStopped) {
  const std::string bytes = Pattern(5'000'000);
  StoreDirectly("f", bytes);
  a.Inject("Get", {Fault::kBreakMidway});
  b.Inject("Get", {Fault::kBreakMidway});
  const auto client = Client();
  StringSink sink;
  const auto got = client->Get("f", sink);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(sink.bytes() == bytes);
  EXPECT_EQ(a.bytes_sent() + b.bytes_sent(), bytes.size()) << "none of them twice";
}

TEST_F(FileClientTest, FileReplacedDuringABrokenGetIsReadAnew) {
  StoreDirectly("f", Pattern(5'000'000));
  a.Inject("Get", {Fault::kBreakMidway});
  const auto client = Client();
  // The replacement comes after the first bytes arrived.
  class Replacing final : public ByteSink {
   public:
    explicit Replacing(std::function<void()> replace) : replace_(std::move(replace)) {}
    absl::Status Write(const Slices& bytes) override {
      if (replace_) std::exchange(replace_, nullptr)();
      return inner_.Write(bytes);
    }
    bool Rewind() override { return inner_.Rewind(); }
    StringSink inner_;
    std::function<void()> replace_;
  } sink([&] { StoreDirectly("f", "new"); });
  const auto got = client->Get("f", sink);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(sink.inner_.bytes(), "new");
  EXPECT_EQ(got->version(), 2U);
}

// Feature 2.
TEST_F(FileClientTest, DamagedBytesNeverReachTheSink) {
  StoreDirectly("f", Pattern(1000));
  for (FakeNode* node : {&a, &b}) node->Inject("Get", {Fault::kDamage, Fault::kDamage});
  StringSink sink;
  const auto got = Client()->Get("f", sink);
  EXPECT_EQ(got.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(sink.bytes().empty());
}

TEST_F(FileClientTest, OneDamagedAnswerIsReadElsewhere) {
  StoreDirectly("f", Pattern(1000));
  a.Inject("Get", {Fault::kDamage});
  StringSink sink;
  ASSERT_TRUE(Client()->Get("f", sink).ok());
  EXPECT_EQ(sink.bytes(), Pattern(1000));
}

}  // namespace
}  // namespace dfs::client
