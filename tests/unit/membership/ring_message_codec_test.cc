#include "membership/ring_message_codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace dfs::membership {
namespace {

Message Full() {
  Message message;
  message.kind = MessageKind::kIndirectReply;
  message.from = NodeId(3);
  message.to = NodeId(4);
  message.sequence = 5;
  message.incarnation = (std::uint64_t{7} << 32) + 8;
  message.health = {.free_bytes = 1, .total_bytes = 2, .fsync_p99 = absl::Microseconds(3),
                    .disk_probe_age = absl::Milliseconds(4), .load_percent = 5,
                    .applied_index = 6, .local_health = 7, .certificate_not_after_s = 8};
  message.rumours.push_back({.node = NodeId(9), .state = LivenessState::kSuspect,
                             .incarnation = 10, .observers = {NodeId(1), NodeId(2)}});
  message.rumours.push_back({.node = NodeId(8), .state = LivenessState::kAlive, .incarnation = 11,
                             .health = NodeHealth{.free_bytes = 12}});
  message.target = NodeId(6);
  message.is_alive = true;
  message.is_full_exchange = true;
  return message;
}

TEST(RingMessageCodec, NothingIsLostOnTheWay) {
  const Message sent = Full();
  const auto got = FromWire(ToWire(sent));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(ToWire(*got).SerializeAsString(), ToWire(sent).SerializeAsString());
  EXPECT_EQ(got->kind, sent.kind);
  EXPECT_EQ(got->incarnation, sent.incarnation);
  EXPECT_EQ(got->health.fsync_p99, sent.health.fsync_p99);
  EXPECT_EQ(got->health.disk_probe_age, sent.health.disk_probe_age);
  EXPECT_EQ(got->health.certificate_not_after_s, 8);
  ASSERT_EQ(got->rumours.size(), 2u);
  EXPECT_EQ(got->rumours[0].observers, sent.rumours[0].observers);
  EXPECT_FALSE(got->rumours[0].health);
  ASSERT_TRUE(got->rumours[1].health);
  EXPECT_EQ(got->rumours[1].health->free_bytes, 12u);
  EXPECT_EQ(got->target, sent.target);
  EXPECT_TRUE(got->is_alive && got->is_full_exchange);
}

TEST(RingMessageCodec, AllKindsAndStatesKeepTheirMeaning) {
  for (int kind = 0; kind <= static_cast<int>(MessageKind::kIndirectReply); ++kind) {
    Message message = Full();
    message.kind = static_cast<MessageKind>(kind);
    EXPECT_EQ(FromWire(ToWire(message))->kind, message.kind);
  }
  for (const auto state : {LivenessState::kAlive, LivenessState::kSuspect, LivenessState::kDead}) {
    Message message = Full();
    message.rumours[0].state = state;
    EXPECT_EQ(FromWire(ToWire(message))->rumours[0].state, state);
  }
}

TEST(RingMessageCodec, MalformedMessagesAreRefused) {
  const std::vector<std::function<void(rpc::RingMessage&)>> damages = {
      [](auto& wire) { wire.set_kind(rpc::RingMessage::KIND_UNSPECIFIED); },
      [](auto& wire) { wire.set_kind(static_cast<rpc::RingMessage::Kind>(99)); },
      [](auto& wire) { wire.set_from(0); },
      [](auto& wire) { wire.set_to(0); },
      [](auto& wire) { wire.set_incarnation(0); },
      [](auto& wire) { wire.mutable_rumours(0)->set_node_id(0); },
      [](auto& wire) { wire.mutable_rumours(0)->set_state(rpc::Rumour::STATE_UNSPECIFIED); },
      [](auto& wire) { wire.mutable_rumours(0)->set_state(static_cast<rpc::Rumour::State>(17)); },
      [](auto& wire) {
        for (int i = 0; i < 9; ++i) wire.mutable_rumours(0)->add_observers(1);
      },
      [](auto& wire) {
        while (wire.rumours_size() <= 64) *wire.add_rumours() = wire.rumours(0);
      },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    rpc::RingMessage wire = ToWire(Full());
    ASSERT_TRUE(FromWire(wire).ok());
    damages[i](wire);
    EXPECT_EQ(FromWire(wire).status().code(), absl::StatusCode::kInvalidArgument) << i;
  }
}

}  // namespace
}  // namespace dfs::membership
