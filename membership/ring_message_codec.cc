#include "membership/ring_message_codec.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/status.h"

namespace dfs::membership {
namespace {

// Kinds have the same order on both sides, and the wire begins at 1.
static_assert(static_cast<int>(MessageKind::kHeartbeat) + 1 == rpc::RingMessage::HEARTBEAT);
static_assert(static_cast<int>(MessageKind::kIndirectReply) + 1 == rpc::RingMessage::INDIRECT_REPLY);
static_assert(static_cast<int>(LivenessState::kAlive) == rpc::Rumour::ALIVE);
static_assert(static_cast<int>(LivenessState::kDead) == rpc::Rumour::DEAD);

std::uint32_t Clamp32(std::int64_t value) {
  constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, kMax));
}

void HealthToWire(const NodeHealth& health, rpc::NodeHealth* wire) {
  wire->set_free_bytes(health.free_bytes);
  wire->set_total_bytes(health.total_bytes);
  wire->set_fsync_p99_us(Clamp32(absl::ToInt64Microseconds(health.fsync_p99)));
  wire->set_disk_probe_age_ms(Clamp32(absl::ToInt64Milliseconds(health.disk_probe_age)));
  wire->set_load_percent(health.load_percent);
  wire->set_applied_index(health.applied_index);
  wire->set_local_health(health.local_health);
  wire->set_corrupt_chunks(health.corrupt_chunks);
  wire->set_quarantined_objects(health.quarantined_objects);
  wire->set_withheld_bytes(health.withheld_bytes);
  wire->set_certificate_not_after_s(health.certificate_not_after_s);
  wire->set_gossip_clock_ms(health.gossip_clock_ms);
  wire->set_gossip_tombstone_s(health.gossip_tombstone_s);
  wire->set_has_handed_gossip_over(health.has_handed_gossip_over);
  wire->set_gossip_alone(health.gossip_alone);
}

NodeHealth HealthFromWire(const rpc::NodeHealth& wire) {
  NodeHealth health;
  health.free_bytes = wire.free_bytes();
  health.total_bytes = wire.total_bytes();
  health.fsync_p99 = absl::Microseconds(wire.fsync_p99_us());
  health.disk_probe_age = absl::Milliseconds(wire.disk_probe_age_ms());
  health.load_percent = wire.load_percent();
  health.applied_index = wire.applied_index();
  health.local_health = wire.local_health();
  health.corrupt_chunks = wire.corrupt_chunks();
  health.quarantined_objects = wire.quarantined_objects();
  health.withheld_bytes = wire.withheld_bytes();
  health.certificate_not_after_s = wire.certificate_not_after_s();
  health.gossip_clock_ms = wire.gossip_clock_ms();
  health.gossip_tombstone_s = wire.gossip_tombstone_s();
  health.has_handed_gossip_over = wire.has_handed_gossip_over();
  health.gossip_alone = wire.gossip_alone();
  return health;
}

void RumourToWire(const Rumour& rumour, rpc::Rumour* wire) {
  wire->set_node_id(rumour.node.value());
  wire->set_state(static_cast<rpc::Rumour::State>(rumour.state));
  wire->set_incarnation(rumour.incarnation);
  for (const NodeId observer : rumour.observers) wire->add_observers(observer.value());
  if (rumour.health) HealthToWire(*rumour.health, wire->mutable_health());
}

absl::StatusOr<Rumour> RumourFromWire(const rpc::Rumour& wire) {
  if (wire.node_id() == 0 || wire.state() < rpc::Rumour::ALIVE || wire.state() > rpc::Rumour::DEAD ||
      wire.observers_size() > static_cast<int>(kObserversMax)) {
    return absl::InvalidArgumentError("malformed rumour");
  }
  Rumour rumour;
  rumour.node = NodeId(wire.node_id());
  rumour.state = static_cast<LivenessState>(wire.state());
  rumour.incarnation = wire.incarnation();
  for (const std::uint32_t observer : wire.observers()) rumour.observers.emplace_back(observer);
  if (wire.has_health()) rumour.health = HealthFromWire(wire.health());
  return rumour;
}

}  // namespace

rpc::RingMessage ToWire(const Message& message) {
  rpc::RingMessage wire;
  wire.set_kind(static_cast<rpc::RingMessage::Kind>(static_cast<int>(message.kind) + 1));
  wire.set_from(message.from.value());
  wire.set_to(message.to.value());
  wire.set_sequence(message.sequence);
  wire.set_incarnation(message.incarnation);
  HealthToWire(message.health, wire.mutable_health());
  for (const Rumour& rumour : message.rumours) RumourToWire(rumour, wire.add_rumours());
  wire.set_target(message.target.value());
  wire.set_is_alive(message.is_alive);
  wire.set_is_full_exchange(message.is_full_exchange);
  return wire;
}

absl::StatusOr<Message> FromWire(const rpc::RingMessage& wire) {
  if (wire.kind() < rpc::RingMessage::HEARTBEAT || wire.kind() > rpc::RingMessage::INDIRECT_REPLY) {
    return absl::InvalidArgumentError("ring message of an unknown kind");
  }
  if (wire.from() == 0 || wire.to() == 0 || wire.incarnation() == 0) {
    return absl::InvalidArgumentError("ring message lacks sender, receiver or incarnation");
  }
  if (wire.rumours_size() > static_cast<int>(kRumoursMax)) {
    return absl::InvalidArgumentError("ring message with too many rumours");
  }
  Message message;
  message.kind = static_cast<MessageKind>(static_cast<int>(wire.kind()) - 1);
  message.from = NodeId(wire.from());
  message.to = NodeId(wire.to());
  message.sequence = wire.sequence();
  message.incarnation = wire.incarnation();
  message.health = HealthFromWire(wire.health());
  for (const rpc::Rumour& one : wire.rumours()) {
    auto rumour = RumourFromWire(one);
    if (!rumour.ok()) return rumour.status();
    message.rumours.push_back(*std::move(rumour));
  }
  message.target = NodeId(wire.target());
  message.is_alive = wire.is_alive();
  message.is_full_exchange = wire.is_full_exchange();
  return message;
}

}  // namespace dfs::membership
