#include "server/gossip_store/gossip_message_codec.h"

#include <limits>
#include <string>
#include <utility>

#include "common/gossip_txn.h"
#include "common/status_macros.h"
#include "common/wire_ids.h"

namespace dfs::gossip_store {
namespace {

using Kind = rpc::GossipMessage;
constexpr std::size_t kDigestBytes = 16;

absl::Status Malformed() { return absl::InvalidArgumentError("malformed gossip message"); }

void PutDigests(const std::vector<Hash128>& digests, std::string* out) {
  out->reserve(digests.size() * kDigestBytes);
  for (const Hash128& digest : digests) out->append(BytesOf(digest.high, digest.low));
}

std::uint64_t ReadBigEndian(const std::string& bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(value); ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

absl::StatusOr<std::vector<Hash128>> TakeDigests(const std::string& bytes, std::size_t count_max) {
  if (bytes.size() % kDigestBytes != 0 || bytes.size() / kDigestBytes > count_max) return Malformed();
  std::vector<Hash128> out;
  for (std::size_t at = 0; at < bytes.size(); at += kDigestBytes) {
    out.push_back({ReadBigEndian(bytes, at), ReadBigEndian(bytes, at + sizeof(std::uint64_t))});
  }
  return out;
}

template <class Number>
absl::StatusOr<std::vector<Number>> TakeNumbers(const rpc::GossipMessage& wire, std::size_t count_max) {
  if (static_cast<std::size_t>(wire.numbers_size()) > count_max) return Malformed();
  std::vector<Number> out;
  for (const std::uint32_t number : wire.numbers()) {
    if (number > std::numeric_limits<Number>::max()) return Malformed();
    out.push_back(static_cast<Number>(number));
  }
  return out;
}

absl::StatusOr<std::vector<InclusionRow>> TakeRows(const rpc::GossipMessage& wire) {
  if (static_cast<std::size_t>(wire.rows_size()) > kRowsMax) return Malformed();
  std::vector<InclusionRow> out;
  for (const auto& row : wire.rows()) {
    DFS_ASSIGN_OR_RETURN(InclusionRow taken, FromWire(row));
    out.push_back(std::move(taken));
  }
  return out;
}

absl::StatusOr<std::vector<Record>> TakeRecords(const rpc::GossipMessage& wire, int count_max) {
  if (wire.records_size() > count_max) return Malformed();
  std::vector<Record> out;
  for (const auto& record : wire.records()) {
    DFS_ASSIGN_OR_RETURN(Record taken, FromWire(record));
    out.push_back(std::move(taken));
  }
  return out;
}

// One for each kind.
struct Encoder {
  rpc::GossipMessage* wire;

  void Rows(const std::vector<InclusionRow>& rows) const {
    for (const auto& row : rows) ToWire(row, wire->add_rows());
  }
  void Records(const std::vector<Record>& records) const {
    for (const auto& record : records) ToWire(record, wire->add_records());
  }
  template <class Number>
  void Numbers(const std::vector<Number>& numbers) const {
    for (const auto number : numbers) wire->add_numbers(number);
  }

  void operator()(const Rumours& body) const {
    wire->set_kind(Kind::RUMOURS);
    Records(body.records);
  }
  void operator()(const SyncBegin& body) const {
    wire->set_kind(Kind::SYNC_BEGIN);
    wire->set_round(body.round);
    *wire->mutable_root() = dfs::ToWire(body.root);
    Rows(body.rows);
  }
  void operator()(const SyncState& body) const {
    wire->set_kind(Kind::SYNC_STATE);
    wire->set_round(body.round);
    wire->set_as_of(body.as_of.value());
    wire->set_is_complete(body.is_complete);
    wire->set_members_index(body.members_index.value());
    Rows(body.rows);
    PutDigests(body.inner, wire->mutable_digests());
  }
  void operator()(const AskLeaves& body) const {
    wire->set_kind(Kind::ASK_LEAVES);
    wire->set_round(body.round);
    Numbers(body.inner);
  }
  void operator()(const Leaves& body) const {
    wire->set_kind(Kind::LEAVES);
    wire->set_round(body.round);
    Numbers(body.inner);
    PutDigests(body.digests, wire->mutable_digests());
  }
  void operator()(const AskRecords& body) const {
    wire->set_kind(Kind::ASK_RECORDS);
    wire->set_round(body.round);
    Numbers(body.leaves);
  }
  void operator()(const LeafRecords& body) const {
    wire->set_kind(Kind::LEAF_RECORDS);
    wire->set_round(body.round);
    Numbers(body.leaves);
    Records(body.records);
  }
};

absl::StatusOr<MessageBody> BodyOf(const rpc::GossipMessage& wire) {
  const std::uint64_t round = wire.round();
  switch (wire.kind()) {
    case Kind::RUMOURS: {
      DFS_ASSIGN_OR_RETURN(auto records, TakeRecords(wire, static_cast<int>(kRumoursMax)));
      return Rumours{std::move(records)};
    }
    case Kind::SYNC_BEGIN: {
      DFS_ASSIGN_OR_RETURN(auto rows, TakeRows(wire));
      return SyncBegin{round, HashFromWire(wire.root()), std::move(rows)};
    }
    case Kind::SYNC_STATE: {
      DFS_ASSIGN_OR_RETURN(auto rows, TakeRows(wire));
      DFS_ASSIGN_OR_RETURN(auto inner, TakeDigests(wire.digests(), kInnerNodes));
      if (!inner.empty() && inner.size() != kInnerNodes) return Malformed();
      return SyncState{round, HybridTime(wire.as_of()), wire.is_complete(),
                       LogIndex(wire.members_index()), std::move(rows), std::move(inner)};
    }
    case Kind::ASK_LEAVES: {
      DFS_ASSIGN_OR_RETURN(auto inner, TakeNumbers<InnerNumber>(wire, kInnerAskedMax));
      return AskLeaves{round, std::move(inner)};
    }
    case Kind::LEAVES: {
      DFS_ASSIGN_OR_RETURN(auto inner, TakeNumbers<InnerNumber>(wire, kInnerAskedMax));
      DFS_ASSIGN_OR_RETURN(auto digests,
                           TakeDigests(wire.digests(), kInnerAskedMax * kLeavesPerInner));
      if (digests.size() != inner.size() * kLeavesPerInner) return Malformed();
      return Leaves{round, std::move(inner), std::move(digests)};
    }
    case Kind::ASK_RECORDS: {
      DFS_ASSIGN_OR_RETURN(auto leaves, TakeNumbers<LeafNumber>(wire, kLeavesAskedMax));
      return AskRecords{round, std::move(leaves)};
    }
    case Kind::LEAF_RECORDS: {
      DFS_ASSIGN_OR_RETURN(auto leaves, TakeNumbers<LeafNumber>(wire, kLeavesAskedMax));
      DFS_ASSIGN_OR_RETURN(auto records, TakeRecords(wire, kRecordsMax));
      return LeafRecords{round, std::move(leaves), std::move(records)};
    }
    default:
      return Malformed();
  }
}

}  // namespace

void ToWire(const Record& record, rpc::GossipRecord* wire) {
  wire->set_bucket_id(record.key.bucket.value());
  wire->set_name(record.key.name);
  wire->set_time(record.stamp.time.value());
  wire->set_origin(record.stamp.origin.value());
  wire->set_is_tombstone(record.is_tombstone);
  if (record.is_tombstone) return;
  wire->set_size(record.size);
  wire->set_crc32c(record.crc32c);
  *wire->mutable_content_hash() = dfs::ToWire(record.content_hash);
  *wire->mutable_txn() = dfs::ToWire(record.txn);
  for (const Hash128& chunk : record.chunks) *wire->add_chunks() = dfs::ToWire(chunk);
}

void ToWire(const InclusionRow& row, rpc::GossipRow* wire) {
  wire->set_node(row.node.value());
  for (const auto& [node, time] : row.had) (*wire->mutable_had())[node.value()] = time.value();
}

void ToWire(const Message& message, rpc::GossipMessage* wire) {
  wire->set_from(message.from.value());
  wire->set_to(message.to.value());
  wire->set_wall_us(absl::ToUnixMicros(message.wall));
  std::visit(Encoder{wire}, message.body);
}

void ToWire(const GossipState& state, rpc::GossipStateRow* wire) {
  wire->set_clock_bound(state.clock_bound.value());
  ToWire(state.included, wire->mutable_included());
  wire->set_is_complete(state.is_complete);
  wire->set_has_begun_anew(state.has_begun_anew);
  wire->set_purged_through(state.purged_through.value());
}

absl::StatusOr<Record> FromWire(const rpc::GossipRecord& wire) {
  Record record;
  record.key = {BucketId(wire.bucket_id()), wire.name()};
  record.stamp = {HybridTime(wire.time()), NodeId(wire.origin())};
  record.is_tombstone = wire.is_tombstone();
  if (record.key.bucket.is_none() || record.stamp.origin.is_none() || record.stamp.time.is_none() ||
      wire.name().empty() || wire.name().size() > kNameBytesMax) {
    return Malformed();
  }
  if (record.is_tombstone) return record;
  record.size = wire.size();
  record.crc32c = wire.crc32c();
  record.content_hash = HashFromWire(wire.content_hash());
  record.txn = dfs::FromWire(wire.txn());
  const std::uint64_t count = record.size / kChunkBytes + (record.size % kChunkBytes == 0 ? 0 : 1);
  if (count > kChunksMax || static_cast<std::uint64_t>(wire.chunks_size()) != count ||
      !IsGossip(record.txn)) {
    return Malformed();
  }
  for (const auto& chunk : wire.chunks()) record.chunks.push_back(HashFromWire(chunk));
  return record;
}

absl::StatusOr<InclusionRow> FromWire(const rpc::GossipRow& wire) {
  if (wire.had_size() > kRowEntriesMax) return Malformed();
  InclusionRow row{NodeId(wire.node()), {}};
  for (const auto& [node, time] : wire.had()) row.had[NodeId(node)] = HybridTime(time);
  return row;
}

absl::StatusOr<Message> FromWire(const rpc::GossipMessage& wire) {
  if (wire.from() == 0 || wire.to() == 0) return Malformed();
  DFS_ASSIGN_OR_RETURN(MessageBody body, BodyOf(wire));
  return Message{NodeId(wire.from()), NodeId(wire.to()), absl::FromUnixMicros(wire.wall_us()),
                 std::move(body)};
}

absl::StatusOr<GossipState> FromWire(const rpc::GossipStateRow& wire) {
  GossipState state;
  state.clock_bound = HybridTime(wire.clock_bound());
  DFS_ASSIGN_OR_RETURN(state.included, FromWire(wire.included()));
  state.is_complete = wire.is_complete();
  state.has_begun_anew = wire.has_begun_anew();
  state.purged_through = HybridTime(wire.purged_through());
  return state;
}

}  // namespace dfs::gossip_store
