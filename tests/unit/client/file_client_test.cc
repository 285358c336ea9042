// The library against nodes in this process that break on demand.
#include "client/file_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/posix_byte_stream.h"
#include "common/checksum.h"
#include "common/executor.h"
#include "proto/wire_status.h"
#include "tests/unit/client/fake_cluster.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

std::string Pattern(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 131 + (i >> 9));
  return out;
}

class FileClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileClient> Client(const FileClientOptions& options = {}) const {
    return std::make_unique<FileClient>(std::vector<std::string>{a.address(), b.address()},
                                        options);
  }

  std::string StoredBytes(const std::string& name) const {
    MutexLock lock(&state->mutex);
    const auto found = state->files.find(name);
    return found == state->files.end() ? "(none)" : found->second.bytes;
  }
  std::uint64_t Versions() const {
    MutexLock lock(&state->mutex);
    return state->version;
  }
  void StoreDirectly(const std::string& name, const std::string& bytes) const {
    StringSource source(bytes);
    ASSERT_TRUE(Client()->Put(name, source).ok());
  }

  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  mutable FakeNode a{"a", state};
  mutable FakeNode b{"b", state};
};

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

TEST_F(FileClientTest, ShortLeaderlessMomentIsNotNoticed) {
  a.Inject("Put", {Fault::kNotLeader, Fault::kNotLeader});
  b.Inject("Put", {Fault::kNotLeader});
  const auto client = Client();
  StringSource source("x");
  EXPECT_TRUE(client->Put("f", source).ok());
  EXPECT_EQ(Versions(), 1U);
}

TEST_F(FileClientTest, RepeatAfterABrokenAnswerHasTheSameIdAndHappensOnce) {
  a.Inject("Put", {Fault::kBreakAfter});
  const auto client = Client();
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(b.calls("Put"), 1);
  MutexLock lock(&state->mutex);
  ASSERT_EQ(state->seen.size(), 2U);
  EXPECT_EQ(state->seen[0].sequence(), state->seen[1].sequence());
  EXPECT_EQ(state->seen[0].session(), state->seen[1].session());
  EXPECT_EQ(state->seen[0].session().size(), 16U);
  EXPECT_GE(state->seen[0].birth(), 100U);
}

TEST_F(FileClientTest, LaterChangesAcknowledgeEarlierOnes) {
  const auto client = Client();
  for (int i = 0; i < 3; ++i) {
    StringSource source("x");
    ASSERT_TRUE(client->Put("f", source).ok());
  }
  MutexLock lock(&state->mutex);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(state->seen[i].sequence(), i + 1);
    EXPECT_EQ(state->seen[i].acked_below(), i + 1);
  }
}

// Each attempt fails definitely but the first, whose end nobody knows: a report of failure must be
// settled first (rule R15).
TEST_F(FileClientTest, FailureAfterAnUnknownAttemptIsSettledBeforeItIsReported) {
  a.Inject("Put", {Fault::kBreakBefore});
  b.Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  a.Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(300);
  const auto client = Client(options);
  StringSource source("x");
  const auto put = client->Put("f", source);
  EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::NO_QUORUM);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
  EXPECT_EQ(StoredBytes("f"), "(none)");
}

// Done once, whoever answers: the second attempt gets the first one's result, and does not find the source gone.
TEST_F(FileClientTest, MoveIsDoneOnceWhateverBreaks) {
  StoreDirectly("from", "content");
  FileClientOptions options;
  options.writer = "me";
  const auto client = Client(options);
  a.Inject("Move", {Fault::kBreakAfter});
  const auto moved = client->Move("from", "to");
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->name(), "to");
  EXPECT_EQ(moved->version(), 2U);
  EXPECT_EQ(moved->writer(), "me");
  EXPECT_EQ(StoredBytes("from"), "(none)");
  EXPECT_EQ(StoredBytes("to"), "content");
  EXPECT_TRUE(absl::IsNotFound(client->Move("from", "to").status()));
  StoreDirectly("from", "other");
  const auto refused = client->Move("from", "to", {.if_version = std::nullopt, .if_absent = true});
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status())) << refused.status();
  EXPECT_EQ(OutcomeOf(refused.status()), ErrorDetail::NOTHING_CHANGED);
}

TEST_F(FileClientTest, SettlementThatSaysItHappenedIsSuccess) {
  a.Inject("Put", {Fault::kBreakAfter});
  b.Inject("Put", std::vector<Fault>(100, Fault::kNotLeader));
  a.Inject("Put", std::vector<Fault>(100, Fault::kNotLeader));
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(300);
  const auto client = Client(options);
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
}

TEST_F(FileClientTest, OutcomeStaysUnknownIfItCannotBeSettled) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Remove", std::vector<Fault>(100, Fault::kBreakBefore));
    node->Inject("Settle", std::vector<Fault>(100, Fault::kNoQuorum));
  }
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(200);
  options.calls.retry.timeout = absl::Milliseconds(400);
  const auto removed = Client(options)->Remove("f");
  EXPECT_FALSE(removed.ok());
  EXPECT_EQ(OutcomeOf(removed.status()), ErrorDetail::UNKNOWN);
}

TEST_F(FileClientTest, DefiniteFailureNeedsNoSettlement) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  }
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(200);
  StringSource source("x");
  const auto put = Client(options)->Put("f", source);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::NO_QUORUM);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  const auto detail = DetailOf(put.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->missing_nodes_size(), 2);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 0);
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

TEST_F(FileClientTest, ForgottenSessionIsReplacedIfNothingWasSentUnderIt) {
  a.Inject("Put", {Fault::kSessionExpired});
  const auto client = Client();
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(Versions(), 1U);
}

TEST_F(FileClientTest, ForgottenSessionAfterAnUnknownAttemptIsUnknown) {
  a.Inject("Put", {Fault::kBreakBefore, Fault::kSessionExpired});
  b.Inject("Put", {Fault::kSessionExpired});
  StringSource source("x");
  const auto put = Client()->Put("f", source);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::SESSION_EXPIRED);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::UNKNOWN);
  EXPECT_EQ(Versions(), 0U);
}

TEST_F(FileClientTest, OverloadedNodeIsAskedAgain) {
  a.Inject("Stat", {Fault::kOverloaded, Fault::kOverloaded});
  b.Inject("Stat", {Fault::kOverloaded});
  StoreDirectly("f", "x");
  EXPECT_TRUE(Client()->Stat("f").ok());
}

TEST_F(FileClientTest, KilledNodeIsLeftForTheNext) {
  StoreDirectly("f", "x");
  const auto client = Client();
  ASSERT_TRUE(client->Stat("f").ok());
  a.Kill();
  const absl::Time began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  StringSource source("y");
  EXPECT_TRUE(client->Put("f", source).ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(1));
}

TEST_F(FileClientTest, NodesNamedByTheClusterAreUsed) {
  a.AddEndpoint(b.address());
  StoreDirectly("f", "x");
  FileClient client({a.address()});
  ASSERT_TRUE(client.Stat("f").ok());
  a.Kill();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_EQ(client.Addresses(), (std::vector<std::string>{a.address(), b.address()}));
}

TEST_F(FileClientTest, StoppedNodeIsLeftWithinTwoSecondsAndABusyOneIsNot) {
  StoreDirectly("f", Pattern(100));
  const auto client = Client();
  ASSERT_TRUE(client->Stat("f").ok());
  a.Freeze();
  absl::Time began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(2'300));
  EXPECT_GT(absl::Now() - began, absl::Milliseconds(700));
  // The next call does not try the stopped node first.
  began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(200));
  // b answers Hello, so a call that takes long there is left alone until the timeout.
  b.Inject("Stat", {Fault::kHang});
  FileClientOptions options;
  options.calls.retry.timeout = absl::Seconds(3);
  FileClient patient({b.address()}, options);
  began = absl::Now();
  EXPECT_FALSE(patient.Stat("f").ok());
  EXPECT_GT(absl::Now() - began, absl::Milliseconds(2'900));
}

TEST_F(FileClientTest, StoppedNodeIsLeftInTheMiddleOfAPut) {
  const auto client = Client();
  StringSource first("x");
  ASSERT_TRUE(client->Put("g", first).ok());
  a.Freeze();
  StringSource source(Pattern(50'000'000));
  const absl::Time began = absl::Now();
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_LT(absl::Now() - began, absl::Seconds(4));
  EXPECT_EQ(put->info().size(), 50'000'000U);
  EXPECT_EQ(a.calls("Put"), 2);
}

// A port that accepts and never says a word.
class BlackHole {
 public:
  BlackHole() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~BlackHole() { ::close(socket_); }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST_F(FileClientTest, BlackHoleIsLeftWithinTwoSeconds) {
  StoreDirectly("f", "x");
  const BlackHole hole;
  FileClient client({hole.address(), a.address()});
  absl::Time began = absl::Now();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(2));
  began = absl::Now();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(200));
}

TEST_F(FileClientTest, NobodyReachableIsSaidSoon) {
  const std::string address = a.address();
  a.Kill();
  FileClient client({address});
  const absl::Time began = absl::Now();
  const auto stat = client.Stat("f");
  EXPECT_EQ(stat.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - began, absl::Seconds(4));
  StringSource source("x");
  const auto put = client.Put("f", source);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
}

TEST_F(FileClientTest, AnotherClusterIsRefused) {
  auto foreign_state = std::make_shared<FakeState>();
  {
    MutexLock lock(&foreign_state->mutex);
    foreign_state->cluster_id = std::string(31, '0') + "2";
  }
  FakeNode foreign("foreign", foreign_state);
  FileClient client({a.address(), foreign.address()});
  ASSERT_TRUE(client.Hello().ok());
  a.Kill();
  const auto stat = client.Stat("f");
  EXPECT_EQ(ReasonOf(stat.status()), ErrorDetail::WRONG_CLUSTER);
  EXPECT_EQ(foreign.calls("Stat"), 0);
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

TEST_F(FileClientTest, PutThatBreaksMidwayIsRepeatedFromTheStart) {
  a.Inject("Put", {Fault::kBreakMidway});
  b.Inject("Put", {Fault::kDamage});
  StringSource source(Pattern(5'000'000));
  const auto put = Client()->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == Pattern(5'000'000));
  EXPECT_EQ(Versions(), 1U);
}

// A source like a pipe: neither size nor a way back.
class OneWaySource final : public ByteSource {
 public:
  explicit OneWaySource(std::string bytes) : inner_(std::move(bytes)) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return std::nullopt; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    return inner_.Read(bytes_max);
  }
  [[nodiscard]] bool Rewind() override { return false; }

 private:
  StringSource inner_;
};

TEST_F(FileClientTest, SourceOfUnknownSizeIsStoredWhole) {
  const auto client = Client();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{1} << 20, (std::size_t{2} << 20) + 3}) {
    OneWaySource source(Pattern(size));
    ASSERT_TRUE(client->Put("f", source).ok());
    EXPECT_TRUE(StoredBytes("f") == Pattern(size)) << size;
  }
}

TEST_F(FileClientTest, PutThatMayBeGoneOnWithSendsNoByteTwice) {
  a.Inject("Put", {Fault::kBreakMidway});
  const std::string bytes = Pattern(std::size_t{5} << 20);
  StringSource source(bytes);
  ResumablePut resumable;
  std::vector<PutTrace> told;
  resumable.on_begin = [&](const PutTrace& trace) { told.push_back(trace); };
  PutOptions options;
  options.resumable = &resumable;
  const auto put = Client()->Put("f", source, options);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes);
  EXPECT_EQ(resumable.resumed_at, std::uint64_t{1} << 20);
  EXPECT_EQ(a.bytes_received(), bytes.size());
  EXPECT_EQ(a.calls("Put"), 2);
  EXPECT_EQ(b.calls("Put") + a.calls("Settle") + b.calls("Settle"), 0);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].token.size(), 16U);
  EXPECT_EQ(told[0].address, a.address());
}

// What a client that is gone has left at node a.
class LeftPut : public FileClientTest {
 protected:
  LeftPut() {
    left_.token = std::string(16, 't');
    left_.request_id.set_session(std::string(16, 's'));
    left_.request_id.set_sequence(7);
    left_.address = a.address();
  }
  void Park(const std::string& bytes, int is_open_times = 0) {
    v1::PutHeader header;
    header.set_resume_token(left_.token);
    *header.mutable_request_id() = left_.request_id;
    a.Park(header, bytes, is_open_times);
  }
  absl::StatusOr<v1::PutResponse> Put() {
    StringSource source(bytes_);
    resumable_.left = left_;
    PutOptions options;
    options.resumable = &resumable_;
    return Client()->Put("f", source, options);
  }
  std::uint64_t LastSequence() const {
    MutexLock lock(&state->mutex);
    return state->seen.back().sequence();
  }

  const std::string bytes_ = Pattern((std::size_t{3} << 20) + 5);
  PutTrace left_;
  ResumablePut resumable_;
};

TEST_F(LeftPut, AnotherClientSendsTheRest) {
  for (const std::size_t there : {std::size_t{2'000'000}, bytes_.size()}) {
    Park(bytes_.substr(0, there), /*is_open_times=*/3);
    const std::uint64_t received = a.bytes_received();
    const auto put = Put();
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_TRUE(StoredBytes("f") == bytes_);
    EXPECT_EQ(a.bytes_received() - received, bytes_.size() - there);
    EXPECT_EQ(resumable_.resumed_at, there);
    EXPECT_EQ(LastSequence(), left_.request_id.sequence());
    EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 0);
    left_.request_id.set_sequence(8);
  }
}

TEST_F(LeftPut, ItIsFoundAtWhicheverNodeHasIt) {
  Park(bytes_.substr(0, 2'000'000));
  left_.address = "127.0.0.1:1";
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(resumable_.resumed_at, 2'000'000U);
  EXPECT_TRUE(StoredBytes("f") == bytes_);
}

TEST_F(LeftPut, OtherBytesAreSentAnewUnderAnotherRequest) {
  std::string other = bytes_.substr(0, 2'000'000);
  other[1'999'999] ^= 1;
  Park(other);
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(resumable_.resumed_at, 0U);
  EXPECT_NE(LastSequence(), left_.request_id.sequence());
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1) << "the old one must never happen";
}

TEST_F(LeftPut, WhatHadHappenedIsFoundAndNotSentAgain) {
  Park(bytes_);
  ASSERT_TRUE(Put().ok());
  const auto put = Put();  // nobody has it any more
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(a.calls("Put") + b.calls("Put"), 1);
  EXPECT_EQ(resumable_.resumed_at, bytes_.size());
}

TEST_F(LeftPut, WhatNobodyHasIsSettledAndBegunAnew) {
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
  EXPECT_EQ(resumable_.resumed_at, 0U);
}

TEST_F(LeftPut, ABreakOfTheRestIsGoneOnFromToo) {
  Park(bytes_.substr(0, 1'000'000));
  a.Inject("Put", {Fault::kBreakMidway});
  ASSERT_TRUE(Put().ok());
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(resumable_.resumed_at, 1'000'000U + (std::size_t{1} << 20));
}

// The answer to the last message was lost: it happened once.
TEST_F(LeftPut, ALostAnswerIsFound) {
  Park(bytes_.substr(0, 1'000'000));
  a.Inject("Put", {Fault::kBreakAfter});
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
}

TEST_F(FileClientTest, PutThatCannotBeRepeatedFailsDefinitely) {
  a.Inject("Put", {Fault::kBreakMidway});
  OneWaySource source(Pattern(50'000'000));
  const auto put = Client()->Put("f", source);
  EXPECT_FALSE(put.ok());
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  EXPECT_EQ(b.calls("Put"), 0);
  EXPECT_EQ(StoredBytes("f"), "(none)");
}

TEST_F(FileClientTest, PutThatCannotBeRepeatedIsSettledIfItsEndIsUnknown) {
  a.Inject("Put", {Fault::kBreakAfter});
  OneWaySource source("x");
  const auto put = Client()->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
}

TEST_F(FileClientTest, ListGoesOnAtAnotherNodeWhereItBroke) {
  for (int i = 0; i < 10; ++i) StoreDirectly("p/" + std::to_string(i), "x");
  StoreDirectly("q", "x");
  a.Inject("List", {Fault::kBreakMidway});
  std::vector<std::string> names;
  ListOptions options;
  options.prefix = "p/";
  ASSERT_TRUE(Client()
                  ->List(options, [&](const v1::FileInfo& file) { names.push_back(file.name()); })
                  .ok());
  ASSERT_EQ(names.size(), 10U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 10U);
}

TEST_F(FileClientTest, ListByPatternGoesOnUntilAllNamesHaveBeenLookedAt) {
  for (int i = 0; i < 20; ++i) StoreDirectly("p/" + std::to_string(10 + i) + (i % 7 == 6 ? ".rare" : ""), "x");
  a.Inject("List", {Fault::kNone, Fault::kBreakMidway});
  std::vector<std::string> names;
  const auto take = [&](const v1::FileInfo& file) { names.push_back(file.name()); };
  ListOptions options;
  options.pattern = "p/*.rare";
  ASSERT_TRUE(Client()->List(options, take).ok());
  EXPECT_EQ(names, (std::vector<std::string>{"p/16.rare", "p/23.rare"}));
  EXPECT_GE(a.calls("List") + b.calls("List"), 7) << "three names a call";
  names.clear();
  options.limit = 1;
  ASSERT_TRUE(Client()->List(options, take).ok());
  EXPECT_EQ(names, (std::vector<std::string>{"p/16.rare"}));
  options.pattern = "p/\\";
  EXPECT_TRUE(absl::IsInvalidArgument(Client()->List(options, take)));
}

// It would list, and a `remove` would remove, what was not meant.
TEST_F(FileClientTest, AnOlderServerIsNotTakenAtItsWord) {
  StoreDirectly("other", "x");
  for (FakeNode* node : {&a, &b}) node->Inject("List", {Fault::kIsOlder, Fault::kIsOlder});
  const auto take = [](const v1::FileInfo& file) { ADD_FAILURE() << file.name(); };
  ListOptions options;
  options.pattern = "f*";
  EXPECT_TRUE(absl::IsUnimplemented(Client()->List(options, take)));
  options = {};
  options.trash = true;
  EXPECT_TRUE(absl::IsUnimplemented(Client()->List(options, take)));
}

TEST_F(FileClientTest, ConditionThatDoesNotHoldChangesNothing) {
  StoreDirectly("f", "old");
  const auto client = Client();
  PutOptions options;
  options.if_version = 0;
  StringSource source("new");
  const auto put = client->Put("f", source, options);
  EXPECT_EQ(put.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::PRECONDITION);
  EXPECT_EQ(StoredBytes("f"), "old");
  options.if_version = 1;
  StringSource again("new");
  EXPECT_TRUE(client->Put("f", again, options).ok());
}

TEST_F(FileClientTest, ManyThreadsShareOneClient) {
  constexpr int kThreads = 16;
  constexpr int kPuts = 40;
  const auto client = Client();
  a.Inject("Put", {Fault::kNone, Fault::kNotLeader, Fault::kBreakAfter, Fault::kBreakBefore});
  Event done;
  Mutex mutex;
  int left = kThreads;
  std::vector<std::string> errors;
  ThreadPool pool("test", kThreads);
  for (int t = 0; t < kThreads; ++t) {
    pool.Post([&, t] {
      for (int i = 0; i < kPuts; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        StringSource source(name);
        const auto put = client->Put(name, source);
        StringSink sink;
        const auto got = client->Get(name, sink);
        MutexLock lock(&mutex);
        if (!put.ok()) errors.emplace_back(put.status().ToString());
        if (!got.ok() || sink.bytes() != name) errors.emplace_back(got.status().ToString());
      }
      MutexLock lock(&mutex);
      if (--left == 0) done.Set();
    });
  }
  done.Wait();
  EXPECT_TRUE(errors.empty()) << errors.front();
  EXPECT_EQ(Versions(), static_cast<std::uint64_t>(kThreads * kPuts));
}

}  // namespace
}  // namespace dfs::client
