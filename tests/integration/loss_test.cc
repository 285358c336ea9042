// What must not be lost: all nodes killed at any moment, the disk of one node after another gone for good, and the leader
// killed in the middle of a put from a pipe.
//
// DFS_TEST_NIGHTLY=1 asks for more rounds and for a put of 5 GB; DFS_TEST_PUT_MB for one of that size.
#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/random.h"
#include "tests/integration/history_fixture.h"
#include "tests/support/workload.h"

namespace dfs::testing {
namespace {

using ::testing::IsEmpty;

const std::vector<int> kAllNodes = {1, 2, 3};
constexpr absl::Duration kProgressTimeout = absl::Seconds(30);

class AllNodes : public HistoryFixture {
 protected:
  void SetUp() override { ASSERT_OK(cluster_.Up(3)); }
};

// The histories go on across the moment at which no process is left.
// Defect "a restart loses data or metadata".
TEST_F(AllNodes, KilledAtRandomMomentsForgetNothing) {
  const int rounds = IsNightly() ? 50 : kIsSlow ? 3 : 6;
  Random random(31);
  HistoryLoad load(history_, cluster_, {.seed = 31});
  Event never;
  for (int round = 0; round < rounds; ++round) {
    ASSERT_OK(load.AwaitOperations(20 + random.Below(300), kProgressTimeout));
    never.WaitFor(absl::Microseconds(random.Between(0, 100'000)));
    // Not at the same instant: the last one may go on alone for a moment, in which nothing can be acknowledged.
    for (const int n : kAllNodes) {
      cluster_.Kill(n);
      never.WaitFor(absl::Microseconds(random.Between(0, 5'000)));
    }
    for (const int n : kAllNodes) cluster_.Start(n);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
  }
  Judge(load, kAllNodes);
  Proved("kill -9 of all 3 nodes at random moments, " + std::to_string(rounds) + " times: " + Evidence());
}

class Loss : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(cluster_.Up(3)); }

  // Each acknowledged file has its bytes on each of the three nodes' disks.
  void ExpectThreeCopies(const Workload& workload) {
    std::map<std::string, Fingerprint> files;
    for (const auto& record : workload.Records()) {
      if (record.fate != Workload::Fate::kAcknowledged || record.size == 0) continue;
      files[record.name] = FingerprintOfSeeded(record.seed, record.size);
    }
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(CheckCopies(cluster_, client, kAllNodes, files));
    files_checked_ += files.size();
  }

  // The node dies with its disk while clients work, and an empty one takes its place.
  void DestroyUnder(Workload& workload, int victim) {
    const std::string name = "n" + std::to_string(victim);
    ASSERT_OK(workload.AwaitProgress(20, 10, kProgressTimeout));
    cluster_.Kill(victim);
    cluster_.Wipe(victim);
    ASSERT_OK(workload.AwaitProgress(20, 10, kProgressTimeout));
    cluster_.Start(victim);
    ASSERT_OK(cluster_.WaitReady(kAllNodes));
    const auto replaced = cluster_.Cli({"replace", "--yes", name});
    ASSERT_EQ(replaced.exit_code, 0) << replaced.out << replaced.err;
    ASSERT_OK(workload.AwaitProgress(10, 10, kProgressTimeout));
    workload.Stop();
    EXPECT_THAT(workload.Violations(), IsEmpty());
    const auto repaired = cluster_.Cli({"repair", "--wait"});
    ASSERT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
    for (const int n : kAllNodes) ASSERT_OK(cluster_.WaitFullyReplicated(n));
  }

  ProcessCluster cluster_;
  std::size_t files_checked_ = 0;
};

// What "fully replicated" says is true: the next disk may go, and the next, until none of the first ones is left.
TEST_F(Loss, OfOneDiskAfterAnotherLosesNothing) {
  const int rounds = IsNightly() ? 10 : 2;
  std::vector<std::unique_ptr<Workload>> workloads;
  int leaders = 0;
  for (int round = 0; round < rounds; ++round) {
    workloads.push_back(std::make_unique<Workload>(
        cluster_, Workload::Options{.seed = 40 + static_cast<std::uint64_t>(round),
                                    .prefix = "round " + std::to_string(round) + "/",
                                    .big_bytes = std::size_t{4} << 20}));
    // The leader in every other round, in turn with the others.
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    const int victim = round % 2 == 0 ? *leader : 1 + (*leader + round / 2) % 3;
    leaders += victim == *leader ? 1 : 0;
    DestroyUnder(*workloads.back(), victim);
    if (HasFatalFailure()) return;
    ExpectThreeCopies(*workloads.back());
  }
  for (const auto& workload : workloads) {
    ASSERT_OK(workload->Verify(kAllNodes));
    ExpectThreeCopies(*workload);
    EXPECT_EQ(workload->Count(Workload::Fate::kFailed), 0);
  }
  const auto status = cluster_.Status(1);
  ASSERT_OK(status.status());
  EXPECT_EQ(status->nodes_size(), 3) << "no dead member is left behind";
  Proved(std::to_string(rounds) + " rounds of kill -9 and rm -rf of a node's data under load (" + std::to_string(leaders) +
         " times the leader's), replace, repair: nothing lost; " + std::to_string(files_checked_) +
         " times a file with 3 right copies; last round: " + workloads.back()->Summary());
}

// A pipe that is filled as fast as its reader takes it.
class Pipe {
 public:
  explicit Pipe(const std::string& path) : path_(path) {
    signal(SIGPIPE, SIG_IGN);
    PCHECK(mkfifo(path.c_str(), 0600) == 0) << path;
  }
  ~Pipe() { Close(); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // Waits until there is a reader.
  absl::Status Open() {
    return ProcessCluster::Await("a reader of the pipe", kProgressTimeout, [this] {
      fd_ = open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return fd_ >= 0;
    });
  }
  absl::Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kProgressTimeout))) == 0) {
        return absl::UnavailableError("the reader of the pipe takes nothing any more");
      }
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EAGAIN) continue;
      if (written < 0) return absl::UnavailableError("the reader of the pipe has gone");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return absl::OkStatus();
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

// dfs-cli put - NAME through one node, its standard input under the test's control.
class PipedPut {
 public:
  PipedPut(ProcessCluster& cluster, int coordinator, const std::string& name, SeededSource source)
      : pipe_(cluster.folder().File("pipe")),
        error_file_(cluster.folder().File("put.err")),
        source_(source),
        put_({ProcessCluster::CliBinary(), "--endpoints=" + cluster.EndpointOf(coordinator), "put", "-", name},
             {.in = pipe_.path(), .out = "", .err = error_file_}) {}

  absl::Status Begin() { return pipe_.Open(); }
  // Sends at least so many of the bytes that are left.
  absl::Status Send(std::uint64_t bytes) {
    constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
    for (std::uint64_t sent = 0; sent < bytes;) {
      const auto piece = source_.Read(kPieceBytes);
      if (!piece.ok()) return piece.status();
      if (piece->empty()) break;
      const absl::Status written = pipe_.Write(piece->ToString());
      if (!written.ok()) return absl::UnavailableError(std::string(written.message()) + "; it said: " + errors());
      sent += piece->size();
    }
    return absl::OkStatus();
  }
  // Ends the stream. The exit code.
  std::optional<int> Finish() {
    pipe_.Close();
    return put_.WaitFor(absl::Minutes(2));
  }
  [[nodiscard]] std::string errors() const { return ReadFile(error_file_); }

 private:
  Pipe pipe_;
  const std::string error_file_;
  SeededSource source_;
  ChildProcess put_;
};

std::uint64_t PipedBytes() {
  const char* const wish = std::getenv("DFS_TEST_PUT_MB");
  if (wish != nullptr) return std::strtoull(wish, nullptr, 10) * 1'000'000;
  return IsNightly() ? 5'000'000'000 : kIsSlow ? 150'000'000 : 300'000'000;
}

// What comes from a pipe cannot be sent twice: the node that takes it must bring it through the change of leader, with
// the chunks that were stored under the old one.
TEST_F(Loss, OfTheLeaderInTheMiddleOfAPutFromAPipeIsNotNoticed) {
  constexpr std::uint64_t kSeed = 50;
  const std::uint64_t size = PipedBytes();
  const auto coordinator = cluster_.Follower();
  ASSERT_OK(coordinator.status());
  const auto leader = cluster_.Leader();
  ASSERT_OK(leader.status());
  ASSERT_NE(*leader, *coordinator);
  PipedPut put(cluster_, *coordinator, "piped", SeededSource(kSeed, size));
  ASSERT_OK(put.Begin());
  ASSERT_OK(put.Send(size / 2));
  cluster_.Kill(*leader);
  ASSERT_OK(put.Send(size - size / 2));
  ASSERT_EQ(put.Finish(), std::optional<int>(0)) << put.errors();
  const auto next = cluster_.Leader();
  ASSERT_OK(next.status());
  EXPECT_NE(*next, *leader);
  cluster_.Start(*leader);
  ASSERT_OK(cluster_.WaitReady(kAllNodes));
  ASSERT_OK(cluster_.WaitFullyReplicated(1, absl::Minutes(10)));
  client::FileClient client(cluster_.Endpoints());
  const Fingerprint expected = FingerprintOfSeeded(kSeed, size);
  FingerprintSink sink;
  ASSERT_OK(client.Get("piped", sink).status());
  EXPECT_EQ(sink.fingerprint(), expected);
  ASSERT_OK(CheckCopies(cluster_, client, kAllNodes, "piped", expected));
  Proved("put of " + std::to_string(size / 1'000'000) + " MB from a pipe, the leader killed in the middle: stored, reads back equal, 3 "
         "right copies");
}

// The bytes that it has taken are in nobody's hands any more: the put fails, and says so for certain.
TEST_F(Loss, OfTheNodeThatTakesAPutFromAPipeFailsItForGood) {
  constexpr std::uint64_t kSize = 60'000'000;
  client::FileClient client(cluster_.Endpoints());
  ASSERT_OK(Put(client, "piped", "what was there before"));
  const auto coordinator = cluster_.Follower();
  ASSERT_OK(coordinator.status());
  PipedPut put(cluster_, *coordinator, "piped", SeededSource(51, kSize));
  ASSERT_OK(put.Begin());
  ASSERT_OK(put.Send(kSize / 2));
  cluster_.Kill(*coordinator);
  // The reader of the pipe may go before it has taken the rest.
  put.Send(kSize - kSize / 2).IgnoreError();
  const auto exit_code = put.Finish();
  constexpr int kTryAgain = 75;
  EXPECT_EQ(exit_code, std::optional<int>(kTryAgain)) << put.errors();
  cluster_.Start(*coordinator);
  ASSERT_OK(cluster_.WaitReady(kAllNodes));
  for (const int n : kAllNodes) {
    const auto got = GetAt(cluster_.ClientChannel(n), "piped");
    ASSERT_OK(got.status());
    EXPECT_EQ(*got, "what was there before") << "n" << n;
  }
}

}  // namespace
}  // namespace dfs::testing
