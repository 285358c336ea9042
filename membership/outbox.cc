#include "membership/outbox.h"

namespace dfs::membership {

Message Outbox::Make(MessageKind kind, NodeId to, News news) {
  Message message;
  message.kind = kind;
  message.from = table_->self_id();
  message.to = to;
  message.sequence = ++sequence_;
  message.incarnation = table_->self().incarnation;
  message.health = table_->self().health;
  const Member* const receiver = table_->Find(to);
  if (receiver != nullptr && receiver->state >= LivenessState::kSuspect) {
    message.rumours.push_back(table_->RumourOf(to));
  }
  if (news == News::kPiggyback && !news_->empty()) {
    // One place is kept for what a caller adds.
    const std::size_t room = kRumoursMax - message.rumours.size() - 1;
    for (Rumour& rumour : news_->Take(room, table_->members().size(), to)) {
      message.rumours.push_back(std::move(rumour));
    }
  }
  return message;
}

}  // namespace dfs::membership
