// Some cores of gossip buckets, a clock, and what they say to each other.
#ifndef DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_CORE_FIXTURE_H_
#define DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_CORE_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/gossip_store/gossip_core.h"

namespace dfs::gossip_store {

inline const BucketId kBucket(3);
inline const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

// Some cores, a clock, and messages that arrive at once, in order, unless they are kept back.
class GossipCoreTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kNodes = 3;

  GossipCoreTest() {
    for (std::uint32_t id = 1; id <= kNodes; ++id) Begin(id, kNodes);
  }
  // `has_disk`: with the records that it had.
  void Begin(std::uint32_t id, std::uint32_t members, bool has_disk = false) {
    GossipOptions options;
    options.self = NodeId(id);
    options.seed = id;
    std::vector<HeldRecord> records;
    if (has_disk) {
      cores_.at(id)->table().Scan(kBucket, "", "", [&](const HeldRecord& held) {
        records.push_back(held);
        return true;
      });
    }
    cores_[id] = std::make_unique<GossipCore>(options, states_[id], std::move(records));
    Step(id, SetBuckets{{kBucket}});
    Members(id, members, members);
  }
  void Members(std::uint32_t id, std::uint32_t count, std::uint64_t index) {
    gossip_store::SetPeers peers;
    for (std::uint32_t i = 1; i <= count; ++i) {
      peers.members.push_back(NodeId(i));
      if (!unreachable_.contains(i)) peers.reachable.push_back(NodeId(i));
    }
    peers.index = LogIndex(index);
    Step(id, peers);
  }
  Output Step(std::uint32_t id, Input input) {
    Output out = cores_.at(id)->Step(now_, now_ + skew_[id], std::move(input));
    if (out.state) states_[id] = *out.state;
    for (const Message& message : out.messages) {
      messages_.push_back(message);
      if (std::holds_alternative<Rumours>(message.body)) ++rumours_sent_;
    }
    for (const Fetch& fetch : out.fetches) fetches_.push_back({id, fetch});
    return out;
  }
  // Carries all messages, and lets all fetches succeed, until there are none.
  void Settle() {
    for (int i = 0; i < 10'000 && !(messages_.empty() && fetches_.empty()); ++i) {
      if (!messages_.empty()) {
        const Message message = messages_.front();
        messages_.pop_front();
        const auto to = static_cast<std::uint32_t>(message.to.value());
        if (cores_.contains(to) && !unreachable_.contains(to)) Step(to, Receive{message});
        continue;
      }
      const auto [id, fetch] = fetches_.front();
      fetches_.pop_front();
      Step(id, Fetched{fetch.record, true});
    }
    ASSERT_TRUE(messages_.empty() && fetches_.empty()) << "they never come to rest";
  }
  // Carries messages until one is answered by a fetch, which is left under way.
  void CarryUntilAFetch() {
    while (fetches_.empty() && !messages_.empty()) {
      const Message message = messages_.front();
      messages_.pop_front();
      const auto to = static_cast<std::uint32_t>(message.to.value());
      if (!unreachable_.contains(to)) Step(to, Receive{message});
    }
    ASSERT_EQ(fetches_.size(), 1u);
  }
  // Time passes, with a round of each node every second.
  void Run(absl::Duration time) {
    for (const absl::Time end = now_ + time; now_ < end;) {
      now_ += absl::Seconds(1);
      for (const auto& [id, core] : cores_) {
        if (!unreachable_.contains(id)) Step(id, Tick{});
        ASSERT_NO_FATAL_FAILURE(Settle());
      }
    }
  }
  static Record File(const std::string& name, std::uint64_t sequence) {
    Record record;
    record.key = {kBucket, name};
    record.size = sequence;
    record.txn = {Term(9), sequence};
    return record;
  }
  static Record Removal(const std::string& name) {
    Record record;
    record.key = {kBucket, name};
    record.is_tombstone = true;
    return record;
  }
  Output Put(std::uint32_t id, const Record& record) { return Step(id, Write{1, record}); }
  bool IsTaken(std::uint32_t id, const Record& record) { return Put(id, record).results.at(0).stamp.ok(); }
  const Record* Find(std::uint32_t id, const std::string& name) {
    const HeldRecord* const held = cores_.at(id)->table().Find({kBucket, name});
    return held == nullptr ? nullptr : &held->record;
  }
  Message FirstTo(std::uint32_t id) {
    for (const Message& message : messages_) {
      if (message.to == NodeId(id)) return message;
    }
    ADD_FAILURE() << "nothing is sent to node " << id;
    return {};
  }

  MonotonicTime now_ = kStart;
  std::map<std::uint32_t, absl::Duration> skew_;
  std::map<std::uint32_t, std::unique_ptr<GossipCore>> cores_;
  std::map<std::uint32_t, GossipState> states_;
  std::set<std::uint32_t> unreachable_;
  std::deque<Message> messages_;
  std::deque<std::pair<std::uint32_t, Fetch>> fetches_;
  std::size_t rumours_sent_ = 0;  // messages with news, by all cores
};

}  // namespace dfs::gossip_store

#endif  // DFS_TESTS_UNIT_GOSSIP_STORE_GOSSIP_CORE_FIXTURE_H_
