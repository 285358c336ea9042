// Links between five nodes that are cut: who leads, what is answered on which side, and what is there after healing.
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/file_client.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "proto/wire_status.h"
#include "tests/integration/network_fixture.h"
#include "tests/support/history_load.h"
#include "tests/support/linearizability.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kNoQuorum = 15;
constexpr int kUnknownOutcome = 16;
// The promise is 5 s; the rest is for starting dfs-cli on a busy machine, ten at once.
constexpr absl::Duration kVerdictTimeout = absl::Milliseconds(7'000);
// From the cut of links to a leader among those that can be one, to the end of one that cannot, and to the first put
// that is acknowledged again. A quiet machine needs a tenth of it.
constexpr absl::Duration kLeaderTimeout = absl::Seconds(5);
constexpr absl::Duration kWriteTimeout = absl::Seconds(10);
// For nodes that belong together again.
constexpr absl::Duration kHealTimeout = absl::Seconds(20);

bool IsNightly() {
  return std::getenv("DFS_TEST_NIGHTLY") != nullptr;  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
}

// One file that one client overwrites with rising numbers, while others read it at one node each, directly and strongly.
// What they see goes into one history.
class WatchedFile {
 public:
  WatchedFile(ProcessCluster& cluster, std::string name, const std::vector<int>& nodes)
      : cluster_(cluster), name_(std::move(name)), writer_(cluster.Endpoints()), threads_("watched", nodes.size() + 1) {
    for (const int n : nodes) threads_.Post([this, n] { ReadAt(n); });
  }
  ~WatchedFile() { Stop(); }

  // Overwrites it once. The call's own end.
  absl::Status Write() {
    RegisterOperation operation{.kind = RegisterOperation::Kind::kWrite, .value = ++last_value_, .start = Tick()};
    const absl::Status status = Put(writer_, name_, std::to_string(operation.value));
    operation.end = Tick();
    if (!status.ok() && OutcomeOf(status) == v1::ErrorDetail::NOTHING_CHANGED) return status;
    operation.is_outcome_unknown = !status.ok();
    Add(operation);
    return status;
  }
  // Goes on overwriting it, on a thread of its own.
  void StartWriting() {
    threads_.Post([this] {
      while (!is_stopping_.IsSet()) {
        if (Write().ok()) ++written_;
        is_stopping_.WaitFor(kPause);
      }
    });
  }
  [[nodiscard]] int written() const { return written_; }
  // Lets the running operations end.
  void Stop() {
    is_stopping_.Set();
    threads_.Stop();
  }
  // After Stop. OK if every read is explained by an order of the operations.
  absl::Status Check() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return CheckLinearizable(history_);
  }
  [[nodiscard]] std::size_t size() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return history_.size();
  }
  // A read by somebody else, called at `start`.
  [[nodiscard]] std::int64_t Tick() { return ++clock_; }
  void RecordRead(const std::string& content, std::int64_t start) {
    Add({.kind = RegisterOperation::Kind::kRead, .value = std::stoull(content), .start = start, .end = Tick()});
  }

 private:
  static constexpr absl::Duration kPause = absl::Milliseconds(20);

  void ReadAt(int n) {
    while (!is_stopping_.IsSet()) {
      const std::int64_t start = Tick();
      const auto got = GetAt(cluster_.ClientChannel(n), name_);
      if (got.ok()) RecordRead(*got, start);
      if (absl::IsNotFound(got.status())) RecordRead("0", start);
      is_stopping_.WaitFor(kPause);
    }
  }
  void Add(const RegisterOperation& operation) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    history_.push_back(operation);
  }

  ProcessCluster& cluster_;
  const std::string name_;
  client::FileClient writer_;
  std::atomic<std::int64_t> clock_ = 0;  // orders calls and returns; that is all the history needs
  std::uint64_t last_value_ = 0;         // of the one writer
  std::atomic<int> written_ = 0;
  Event is_stopping_;
  Mutex mutex_;
  std::vector<RegisterOperation> history_ ABSL_GUARDED_BY(mutex_);
  ThreadPool threads_;  // last: its threads use the rest
};

class Partition : public NetworkedNodes {
 protected:
  struct Summary {
    int link_sets = 0;
    int with_leader = 0;
    int refusals = 0;
    std::size_t operations = 0;
    absl::Duration to_leader;
    absl::Duration to_write;
    absl::Duration to_verdict;
    absl::Duration to_heal;
  };

  static void TearDownTestSuite() {
    acknowledged_.clear();
    NetworkedNodes::TearDownTestSuite();
  }

  // Whether node `n` says that it leads. Answered from its memory.
  static bool SaysItLeads(int n) {
    const auto hello = HelloOf(n);
    return hello.ok() && hello->leader_id() != 0 && hello->leader_id() == hello->node_id();
  }
  static absl::StatusOr<v1::HelloResponse> HelloOf(int n) {
    const auto stub = v1::Cluster::NewStub(cluster().ClientChannel(n));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(1)));
    v1::HelloResponse response;
    if (const auto status = stub->Hello(&context, {}, &response); !status.ok()) {
      return absl::UnavailableError(status.error_message());
    }
    return response;
  }
  static absl::StatusOr<int> LeaderAmong(const std::set<int>& nodes) {
    int leader = 0;
    const absl::Status status = ProcessCluster::Await("a leader among those that can lead", kLeaderTimeout, [&] {
      for (const int n : nodes) {
        if (SaysItLeads(n)) leader = n;
      }
      return leader != 0;
    });
    if (!status.ok()) return status;
    return leader;
  }

  // When clients go on writing after a cut.
  enum class Writes { kAtOnce, kOnceALeaderIsThere };
  // The same links with the present leader where none can be, if there is such a place.
  static LinkSet Worst(const LinkSet& links) {
    const auto leader = cluster().Leader();
    EXPECT_OK(leader.status());
    const std::set<int> hubs = links.Hubs();
    for (const int n : AllNodes()) {
      if (leader.ok() && !hubs.contains(n)) return links.WithExchanged(*leader, n);
    }
    return links;
  }

  // Cuts all but `links`, checks what must hold then, heals, checks again.
  //
  // With links that work one way, writes have to wait: a leader that is cut off may still send an entry, one way, to a node
  // whose vote the only node that can lead needs. That one lacks the entry, so it is not voted for until links heal. Raft is so.
  void TryLinks(const LinkSet& links, Writes writes) {
    SCOPED_TRACE("links: " + links.ToString());
    const std::string prefix = "partition/" + std::to_string(rounds_++) + "/";
    ++summary_.link_sets;
    client::FileClient client(cluster().Endpoints());
    const std::string before = MakeBytes(static_cast<std::uint64_t>(rounds_), 300'000);
    ASSERT_OK(Put(client, prefix + "before", before));
    acknowledged_[prefix + "before"] = before;
    WatchedFile watched(cluster(), prefix + "watched", AllNodes());
    ASSERT_OK(watched.Write());
    ASSERT_OK(cluster().WaitCaughtUp(AllNodes()));

    const MonotonicTime start = SystemClock().Now();
    network().SetLinks(links);
    if (writes == Writes::kAtOnce) watched.StartWriting();
    const std::set<int> hubs = links.Hubs();
    if (hubs.empty()) {
      ExpectNoLeader();
    } else {
      ++summary_.with_leader;
      EXPECT_OK(LeaderAmong(hubs).status());
      summary_.to_leader = std::max(summary_.to_leader, SystemClock().Now() - start);
    }
    if (writes == Writes::kOnceALeaderIsThere) watched.StartWriting();
    if (!hubs.empty()) ExpectPuts(start, watched, prefix);
    for (const int n : links.CutOff()) ExpectToKnowNoLeader(n);
    ExpectAnswers(links.CutOff(), prefix, watched);

    const MonotonicTime healed = SystemClock().Now();
    network().Heal();
    ASSERT_OK(cluster().WaitReady(AllNodes(), kHealTimeout));
    summary_.to_heal = std::max(summary_.to_heal, SystemClock().Now() - healed);
    watched.Stop();
    EXPECT_OK(watched.Check());
    summary_.operations += watched.size();
    ExpectAllThere(prefix);
  }

  void ExpectNoLeader() {
    EXPECT_OK(ProcessCluster::Await("nobody says that it leads", kLeaderTimeout, [] {
      for (const int n : AllNodes()) {
        if (SaysItLeads(n)) return false;
      }
      return true;
    }));
  }
  // Until then a put could end without anybody's knowing whether it counts, and would be asked about for long.
  static void ExpectToKnowNoLeader(int n) {
    EXPECT_OK(ProcessCluster::Await("n" + std::to_string(n) + " knows no leader", kLeaderTimeout, [n] {
      const auto hello = HelloOf(n);
      return hello.ok() && hello->leader_id() == 0;
    }));
  }
  // By clients that reach every node.
  void ExpectPuts(MonotonicTime start, WatchedFile& watched, const std::string& prefix) {
    EXPECT_OK(ProcessCluster::Await("a put that is acknowledged", start + kWriteTimeout - SystemClock().Now(),
                                    [&] { return watched.written() > 0; }));
    summary_.to_write = std::max(summary_.to_write, SystemClock().Now() - start);
    client::FileClient client(cluster().Endpoints());
    const std::string during = MakeBytes(static_cast<std::uint64_t>(rounds_), 1'000'000);
    EXPECT_OK(Put(client, prefix + "during", during));
    acknowledged_[prefix + "during"] = during;
  }
  // Clients on the machine of each node: where no leader can be reached nothing is answered or done, and anywhere else
  // nothing stale.
  void ExpectAnswers(const std::set<int>& cut_off, const std::string& prefix, WatchedFile& watched) {
    std::vector<std::function<void()>> calls;
    Mutex mutex;
    for (const int n : AllNodes()) {
      const bool is_refused = cut_off.contains(n);
      calls.emplace_back([&, n, is_refused] {
        const std::int64_t start = watched.Tick();
        const auto got = CliAt(n, {"get", prefix + "watched", "-"});
        MutexLock lock(&mutex);
        if (got.exit_code == 0) watched.RecordRead(got.out, start);
        if (is_refused) ExpectRefused("get", n, got, {kNoQuorum});
      });
      if (!is_refused) continue;
      calls.emplace_back([&, n] {
        const std::string name = prefix + "refused-" + std::to_string(n);
        const auto put = CliAt(n, {"put", "-", name}, "never to be seen");
        MutexLock lock(&mutex);
        ExpectRefused("put", n, put, {kNoQuorum, kUnknownOutcome});
        if (put.exit_code == kNoQuorum) refused_.insert(name);
      });
    }
    AllAtOnce(calls);
  }
  static void AllAtOnce(const std::vector<std::function<void()>>& calls) {
    ThreadPool threads("clients", calls.size());
    std::atomic<std::size_t> left = calls.size();
    Event done;
    for (const auto& call : calls) {
      threads.Post([&] {
        call();
        if (--left == 0) done.Set();
      });
    }
    done.Wait();
  }
  void ExpectRefused(const std::string& what, int n, const CommandResult& result, const std::set<int>& codes) {
    EXPECT_TRUE(codes.contains(result.exit_code))
        << what << " at n" << n << " ended with " << result.exit_code << ": " << result.out << result.err;
    EXPECT_LT(result.elapsed, kVerdictTimeout) << what << " at n" << n;
    ++summary_.refusals;
    summary_.to_verdict = std::max(summary_.to_verdict, result.elapsed);
  }
  // Of the files with this prefix.
  void ExpectAllThere(const std::string& prefix) {
    ASSERT_OK(cluster().WaitFullyReplicated(1));
    ASSERT_OK(cluster().WaitCaughtUp(AllNodes()));
    client::FileClient client(cluster().Endpoints());
    for (const auto& file : acknowledged_) {
      const std::string& name = file.first;
      const std::string& content = file.second;
      if (!name.starts_with(prefix)) continue;
      for (const int n : AllNodes()) {
        // A node may still have to find that its connections to others are broken, and says so until then.
        absl::StatusOr<std::string> got;
        ASSERT_OK(ProcessCluster::Await("a strong read at n" + std::to_string(n), kHealTimeout, [&] {
          got = GetAt(cluster().ClientChannel(n), name);
          return !absl::IsUnavailable(got.status());
        }));
        ASSERT_OK(got.status());
        EXPECT_TRUE(*got == content) << name << " at n" << n;
      }
      const auto where = client.Locate(name);
      ASSERT_OK(where.status());
      std::vector<int> nodes;
      for (const auto& row : where->locations()) nodes.push_back(std::stoi(row.node().substr(1)));
      EXPECT_EQ(nodes.size(), 3U) << name;
      EXPECT_OK(CheckCopies(cluster(), client, nodes, name, FingerprintOf(content)));
    }
    for (const std::string& name : refused_) EXPECT_TRUE(absl::IsNotFound(Get(client, name).status())) << name;
    ExpectEqualState();
  }
  static void ExpectEqualState() {
    std::map<std::uint64_t, std::string> hashes;
    for (const int n : AllNodes()) {
      const auto status = cluster().Status(n);
      ASSERT_OK(status.status());
      const auto [at, is_new] = hashes.try_emplace(status->state_hash_index(), status->state_hash());
      EXPECT_EQ(at->second, status->state_hash()) << "n" << n << " at " << at->first;
    }
  }
  [[nodiscard]] static std::string Text(const Summary& summary) {
    std::ostringstream out;
    out << summary.link_sets << " link sets on 5 nodes, " << summary.with_leader
        << " with a node that reaches a majority both ways: a leader after " << Ms(summary.to_leader)
        << " and a put after " << Ms(summary.to_write) << " at most, none otherwise; " << summary.refusals
        << " calls on cut-off nodes refused within " << Ms(summary.to_verdict) << "; healed within "
        << Ms(summary.to_heal) << "; " << summary.operations << " operations linearizable";
    return std::move(out).str();
  }
  static std::string Ms(absl::Duration time) { return std::to_string(absl::ToInt64Milliseconds(time)) + " ms"; }

  Summary summary_;
  std::set<std::string> refused_;
  static inline int rounds_ = 0;
  static inline std::map<std::string, std::string> acknowledged_;  // name, content; of all tests
};

// A set without a leader, and one that the leader is on the wrong side of.
const std::vector<std::uint64_t> kSeeds = {11, 15};
const std::vector<std::uint64_t> kOneWaySeeds = {1, 2};

// The seeds of every run, or many more.
std::vector<std::uint64_t> SeedsOf(const std::vector<std::uint64_t>& always, std::uint64_t nightly) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  return {always.back()};  // decisions are not what it looks at
#endif
  if (!IsNightly()) return always;
  std::vector<std::uint64_t> seeds;
  for (std::uint64_t seed = 1; seed <= nightly; ++seed) seeds.push_back(seed);
  return seeds;
}

// Feature 30; defect "split brain, votes counted wrongly, minority writes".
TEST_F(Partition, LeaderExistsIffANodeReachesAMajority) {
  for (const std::uint64_t seed : SeedsOf(kSeeds, 64)) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    TryLinks(Worst(LinkSet::RandomUndirected(kNodes, random)), Writes::kAtOnce);
    if (HasFailure()) break;
  }
  Proved("partitions: " + Text(summary_));
}

TEST_F(Partition, LinksThatWorkOneWayCountAsCut) {
  for (const std::uint64_t seed : SeedsOf(kOneWaySeeds, 36)) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    TryLinks(Worst(LinkSet::RandomOneWay(kNodes, random)), Writes::kOnceALeaderIsThere);
    if (HasFailure()) break;
  }
  Proved("one-way partitions: " + Text(summary_));
}

// It goes on to send heartbeats, which say to the others that all is well.
TEST_F(Partition, LeaderThatHearsNobodyIsReplaced) {
  const auto leader = cluster().Leader();
  ASSERT_OK(leader.status());
  LinkSet links(kNodes);
  links.CutAllTo(*leader);
  TryLinks(links, Writes::kAtOnce);
  Proved("a leader that sends and does not receive is replaced: " + Text(summary_));
}

TEST_F(Partition, LeaderThatNobodyHearsIsReplaced) {
  const auto leader = cluster().Leader();
  ASSERT_OK(leader.status());
  LinkSet links(kNodes);
  links.CutAllFrom(*leader);
  TryLinks(links, Writes::kAtOnce);
  Proved("a leader that receives and does not send is replaced: " + Text(summary_));
}

// The cluster has no reason to change anything, and its clients go elsewhere.
TEST_F(Partition, LeaderThatIsCutOffFromItsClientsOnlyGoesOnToLead) {
  const auto leader = cluster().Leader();
  ASSERT_OK(leader.status());
  const auto before = cluster().Status(*leader);
  ASSERT_OK(before.status());
  // It talks to the leader, and learns of the others from it.
  client::FileClient client({cluster().EndpointOf(*leader)});
  ASSERT_OK(Put(client, "clients-cut/before", "content"));
  network().Cut(0, *leader);
  for (int i = 0; i < 10; ++i) ASSERT_OK(Put(client, "clients-cut/" + std::to_string(i), "content"));
  const auto other = cluster().Status(*leader == 1 ? 2 : 1);
  ASSERT_OK(other.status());
  EXPECT_EQ(other->term(), before->term());
  EXPECT_EQ(other->leader_id(), before->leader_id());
  network().Heal();
}

// What dfs-cli --json said, a row a line.
std::vector<nlohmann::json> RowsOf(const CommandResult& result) {
  std::vector<nlohmann::json> rows;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    rows.push_back(nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false));
  }
  return rows;
}

// A node that is cut off from all others still tells what it knows, as of before the cut, where that was asked for;
// for a strong answer, or the leader's word, it says that there is no quorum.
TEST_F(Partition, EventualReadsMayBeStaleAndStrongOnesNeverAre) {
  const auto follower = cluster().Follower();
  ASSERT_OK(follower.status());
  const int cut = *follower;
  const int other = cut == 1 ? 2 : 1;
  ASSERT_EQ(CliAt(other, {"mb", "--replicas=all", "everywhere"}).exit_code, 0);
  const auto at = [](int n, const std::string& verb, const std::string& consistency) {
    std::vector<std::string> words = {"--bucket=everywhere", verb, "--consistency=" + consistency};
    if (verb != "get") words.emplace_back("--json");
    if (verb != "ls") words.emplace_back("stale");
    if (verb == "get") words.emplace_back("-");
    return CliAt(n, words);
  };
  ASSERT_EQ(CliAt(other, {"--bucket=everywhere", "put", "-", "stale"}, "before").exit_code, 0);
  ASSERT_OK(cluster().WaitFullyReplicated(other));
  ASSERT_OK(cluster().WaitCaughtUp(AllNodes()));
  for (int n = 1; n <= kNodes; ++n) {
    if (n != cut) network().Cut(n, cut);
  }
  ASSERT_OK(ProcessCluster::Await("a put on the greater side", kWriteTimeout + kVerdictTimeout, [&] {
    return CliAt(other, {"--bucket=everywhere", "put", "--force", "-", "stale"}, "after").exit_code == 0;
  }));
  ASSERT_EQ(CliAt(other, {"--bucket=everywhere", "put", "-", "unheard"}, "of").exit_code, 0);
  const std::vector<std::string> verbs = {"get", "stat", "ls", "locate"};
  {
    // Each takes the time in which a quorum may still be found: all at once.
    std::atomic<int> left = 2 * static_cast<int>(verbs.size());
    Event all_refused;
    ThreadPool threads("refused", 2 * verbs.size());
    for (const std::string& verb : verbs) {
      for (const std::string consistency : {"strong", "leader"}) {
        threads.Post([&, verb, consistency] {
          const auto refused = at(cut, verb, consistency);
          EXPECT_EQ(refused.exit_code, kNoQuorum) << verb << " " << consistency << refused.err;
          EXPECT_THAT(refused.out, Not(HasSubstr("\"version\""))) << verb;
          if (--left == 0) all_refused.Set();
        });
      }
    }
    EXPECT_TRUE(all_refused.WaitFor(absl::Minutes(2)));
  }
  EXPECT_EQ(at(cut, "get", "eventual").out, "before") << "it cannot know of the other";
  // The others tell of the version before too: by its size, and by the file that they do not know of.
  for (const auto& [n, consistency, size, files] : {std::tuple{cut, "eventual", 6, 1U}, {other, "strong", 5, 2U}}) {
    SCOPED_TRACE(consistency);
    const auto stat = RowsOf(at(n, "stat", consistency));
    ASSERT_EQ(stat.size(), 1U);
    EXPECT_EQ(stat[0].value("size", 0), size);
    const auto listed = RowsOf(at(n, "ls", consistency));
    ASSERT_EQ(listed.size(), files);
    EXPECT_EQ(listed[0].value("size", 0), size);
    EXPECT_EQ(listed[0].value("version", 0U), stat[0].value("version", 1U));
    const auto copies = RowsOf(at(n, "locate", consistency));
    ASSERT_EQ(copies.size(), static_cast<std::size_t>(kNodes));
    for (const auto& copy : copies) {
      EXPECT_EQ(copy.value("size", 0), size);
      EXPECT_EQ(copy.value("version", 0U), stat[0].value("version", 1U));
    }
  }
  for (const char* consistency : {"strong", "leader"}) EXPECT_EQ(at(other, "get", consistency).out, "after");
  network().Heal();
  ASSERT_OK(cluster().WaitReady(AllNodes(), kHealTimeout));
  EXPECT_EQ(at(cut, "get", "strong").out, "after");
  EXPECT_EQ(at(cut, "get", "leader").out, "after");
  Proved("with a node cut off, eventual reads there were stale and strong ones were refused (feature 41)");
}

// The judge judges: of what changed since a node was cut off, an eventual read there, after all changes, knows nothing.
TEST_F(Partition, HistoryWithEventualReadsOfANodeCutOffIsRefused) {
  constexpr int kClients = 8;
  const auto history = std::make_shared<ClientHistory>();
  HistoryLoad load(history, cluster(),
                   {.seed = 23, .clients = kClients, .names = 10, .pinned_reads = v1::EVENTUAL});
  ASSERT_OK(load.AwaitPuts(50, kWriteTimeout + kVerdictTimeout));
  const auto follower = cluster().Follower();
  ASSERT_OK(follower.status());
  LinkSet links(kNodes);
  links.CutAllTo(*follower);
  links.CutAllFrom(*follower);
  network().SetLinks(links);
  // More than may have been on their way, and more than there are files.
  ASSERT_OK(load.AwaitPuts(50 + kClients, kWriteTimeout + kVerdictTimeout));
  load.Stop();
  ASSERT_OK(load.ReadAll({*follower}, ClientHistory::Action::kStat));
  const absl::Status verdict = history->Check();
  EXPECT_TRUE(absl::IsFailedPrecondition(verdict)) << verdict;
  network().Heal();
  ASSERT_OK(cluster().WaitReady(AllNodes(), kHealTimeout));
  Proved(absl::StrCat("clients that read eventually, with a node cut off, ", history->counts().operations,
                      " operations: refused: ", verdict.message()));
}

// Packets dropped, not refused; both ways, to it and from it.
// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Partition, ClientLeavesANodeThatItCannotReachWithinTwoSeconds) {
  const auto follower = cluster().Follower();
  ASSERT_OK(follower.status());
  absl::Duration longest;
  const std::vector<std::function<void()>> cuts = {[&] { network().Cut(0, *follower); },
                                                   [&] { network().CutOneWay(0, *follower); },
                                                   [&] { network().CutOneWay(*follower, 0); }};
  for (const auto& cut : cuts) {
    // Its first endpoint is the one it uses; the others it learns from it.
    client::FileClient reader({cluster().EndpointOf(*follower)});
    client::FileClient writer({cluster().EndpointOf(*follower)});
    ASSERT_OK(Put(writer, "left", "content"));
    ASSERT_OK(Get(reader, "left").status());
    cut();
    const MonotonicTime start = SystemClock().Now();
    const auto got = Get(reader, "left");
    longest = std::max(longest, SystemClock().Now() - start);
    ASSERT_OK(got.status());
    const MonotonicTime put_start = SystemClock().Now();
    ASSERT_OK(Put(writer, "left", "content"));
    longest = std::max(longest, SystemClock().Now() - put_start);
    network().Heal();
    ASSERT_OK(cluster().WaitReady(AllNodes(), kHealTimeout));
  }
  EXPECT_LT(longest, absl::Seconds(2));
  Proved("a client leaves a node whose packets are dropped, in either direction or both, within " + Ms(longest));
}

}  // namespace
}  // namespace dfs::testing
