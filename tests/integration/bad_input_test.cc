// Clients that lie, break off or send rubbish: each gets the documented code, nothing of it is visible, and the
// nodes serve on.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "client/retry_policy.h"
#include "common/checksum.h"
#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

using ::absl::StatusCode;

class BadInput : public ThreeNodes {
 protected:
  void SetUp() override {
    channel_ = cluster().ClientChannel(1);
    const auto id = NewRequestId(channel_);
    ASSERT_OK(id.status());
    id_ = *id;
    ASSERT_OK(Put(client(), kName, kOld));
  }
  // Afterwards the file holds what it held before, at every node.
  static void ExpectUntouched() {
    for (int n = 1; n <= 3; ++n) {
      const auto got = GetAt(cluster().ClientChannel(n), kName);
      ASSERT_OK(got.status());
      EXPECT_EQ(*got, kOld);
    }
  }
  [[nodiscard]] std::vector<v1::PutRequest> Honest(std::string_view content,
                                                   std::size_t piece = 1 << 20) const {
    return HonestPut(kName, content, id_, piece);
  }
  void ExpectRefused(const std::vector<v1::PutRequest>& messages, StatusCode code,
                     v1::ErrorDetail::Reason reason = v1::ErrorDetail::REASON_UNSPECIFIED) const {
    const auto result = SendPut(channel_, messages);
    EXPECT_EQ(result.status().code(), code) << result.status().ToString();
    if (reason != v1::ErrorDetail::REASON_UNSPECIFIED) {
      EXPECT_EQ(client::ReasonOf(result.status()), reason) << result.status().ToString();
    }
    ExpectUntouched();
  }

  static constexpr char kName[] = "bad/file";
  static constexpr char kOld[] = "the old content";
  std::shared_ptr<grpc::Channel> channel_;
  v1::RequestId id_;
};

// Feature 21; defect "a failed write damages the old version".
TEST_F(BadInput, StreamWithoutFinishStoresNothing) {
  auto messages = Honest(MakeBytes(1, 3 << 20));
  messages.pop_back();
  ExpectRefused(messages, StatusCode::kInvalidArgument);
  messages.resize(1);
  ExpectRefused(messages, StatusCode::kInvalidArgument);
}

// Defect "a failed write damages the old version".
TEST_F(BadInput, CancelledStreamStoresNothing) {
  auto messages = Honest(MakeBytes(2, 5 << 20));
  messages.pop_back();
  EXPECT_EQ(SendPut(channel_, messages, StreamEnd::kCancel).status().code(), StatusCode::kCancelled);
  ExpectUntouched();
}

TEST_F(BadInput, EmptyStreamIsRefused) { ExpectRefused({}, StatusCode::kInvalidArgument); }

TEST_F(BadInput, WrongChecksumOfAMessageIsDataLoss) {
  for (const std::size_t size : {std::size_t{10}, std::size_t{3} << 20}) {
    auto messages = Honest(MakeBytes(3, size));
    messages[1].set_crc32c(messages[1].crc32c() ^ 1);
    ExpectRefused(messages, StatusCode::kDataLoss, v1::ErrorDetail::BAD_CHECKSUM);
  }
}

TEST_F(BadInput, FlippedByteIsDataLoss) {
  for (const std::size_t size : {std::size_t{10}, std::size_t{3} << 20}) {
    auto messages = Honest(MakeBytes(4, size));
    (*messages[1].mutable_data())[size == 10 ? 5 : 700'000] ^= 1;
    ExpectRefused(messages, StatusCode::kDataLoss, v1::ErrorDetail::BAD_CHECKSUM);
  }
}

TEST_F(BadInput, WrongChecksumOfTheWholeIsDataLoss) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, std::size_t{3} << 20}) {
    auto messages = Honest(MakeBytes(5, size));
    messages.back().mutable_finish()->set_crc32c(messages.back().finish().crc32c() ^ 1);
    ExpectRefused(messages, StatusCode::kDataLoss, v1::ErrorDetail::BAD_CHECKSUM);
  }
}

TEST_F(BadInput, SizesThatLieAreRefused) {
  for (const std::size_t size : {std::size_t{10}, std::size_t{3} << 20}) {
    for (const std::size_t lie : {size - 1, size + 1}) {
      auto messages = Honest(MakeBytes(6, size));
      messages.back().mutable_finish()->set_size(lie);
      ExpectRefused(messages, StatusCode::kInvalidArgument, v1::ErrorDetail::SIZE_MISMATCH);
      messages = Honest(MakeBytes(6, size));
      messages[0].mutable_header()->set_size(lie);
      ExpectRefused(messages, StatusCode::kInvalidArgument, v1::ErrorDetail::SIZE_MISMATCH);
    }
  }
}

TEST_F(BadInput, OffsetsThatLieAreRefused) {
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{(1 << 20) - 1}, ~std::uint64_t{0}}) {
    auto messages = Honest(MakeBytes(7, 3 << 20));
    messages[2].set_offset(offset);
    ExpectRefused(messages, StatusCode::kInvalidArgument);
  }
}

TEST_F(BadInput, AnInterruptedPutTakesNoByteButTheNext) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const std::string content = MakeBytes(12, 5 * kMiB);
  const std::string token(16, '\x17');
  auto messages = Honest(content);
  messages[0].mutable_header()->set_resume_token(token);
  const auto break_off = [&] {
    EXPECT_EQ(SendPut(channel_, {messages.begin(), messages.begin() + 3}).status().code(), StatusCode::kCancelled);
    const auto progress = PutProgressAt(channel_, kName, token);
    ASSERT_OK(progress.status());
    EXPECT_EQ(progress->size(), 2 * kMiB);
    EXPECT_EQ(progress->crc32c(), Crc32c(content.data(), 2 * kMiB));
  };
  const auto expect_gone = [&] {
    EXPECT_EQ(PutProgressAt(channel_, kName, token).status().code(), StatusCode::kNotFound);
  };
  std::vector<v1::PutRequest> rest = {messages[0]};
  rest.insert(rest.end(), messages.begin() + 3, messages.end());
  v1::PutHeader& header = *rest[0].mutable_header();

  // Refused before anything is done, so the put stays.
  break_off();
  for (const std::uint64_t at : {std::uint64_t{0}, kMiB, 3 * kMiB}) {
    header.set_resume_offset(at);
    ExpectRefused(rest, StatusCode::kInvalidArgument);
  }
  header.set_resume_offset(2 * kMiB);
  header.set_name("bad/other");
  ExpectRefused(rest, StatusCode::kNotFound);
  header.set_name(kName);
  header.set_resume_token("short");
  ExpectRefused(rest, StatusCode::kInvalidArgument);
  header.set_resume_token(token);
  EXPECT_EQ(PutProgressAt(cluster().ClientChannel(2), kName, token).status().code(), StatusCode::kNotFound);
  // A lie midway is the end of it, as of any put.
  ASSERT_OK(PutProgressAt(channel_, kName, token).status());
  auto gap = rest;
  gap.erase(gap.begin() + 1);
  ExpectRefused(gap, StatusCode::kInvalidArgument);
  expect_gone();
  // So is the client's own word.
  break_off();
  v1::PutRequest abandon;
  abandon.set_abandon(true);
  ExpectRefused({rest[0], abandon}, StatusCode::kCancelled);
  expect_gone();

  break_off();
  ASSERT_OK(SendPut(channel_, rest).status());
  expect_gone();
  const auto got = GetAt(cluster().ClientChannel(3), kName);
  ASSERT_OK(got.status());
  EXPECT_TRUE(*got == content);
}

TEST_F(BadInput, HeaderMustComeFirstAndOnce) {
  auto messages = Honest("content");
  messages.erase(messages.begin());
  ExpectRefused(messages, StatusCode::kInvalidArgument);
  messages = Honest("content");
  *messages[1].mutable_header() = messages[0].header();
  ExpectRefused(messages, StatusCode::kInvalidArgument);
}

TEST_F(BadInput, RequestIdsMustBeWellFormed) {
  for (const std::size_t length : {0U, 1U, 15U, 17U, 1'000U}) {
    auto messages = Honest("content");
    messages[0].mutable_header()->mutable_request_id()->set_session(std::string(length, 's'));
    ExpectRefused(messages, StatusCode::kInvalidArgument);
  }
  auto messages = Honest("content");
  messages[0].mutable_header()->mutable_request_id()->set_sequence(0);
  ExpectRefused(messages, StatusCode::kInvalidArgument);
  messages[0].mutable_header()->clear_request_id();
  ExpectRefused(messages, StatusCode::kInvalidArgument);
}

TEST_F(BadInput, MessagesAboveTheLimitAreRefused) {
  ExpectRefused(Honest(MakeBytes(8, 3 << 20), 3 << 20), StatusCode::kInvalidArgument);
  const auto huge = SendPut(channel_, Honest(MakeBytes(8, 20 << 20), 20 << 20));
  EXPECT_FALSE(huge.ok());
  ExpectUntouched();
}

TEST_F(BadInput, UnknownBucketAndOffsetBehindTheEnd) {
  auto messages = Honest("content");
  messages[0].mutable_header()->set_bucket("no-such-bucket");
  ExpectRefused(messages, StatusCode::kNotFound);
  v1::GetRequest get;
  get.set_name(kName);
  get.set_offset(sizeof kOld + 5);
  EXPECT_EQ(GetAt(channel_, get).status().code(), StatusCode::kOutOfRange);
  get.set_offset(0);
  get.set_version(1'000'000'000);
  EXPECT_EQ(GetAt(channel_, get).status().code(), StatusCode::kNotFound);
}

// A refused attempt leaves its request id free: the honest repetition works.
TEST_F(BadInput, HonestRepetitionAfterDamageWorks) {
  auto messages = Honest("the new content");
  messages[1].set_crc32c(messages[1].crc32c() ^ 1);
  EXPECT_EQ(SendPut(channel_, messages).status().code(), StatusCode::kDataLoss);
  ASSERT_OK(SendPut(channel_, Honest("the new content")).status());
  const auto got = GetAt(channel_, kName);
  ASSERT_OK(got.status());
  EXPECT_EQ(*got, "the new content");
}

TEST_F(BadInput, ABadNameIsNamedAsTheReasonByEveryVerb) {
  const std::string bad = "a//b";
  const auto expect_reason = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(client::ReasonOf(status), v1::ErrorDetail::BAD_NAME) << status;
  };
  expect_reason(PutAt(channel_, bad, "bytes").status());
  expect_reason(GetAt(channel_, bad).status());
  expect_reason(StatAt(channel_, bad).status());
  expect_reason(RemoveAt(channel_, bad, id_).status());
}

// A connection that sends bytes and never reads; closed by the destructor.
class RawConnection {
 public:
  explicit RawConnection(const std::string& endpoint) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(
        std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_open_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawConnection() { close(fd_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  [[nodiscard]] bool is_open() const { return is_open_; }
  // Stops early if the other side has closed.
  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

 private:
  const int fd_;
  bool is_open_ = false;
};

// Defect "unframed messages over TCP".
TEST_F(BadInput, RubbishOnEveryPortHarmsNobody) {
  std::vector<std::unique_ptr<RawConnection>> open;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (int n = 1; n <= 3; ++n) {
    for (const std::string& endpoint : {cluster().EndpointOf(n), cluster().PeerAddressOf(n)}) {
      for (const std::string& bytes :
           {MakeBytes(1, 100'000), std::string("GET / HTTP/1.1\r\n\r\n"), preface + MakeBytes(2, 50'000),
            preface.substr(0, 5), std::string()}) {
        open.push_back(std::make_unique<RawConnection>(endpoint));
        ASSERT_TRUE(open.back()->is_open());
        open.back()->Send(bytes);
      }
    }
  }
  ASSERT_OK(cluster().WaitReady({1, 2, 3}));
  for (int n = 1; n <= 3; ++n) EXPECT_TRUE(cluster().IsRunning(n));
  ExpectUntouched();
  ASSERT_OK(PutAt(channel_, "bad/after-rubbish", "fine").status());
}

}  // namespace
}  // namespace dfs::testing
