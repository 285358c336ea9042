// Carries out the commands of a Raft transcript on a small group, and prints what it does.
//
// Nothing moves unless a command says so: messages wait for `deliver`, writes for `sync` (where
// `hold-disk` says so), time for `advance` or `tick`. RaftInvariants runs after every step.
// README.md of this folder lists the commands. Not thread-safe.
#ifndef DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCRIPT_H_
#define DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCRIPT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/raft_cluster.h"

namespace dfs::consensus {

class RaftScript {
 public:
  RaftScript();

  // Carries out one command and returns what it prints. A command that cannot be read, a claim
  // (`must`) that does not hold and a broken invariant fail the running test as well.
  std::vector<std::string> Run(const std::string& command);

 private:
  using Words = std::vector<std::string>;
  using Link = std::pair<std::uint32_t, std::uint32_t>;
  struct Seen {
    std::string state;
    std::string configuration;
  };

  void Dispatch(const Words& words);
  bool RunSetup(const std::string& verb, const Words& args);
  bool RunMessages(const std::string& verb, const Words& args);
  bool RunTimeAndDisk(const std::string& verb, const Words& args);
  bool RunInputs(const std::string& verb, const Words& args);

  void AddMembers(const Words& args);
  void AddNode(const Words& args);
  void DeliverOne(std::size_t position);
  void Deliver(const Words& args);
  void Stabilize(const Words& args);
  void Drop(const Words& args);
  void Keep(const Words& args);
  void CutLinks(const Words& args);
  void Advance(absl::Duration duration);
  void ChangeMembers(const Words& args);
  void Must(const Words& args);
  [[nodiscard]] std::string ValueOf(std::uint32_t id, const std::string& key);

  [[nodiscard]] bool IsCut(std::uint32_t from, std::uint32_t to) const;
  // Whether a message to this node can be stepped now.
  [[nodiscard]] bool IsReachable(std::uint32_t id);
  // Position in the queue of the oldest (or newest) message of a link; the queue's size if none is.
  [[nodiscard]] std::size_t Find(Link link, bool is_newest);
  void RecordOutput(std::uint32_t id, const Output& output);
  void RecordMessage(const Message& message);
  void PrintState(std::uint32_t id);
  void Print(const std::string& line);
  void Fail(const std::string& why);

  RaftCluster cluster_;
  Configuration configuration_;
  std::set<std::uint32_t> nodes_;
  std::set<std::uint32_t> patient_;  // these do not campaign of themselves
  std::set<std::uint32_t> paused_;
  std::set<Link> cut_;
  std::map<std::string, Message> kept_;
  std::map<std::uint32_t, Seen> seen_;
  MonotonicTime started_;      // of the `advance` under way
  bool is_advancing_ = false;  // only changes of state are printed
  bool is_silent_ = false;     // nothing is printed
  std::uint64_t last_token_ = 0;
  std::vector<std::string> printed_;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SCENARIOS_CONSENSUS_RAFT_SCRIPT_H_
