// What members say to each other on the ring (README.md, "Messages"). Pure data.
#ifndef DFS_MEMBERSHIP_MESSAGE_H_
#define DFS_MEMBERSHIP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/ids.h"
#include "membership/member.h"

namespace dfs::membership {

// Bounds of one message; what exceeds them on the wire is refused.
inline constexpr std::size_t kRumoursMax = 64;
inline constexpr std::size_t kObserversMax = 8;

// A member's counter to refute suspicion: boot epoch in the upper half, so a restart outranks all
// that was said of earlier runs.
constexpr std::uint64_t FirstIncarnation(BootEpoch epoch) { return (epoch.value() << 32) | 1; }
constexpr std::uint64_t EpochOf(std::uint64_t incarnation) { return incarnation >> 32; }

// What the sender believes of one member.
struct Rumour {
  NodeId node;
  LivenessState state = LivenessState::kUnknown;
  std::uint64_t incarnation = 0;
  std::vector<NodeId> observers;     // who suspects it from own evidence; at most kObserversMax
  std::optional<NodeHealth> health;  // of that node, as last heard; with kAlive only
};

enum class MessageKind {
  kHeartbeat,      // to ring neighbours
  kGossip,         // rumours only
  kProbe,          // answer with kProbeReply
  kProbeReply,
  kIndirectProbe,  // probe `target` for me
  kIndirectReply,  // `target` answered, or did not (is_alive)
};

struct Message {
  MessageKind kind = MessageKind::kGossip;
  NodeId from;
  NodeId to;
  std::uint64_t sequence = 0;     // counts the sender's messages; a reply repeats the question's
  std::uint64_t incarnation = 0;  // of the sender; never 0
  NodeHealth health;              // of the sender
  std::vector<Rumour> rumours;    // at most kRumoursMax
  NodeId target;
  // kIndirectReply: the target answered. With is_full_exchange: this answers one (and gets no answer).
  bool is_alive = false;
  // Rumours are old knowledge, not news: a DEAD among them is checked before it is believed.
  bool is_full_exchange = false;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_MESSAGE_H_
