// Messages on their way out of the ring core.
#ifndef DFS_MEMBERSHIP_OUTBOX_H_
#define DFS_MEMBERSHIP_OUTBOX_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "membership/member_table.h"
#include "membership/message.h"
#include "membership/rumour_queue.h"

namespace dfs::membership {

struct Sending {
  Message message;
  bool is_fresh = false;  // over a new connection
};

// Stamps each message with who and how this node is, and puts what the receiver is accused of in front of
// all other rumours (Lifeguard's buddy: the accused hears it first). Not thread-safe.
class Outbox {
 public:
  enum class News { kNone, kPiggyback };

  // Both outlive this.
  Outbox(const MemberTable* table, RumourQueue* news) : table_(table), news_(news) {}

  [[nodiscard]] Message Make(MessageKind kind, NodeId to, News news = News::kPiggyback);
  void Send(Message message, bool is_fresh = false) {
    sendings_.push_back({std::move(message), is_fresh});
  }
  // Everything since the last call, in order.
  [[nodiscard]] std::vector<Sending> Take() { return std::exchange(sendings_, {}); }

 private:
  const MemberTable* const table_;
  RumourQueue* const news_;
  std::uint64_t sequence_ = 0;
  std::vector<Sending> sendings_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_OUTBOX_H_
