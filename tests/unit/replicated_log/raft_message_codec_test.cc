#include "server/replicated_log/raft_message_codec.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/random.h"
#include "common/wire_ids.h"

namespace dfs::replicated_log {
namespace {

consensus::Configuration Joint() {
  consensus::Configuration out;
  out.members[NodeId(1)] = {{1, 2}, "a:1", true};
  out.members[NodeId(2)] = {{3, 4}, "b:2", true};
  out.members[NodeId(9)] = {{5, 6}, "c:3", /*is_active=*/false, /*gets_no_commands=*/true};
  out.voters = {NodeId(1), NodeId(2)};
  out.old_voters = {NodeId(1)};
  return out;
}

consensus::Message AppendMessage() {
  consensus::AppendRequest append;
  append.previous_index = LogIndex(7);
  append.previous_term = Term(2);
  append.commit_index = LogIndex(6);
  append.read_round = 11;
  append.sequence = 12;
  consensus::Entry plain;
  plain.index = LogIndex(8);
  plain.term = Term(2);
  plain.command = std::make_shared<const std::string>(std::string("a\0b", 3));
  consensus::Entry change;
  change.index = LogIndex(9);
  change.term = Term(3);
  change.configuration = std::make_shared<const consensus::Configuration>(Joint());
  consensus::Entry empty_command;
  empty_command.index = LogIndex(10);
  empty_command.term = Term(3);
  empty_command.command = std::make_shared<const std::string>();
  append.entries = {plain, change, empty_command};
  return {NodeId(1), NodeId(2), Term(3), append};
}

consensus::Message Carry(const consensus::Message& message) {
  rpc::RaftMessage record;
  EncodeMessage(message, &record);
  rpc::RaftMessage arrived;
  EXPECT_TRUE(arrived.ParseFromString(record.SerializeAsString()));
  auto out = DecodeMessage(&arrived);
  EXPECT_TRUE(out.ok()) << out.status();
  return *std::move(out);
}

TEST(RaftMessageCodec, CarriesAppendsWithEverythingInThem) {
  const auto carried = Carry(AppendMessage());
  EXPECT_EQ(carried.from, NodeId(1));
  EXPECT_EQ(carried.to, NodeId(2));
  EXPECT_EQ(carried.term, Term(3));
  const auto& append = std::get<consensus::AppendRequest>(carried.body);
  EXPECT_EQ(append.previous_index, LogIndex(7));
  EXPECT_EQ(append.previous_term, Term(2));
  EXPECT_EQ(append.commit_index, LogIndex(6));
  EXPECT_EQ(append.read_round, 11u);
  EXPECT_EQ(append.sequence, 12u);
  ASSERT_EQ(append.entries.size(), 3u);
  EXPECT_EQ(*append.entries[0].command, std::string("a\0b", 3));
  EXPECT_EQ(append.entries[0].configuration, nullptr);
  EXPECT_EQ(*append.entries[1].configuration, Joint());
  EXPECT_EQ(append.entries[1].command, nullptr);
  ASSERT_NE(append.entries[2].command, nullptr) << "an empty command is not the absence of one";
}

TEST(RaftMessageCodec, CarriesTheSmallMessages) {
  const auto pre_vote = Carry({NodeId(1), NodeId(2), Term(4),
                               consensus::PreVoteRequest{Term(5), LogIndex(6), Term(3), true}});
  const auto& asked = std::get<consensus::PreVoteRequest>(pre_vote.body);
  EXPECT_EQ(asked.next_term, Term(5));
  EXPECT_EQ(asked.last_log_index, LogIndex(6));
  EXPECT_EQ(asked.last_log_term, Term(3));
  EXPECT_TRUE(asked.is_transfer);
  EXPECT_FALSE(IsReply(pre_vote));
  const auto vote = Carry(
      {NodeId(1), NodeId(2), Term(4), consensus::VoteRequest{LogIndex(6), Term(3), false}});
  EXPECT_EQ(std::get<consensus::VoteRequest>(vote.body).last_log_index, LogIndex(6));
  const auto granted = Carry({NodeId(1), NodeId(2), Term(4), consensus::VoteReply{true}});
  EXPECT_TRUE(std::get<consensus::VoteReply>(granted.body).is_granted);
  EXPECT_TRUE(IsReply(granted));
  const auto pre_granted =
      Carry({NodeId(1), NodeId(2), Term(4), consensus::PreVoteReply{Term(5), true}});
  EXPECT_EQ(std::get<consensus::PreVoteReply>(pre_granted.body).next_term, Term(5));
  const auto reply = Carry({NodeId(1), NodeId(2), Term(4),
                            consensus::AppendReply{false, LogIndex(1), LogIndex(2), Term(3), 4, 5}});
  const auto& appended = std::get<consensus::AppendReply>(reply.body);
  EXPECT_EQ(appended.hint_index, LogIndex(2));
  EXPECT_EQ(appended.sequence, 5u);
  EXPECT_TRUE(std::holds_alternative<consensus::TimeoutNow>(
      Carry({NodeId(1), NodeId(2), Term(4), consensus::TimeoutNow{}}).body));
}

TEST(RaftMessageCodec, RefusesWhatTheCoreMustNotSee) {
  const auto refuses = [](const std::function<void(rpc::RaftMessage&)>& spoil) {
    rpc::RaftMessage record;
    EncodeMessage(AppendMessage(), &record);
    spoil(record);
    return DecodeMessage(&record).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_FALSE(refuses([](rpc::RaftMessage&) {}));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) { m.clear_body(); }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) { m.set_from(0); }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    m.mutable_append_request()->mutable_entries(1)->set_index(10);
  }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    m.mutable_append_request()->mutable_entries(2)->set_term(1);
  }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    m.mutable_append_request()->mutable_entries(0)->set_term(1);
  })) << "below the term of the entry before it";
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    m.mutable_append_request()->mutable_entries(1)->mutable_configuration()->add_voters(77);
  }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    m.mutable_append_request()->mutable_entries(1)->mutable_configuration()->add_voters(1);
  }));
  EXPECT_TRUE(refuses([](rpc::RaftMessage& m) {
    auto* configuration =
        m.mutable_append_request()->mutable_entries(1)->mutable_configuration();
    *configuration->add_members() = configuration->members(0);
  }));
}

TEST(RaftMessageCodec, AnyBytesGiveAStatusOrAMessage) {
  Random random(7);
  rpc::RaftMessage record;
  EncodeMessage(AppendMessage(), &record);
  const std::string good = record.SerializeAsString();
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (int flips = 0; flips < 3; ++flips) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
    }
    rpc::RaftMessage arrived;
    if (arrived.ParseFromString(bytes)) (void)DecodeMessage(&arrived);
  }
}

}  // namespace
}  // namespace dfs::replicated_log
