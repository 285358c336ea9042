// Messages as tests write and read them.
#ifndef DFS_TESTS_UNIT_CONSENSUS_RAFT_TEST_MESSAGES_H_
#define DFS_TESTS_UNIT_CONSENSUS_RAFT_TEST_MESSAGES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "server/consensus/message.h"
#include "tests/support/raft_cluster.h"

namespace dfs::consensus {

inline const Configuration kThree = MakeConfiguration({1, 2, 3});

inline Receive From(std::uint32_t from, std::uint32_t to, std::uint64_t term,
                    decltype(Message::body) body) {
  return Receive{Message{NodeId(from), NodeId(to), Term(term), std::move(body)}};
}

// What is queued of kind T, in order; the queue is emptied.
template <class T>
std::vector<std::pair<Message, T>> Take(RaftCluster& cluster) {
  std::vector<std::pair<Message, T>> found;
  for (const Message& m : cluster.queue()) {
    if (const auto* body = std::get_if<T>(&m.body)) found.emplace_back(m, *body);
  }
  cluster.queue().clear();
  return found;
}

inline AppendRequest Append(std::uint64_t previous_index, std::uint64_t previous_term,
                            std::vector<Entry> entries, std::uint64_t commit = 0) {
  AppendRequest request;
  request.previous_index = LogIndex(previous_index);
  request.previous_term = Term(previous_term);
  request.entries = std::move(entries);
  request.commit_index = LogIndex(commit);
  request.sequence = 1;
  return request;
}

inline AppendReply Success(std::uint64_t index, std::uint64_t sequence, std::uint64_t round = 0) {
  AppendReply reply;
  reply.is_success = true;
  reply.index = LogIndex(index);
  reply.sequence = sequence;
  reply.read_round = round;
  return reply;
}

inline AppendReply Refusal(std::uint64_t index, std::uint64_t hint_index, std::uint64_t hint_term,
                           std::uint64_t sequence) {
  AppendReply reply;
  reply.index = LogIndex(index);
  reply.hint_index = LogIndex(hint_index);
  reply.hint_term = Term(hint_term);
  reply.sequence = sequence;
  return reply;
}

inline VoteRequest AskForVote(std::uint64_t last_index, std::uint64_t last_term,
                              bool is_transfer = false) {
  return VoteRequest{LogIndex(last_index), Term(last_term), is_transfer};
}

// A member with this log (index/term from 1), term and vote; everything durable.
inline InitialState StateWith(const Configuration& configuration, std::vector<Entry> entries,
                              std::uint64_t term, std::uint32_t voted_for = 0) {
  InitialState initial;
  initial.base_configuration = configuration;
  initial.entries = std::move(entries);
  initial.hard_state = HardState{Term(term), NodeId(voted_for)};
  return initial;
}

// Entries 1.. with these terms.
inline std::vector<Entry> LogOfTerms(const std::vector<std::uint64_t>& terms) {
  std::vector<Entry> entries;
  for (const std::uint64_t term : terms) {
    entries.push_back(
        MakeEntry(entries.size() + 1, term,
                  "e" + std::to_string(entries.size() + 1) + "." + std::to_string(term)));
  }
  return entries;
}

}  // namespace dfs::consensus

#endif  // DFS_TESTS_UNIT_CONSENSUS_RAFT_TEST_MESSAGES_H_
