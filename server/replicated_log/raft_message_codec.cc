#include "server/replicated_log/raft_message_codec.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire_ids.h"

namespace dfs::replicated_log {
namespace {

using consensus::Configuration;
using consensus::Entry;
using consensus::Message;

absl::Status Malformed(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("malformed raft message: ", what));
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

template <class Repeated>
absl::Status DecodeVoters(const Repeated& in, const Configuration& configuration,
                          std::set<NodeId>* out) {
  for (const auto id : in) {
    if (!configuration.IsMember(NodeId(id))) return Malformed("a voter that is not a member");
    out->insert(NodeId(id));
  }
  if (out->size() != static_cast<std::size_t>(in.size())) return Malformed("a voter named twice");
  return absl::OkStatus();
}

void EncodeAppend(const consensus::AppendRequest& in, rpc::AppendRequest* out) {
  out->set_previous_index(in.previous_index.value());
  out->set_previous_term(in.previous_term.value());
  out->mutable_entries()->Reserve(static_cast<int>(in.entries.size()));
  for (const Entry& entry : in.entries) EncodeEntry(entry, out->add_entries());
  out->set_commit_index(in.commit_index.value());
  out->set_read_round(in.read_round);
  out->set_sequence(in.sequence);
  out->set_durable_term(in.durable_term.value());
  out->set_durable_index(in.durable_index.value());
}

absl::StatusOr<consensus::AppendRequest> DecodeAppend(rpc::AppendRequest* in) {
  consensus::AppendRequest out;
  out.previous_index = LogIndex(in->previous_index());
  out.previous_term = Term(in->previous_term());
  if (in->entries_size() > kEntriesPerMessageMax) return Malformed("too many entries");
  out.entries.reserve(static_cast<std::size_t>(in->entries_size()));
  LogIndex index = out.previous_index;
  Term term = out.previous_term;
  for (auto& record : *in->mutable_entries()) {
    DFS_ASSIGN_OR_RETURN(Entry entry, DecodeEntry(&record));
    index = index.Next();
    if (entry.index != index) return Malformed("entries are not contiguous");
    if (entry.term < term) return Malformed("terms of entries fall");
    term = entry.term;
    out.entries.push_back(std::move(entry));
  }
  out.commit_index = LogIndex(in->commit_index());
  out.read_round = in->read_round();
  out.sequence = in->sequence();
  out.durable_term = Term(in->durable_term());
  out.durable_index = LogIndex(in->durable_index());
  return out;
}

consensus::AppendReply DecodeAppendReply(const rpc::AppendReply& in) {
  consensus::AppendReply out;
  out.is_success = in.is_success();
  out.index = LogIndex(in.index());
  out.hint_index = LogIndex(in.hint_index());
  out.hint_term = Term(in.hint_term());
  out.read_round = in.read_round();
  out.sequence = in.sequence();
  return out;
}

}  // namespace

void EncodeConfiguration(const Configuration& in, rpc::ConfigurationRecord* out) {
  for (const auto& [node, info] : in.members) {
    auto* member = out->add_members();
    member->set_node_id(node.value());
    *member->mutable_storage_uuid() = ToWire(info.storage_uuid);
    member->set_peer_address(info.peer_address);
    member->set_is_active(info.is_active);
    member->set_gets_no_commands(info.gets_no_commands);
  }
  for (const NodeId voter : in.voters) out->add_voters(voter.value());
  for (const NodeId voter : in.old_voters) out->add_old_voters(voter.value());
}

absl::StatusOr<Configuration> DecodeConfiguration(const rpc::ConfigurationRecord& in) {
  if (in.members_size() > kMembersMax) return Malformed("too many members");
  Configuration out;
  for (const auto& record : in.members()) {
    const NodeId node(record.node_id());
    if (node.is_none()) return Malformed("a member without an id");
    consensus::MemberInfo info;
    info.storage_uuid = UuidFromWire<StorageUuid>(record.storage_uuid());
    info.peer_address = record.peer_address();
    info.is_active = record.is_active();
    info.gets_no_commands = record.gets_no_commands();
    if (!out.members.emplace(node, std::move(info)).second) return Malformed("a member named twice");
  }
  DFS_RETURN_IF_ERROR(DecodeVoters(in.voters(), out, &out.voters));
  DFS_RETURN_IF_ERROR(DecodeVoters(in.old_voters(), out, &out.old_voters));
  if (out.voters.empty() && !out.members.empty()) return Malformed("members without voters");
  return out;
}

void EncodeEntry(const Entry& in, rpc::LogEntry* out) {
  out->set_term(in.term.value());
  out->set_index(in.index.value());
  if (in.configuration) EncodeConfiguration(*in.configuration, out->mutable_configuration());
  if (in.command) {
    out->set_command(*in.command);
    out->set_has_command(true);
  }
}

absl::StatusOr<Entry> DecodeEntry(rpc::LogEntry* in) {
  Entry out;
  out.term = Term(in->term());
  out.index = LogIndex(in->index());
  if (out.index.is_none() || out.term.is_none()) return Malformed("an entry without index or term");
  if (in->has_configuration()) {
    DFS_ASSIGN_OR_RETURN(Configuration configuration, DecodeConfiguration(in->configuration()));
    out.configuration = std::make_shared<const Configuration>(std::move(configuration));
  }
  if (in->has_command()) {
    out.command = std::make_shared<const std::string>(std::move(*in->mutable_command()));
  }
  return out;
}

void EncodeMessage(const Message& in, rpc::RaftMessage* out) {
  out->set_from(in.from.value());
  out->set_to(in.to.value());
  out->set_term(in.term.value());
  std::visit(Overloaded{
                 [&](const consensus::PreVoteRequest& b) {
                   auto* m = out->mutable_pre_vote_request();
                   m->set_next_term(b.next_term.value());
                   m->set_last_log_index(b.last_log_index.value());
                   m->set_last_log_term(b.last_log_term.value());
                   m->set_is_transfer(b.is_transfer);
                 },
                 [&](const consensus::PreVoteReply& b) {
                   auto* m = out->mutable_pre_vote_reply();
                   m->set_next_term(b.next_term.value());
                   m->set_is_granted(b.is_granted);
                 },
                 [&](const consensus::VoteRequest& b) {
                   auto* m = out->mutable_vote_request();
                   m->set_last_log_index(b.last_log_index.value());
                   m->set_last_log_term(b.last_log_term.value());
                   m->set_is_transfer(b.is_transfer);
                 },
                 [&](const consensus::VoteReply& b) {
                   out->mutable_vote_reply()->set_is_granted(b.is_granted);
                 },
                 [&](const consensus::AppendRequest& b) {
                   EncodeAppend(b, out->mutable_append_request());
                 },
                 [&](const consensus::AppendReply& b) {
                   auto* m = out->mutable_append_reply();
                   m->set_is_success(b.is_success);
                   m->set_index(b.index.value());
                   m->set_hint_index(b.hint_index.value());
                   m->set_hint_term(b.hint_term.value());
                   m->set_read_round(b.read_round);
                   m->set_sequence(b.sequence);
                 },
                 [&](const consensus::TimeoutNow&) { out->mutable_timeout_now(); },
             },
             in.body);
}

absl::StatusOr<Message> DecodeMessage(rpc::RaftMessage* in) {
  Message out;
  out.from = NodeId(in->from());
  out.to = NodeId(in->to());
  out.term = Term(in->term());
  if (out.from.is_none() || out.to.is_none()) return Malformed("no sender or no receiver");
  switch (in->body_case()) {
    case rpc::RaftMessage::kPreVoteRequest: {
      const auto& m = in->pre_vote_request();
      out.body = consensus::PreVoteRequest{Term(m.next_term()), LogIndex(m.last_log_index()),
                                           Term(m.last_log_term()), m.is_transfer()};
      return out;
    }
    case rpc::RaftMessage::kPreVoteReply:
      out.body = consensus::PreVoteReply{Term(in->pre_vote_reply().next_term()),
                                         in->pre_vote_reply().is_granted()};
      return out;
    case rpc::RaftMessage::kVoteRequest: {
      const auto& m = in->vote_request();
      out.body = consensus::VoteRequest{LogIndex(m.last_log_index()), Term(m.last_log_term()),
                                        m.is_transfer()};
      return out;
    }
    case rpc::RaftMessage::kVoteReply:
      out.body = consensus::VoteReply{in->vote_reply().is_granted()};
      return out;
    case rpc::RaftMessage::kAppendRequest: {
      DFS_ASSIGN_OR_RETURN(out.body, DecodeAppend(in->mutable_append_request()));
      return out;
    }
    case rpc::RaftMessage::kAppendReply:
      out.body = DecodeAppendReply(in->append_reply());
      return out;
    case rpc::RaftMessage::kTimeoutNow:
      out.body = consensus::TimeoutNow{};
      return out;
    case rpc::RaftMessage::BODY_NOT_SET:
      break;
  }
  return Malformed("no body");
}

bool IsReply(const Message& message) {
  return std::holds_alternative<consensus::PreVoteReply>(message.body) ||
         std::holds_alternative<consensus::VoteReply>(message.body) ||
         std::holds_alternative<consensus::AppendReply>(message.body);
}

std::size_t WireBytes(const Message& message) {
  std::size_t bytes = 64;
  if (const auto* append = std::get_if<consensus::AppendRequest>(&message.body)) {
    for (const Entry& entry : append->entries) {
      bytes += entry.bytes();
      if (entry.configuration) bytes += 64 * entry.configuration->members.size();
    }
  }
  return bytes;
}

}  // namespace dfs::replicated_log
