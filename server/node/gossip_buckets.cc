#include "server/node/gossip_buckets.h"

#include <utility>
#include <vector>

#include "common/gossip_txn.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "server/gossip_store/gossip_chunks.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::node {

GossipBuckets::GossipBuckets(Parts parts)
    : parts_(std::move(parts)),
      by_log_(parts_.self, parts_.catalog),
      transport_({parts_.registry, parts_.channels, parts_.clock}) {}

absl::StatusOr<std::unique_ptr<GossipBuckets>> GossipBuckets::Open(const Config& config, Parts parts) {
  std::unique_ptr<GossipBuckets> buckets(new GossipBuckets(std::move(parts)));
  DFS_ASSIGN_OR_RETURN(buckets->table_,
                       gossip_store::RocksdbGossipTable::Open(config.data_dir + "/gossip"));
  const Parts& own = buckets->parts_;
  gossip_store::GossipHost::Parts host;
  host.options.self = own.self;
  host.options.seed = SystemRandom64();
  host.options.sync_interval = config.gossip_every;
  host.options.tombstone_age_min = config.gossip_tombstone_age;
  host.boot_epoch = own.boot_epoch;
  host.clock = own.clock;
  host.table = buckets->table_.get();
  host.transport = buckets->parts_.loss->Through(&buckets->transport_);
  host.store = own.store;
  host.peers = own.peers;
  host.look = [raw = buckets.get()] { return raw->Look(); };
  host.on_fatal = own.on_fatal;
  buckets->host_ = std::make_unique<gossip_store::GossipHost>(std::move(host));
  return buckets;
}

absl::Status GossipBuckets::Start() {
  DFS_RETURN_IF_ERROR(host_->Start());
  transport_.SetInbound(host_.get());
  return absl::OkStatus();
}

void GossipBuckets::Stop() {
  transport_.SetInbound(nullptr);
  host_->Stop();
  transport_.Stop();
}

gossip_store::Surroundings GossipBuckets::Look() const {
  const auto view = parts_.machine->View();
  gossip_store::Surroundings out;
  for (const auto& node : view->Nodes()) {
    if (node.state() != rpc::ACTIVE) continue;
    const NodeId id(node.node_id());
    out.peers.members.push_back(id);
    // Whoever is drained may be switched off then, for good.
    if (node.departure() != rpc::STAYS) out.peers.departing.insert(id);
    if (parts_.membership->IsUsable(id)) out.peers.reachable.push_back(id);
  }
  // What is seen as of this entry holds for every change of the members before it.
  out.peers.index = view->applied_index();
  for (const auto& bucket : view->Buckets()) {
    if (metadata::IsGossipBucket(bucket)) out.buckets.insert(BucketId(bucket.id()));
  }
  out.next_bucket = view->next_bucket_id();
  return out;
}

api::GossipStatus GossipBuckets::GetStatus() const {
  const gossip_store::GossipHealth health = host_->GetHealth();
  api::GossipStatus out;
  out.set_names(health.names);
  out.set_tombstones(health.tombstones);
  out.set_rounds(health.counts.rounds);
  out.set_rounds_failed(health.counts.rounds_failed);
  out.set_refused(health.counts.refused);
  out.set_held_back(health.counts.held_back);
  out.set_purged(health.counts.purged);
  out.set_messages_sent(transport_.sent());
  out.set_messages_dropped(transport_.dropped());
  out.set_is_complete(health.is_complete);
  out.set_fetches(health.fetches);
  out.set_fetches_failed(health.fetches_failed);
  out.set_alone(health.alone);
  return out;
}

void GossipBuckets::AddTo(membership::NodeHealth* health) const {
  const gossip_store::GossipHealth own = host_->GetHealth();
  health->gossip_clock_ms = absl::ToInt64Milliseconds(own.clock_off);
  health->gossip_tombstone_s =
      static_cast<std::uint64_t>(absl::ToInt64Seconds(own.oldest_tombstone_age));
  health->has_handed_gossip_over = own.is_handed_over;
  health->gossip_alone = own.alone;
}

std::function<void(const chunk::BadChunk&)> GossipBuckets::ReportOf(
    leader::LeaderClient* leader, std::function<rpc::Ack()> own_ack) {
  return [this, leader, own_ack = std::move(own_ack)](const chunk::BadChunk& bad) {
    if (IsGossip(bad.info.id.txn)) return host_->Heal(bad.info.id);
    rpc::ReplicaChange change;
    *change.mutable_chunk() = ToWire(bad.info.id);
    *change.mutable_hash() = ToWire(bad.info.hash);
    *change.mutable_ack() = own_ack();
    change.set_state(bad.is_missing ? api::MISSING : api::CORRUPT);
    leader->ReportReplica(std::move(change));
  };
}

bool GossipBuckets::IsWanted(const ChunkId& chunk) {
  return IsGossip(chunk.txn) ? host_->FindByTxn(chunk.txn).has_value() : by_log_.IsWanted(chunk);
}

void GossipBuckets::ForEach(const std::function<bool(const chunk::ChunkInfo&)>& visit) {
  bool goes_on = true;
  by_log_.ForEach([&](const chunk::ChunkInfo& info) { return goes_on = visit(info); });
  for (const BucketId bucket : Look().buckets) {
    std::string after;
    for (bool is_last = false; goes_on && !is_last;) {
      const auto records = host_->List(bucket, "", after);
      if (!records.ok()) return;
      is_last = records->size() < gossip_store::GossipHost::kListMax;
      for (const auto& record : *records) {
        after = record.key.name;
        for (const auto& info : gossip_store::ChunksOf(record)) goes_on = goes_on && visit(info);
      }
    }
  }
}

}  // namespace dfs::node
