#include "tests/unit/coordinator/fake_nodes.h"

#include <glog/logging.h>

#include "common/checksum.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "server/coordinator/get_operation.h"
#include "server/coordinator/put_operation.h"

namespace dfs::coordinator {
namespace {

rpc::NodeRow RowOf(std::uint32_t node) {
  rpc::NodeRow row;
  row.set_node_id(node);
  *row.mutable_storage_uuid() = ToWire(StorageUuid{7, node});
  row.set_name("n" + std::to_string(node));
  row.set_client_address("h" + std::to_string(node) + ":1");
  row.set_peer_address("h" + std::to_string(node) + ":2");
  row.set_boot_epoch(1);
  return row;
}

constexpr absl::Duration kGuardIsLate = absl::Milliseconds(50);

class FakeWriter final : public chunk::RemoteChunkWriter {
 public:
  FakeWriter(testing::MemoryChunkStore* store, std::uint32_t node, const ChunkId& chunk,
             absl::Duration progress_timeout, std::size_t hangs_after, std::size_t breaks_after)
      : store_(store),
        node_(node),
        chunk_(chunk),
        progress_timeout_(progress_timeout),
        hangs_after_(hangs_after),
        breaks_after_(breaks_after) {}
  absl::Status Write(const Slices& data, std::uint32_t crc) override {
    if (store_ == nullptr) return absl::UnavailableError("down");
    if (bytes_.size() >= hangs_after_) {
      return cancelled_.WaitFor(progress_timeout_ + kGuardIsLate)
                 ? absl::CancelledError("cancelled")
                 : absl::DeadlineExceededError("no progress");
    }
    if (bytes_.size() >= breaks_after_) return absl::UnavailableError("broke");
    const std::string bytes = data.ToString();
    CHECK_EQ(Crc32c(bytes.data(), bytes.size()), crc);
    bytes_ += bytes;
    return absl::OkStatus();
  }
  absl::StatusOr<rpc::ChunkAck> Finish(std::uint64_t size, Hash128 hash) override {
    if (store_ == nullptr) return absl::UnavailableError("down");
    if (breaks_after_ != SIZE_MAX) return absl::UnavailableError("broke");
    const auto stored = store_->Put(chunk_, std::move(bytes_), chunk::ChunkInfo{chunk_, size, hash});
    if (!stored.ok()) return stored.status();
    rpc::ChunkAck ack;
    *ack.mutable_ack() = AckOf(node_);
    ack.set_size(stored->size);
    *ack.mutable_hash() = ToWire(stored->hash);
    return ack;
  }
  void Cancel() override { cancelled_.Set(); }

 private:
  testing::MemoryChunkStore* const store_;
  const std::uint32_t node_;
  const ChunkId chunk_;
  const absl::Duration progress_timeout_;
  const std::size_t hangs_after_;
  const std::size_t breaks_after_;
  Event cancelled_;
  std::string bytes_;
};

class FakeReader final : public chunk::RemoteChunkReader {
 public:
  FakeReader(std::unique_ptr<chunk::ChunkReader> reader, std::uint64_t offset,
             std::uint64_t length, std::optional<std::uint64_t> cut,
             std::optional<std::uint64_t> hangs_after)
      : reader_(std::move(reader)),
        at_(offset / BlockChecksums::kBlockBytes * BlockChecksums::kBlockBytes),
        end_(offset + length),
        cut_(cut),
        hangs_after_(hangs_after) {}
  std::uint64_t size() const override { return reader_->info().size; }
  const std::vector<std::uint32_t>& table() const override { return reader_->table(); }
  absl::StatusOr<Piece> Next() override {
    Piece piece;
    piece.offset = at_;
    if (at_ >= end_) return piece;
    if (cut_ && sent_ >= *cut_) return absl::UnavailableError("broke");
    if (hangs_after_ && sent_ >= *hangs_after_) return absl::DeadlineExceededError("hangs");
    const std::uint64_t bytes = std::min<std::uint64_t>(256 << 10, size() - at_);
    std::string data(bytes, '\0');
    DFS_RETURN_IF_ERROR(reader_->Read(at_, {data.data(), data.size()}));
    piece.data = Slices::Adopt(std::move(data));
    at_ += bytes;
    sent_ += bytes;
    return piece;
  }
  void Cancel() override {}

 private:
  const std::unique_ptr<chunk::ChunkReader> reader_;
  std::uint64_t at_;
  const std::uint64_t end_;
  const std::optional<std::uint64_t> cut_;
  const std::optional<std::uint64_t> hangs_after_;
  std::uint64_t sent_ = 0;
};

}  // namespace

std::unique_ptr<chunk::RemoteChunkWriter> FakePeers::Write(NodeId node, const ChunkId& chunk,
                                                           absl::Duration progress_timeout) {
  auto* store = down.contains(node.value()) ? nullptr : &stores.at(node.value());
  const auto limit = [node](const std::map<std::uint32_t, std::size_t>& limits) {
    const auto found = limits.find(node.value());
    return found == limits.end() ? SIZE_MAX : found->second;
  };
  return std::make_unique<FakeWriter>(store, node.value(), chunk, progress_timeout,
                                      limit(hangs_after), limit(breaks_after));
}

void FakePeers::WriteSmall(NodeId node, const chunk::ChunkInfo& info, Slices data, absl::Duration,
                           AckCallback done) {
  if (down.contains(node.value())) return done(absl::UnavailableError("down"));
  const auto stored = stores.at(node.value()).Put(info.id, data.ToString(), info);
  absl::StatusOr<rpc::Ack> answer = AckOf(node.value());
  if (!stored.ok()) answer = stored.status();
  if (silent.contains(node.value())) {
    kept_.emplace_back(std::move(done), std::move(answer));
  } else {
    done(std::move(answer));
  }
}

void FakePeers::Release() {
  for (auto& [done, answer] : kept_) done(std::move(answer));
  kept_.clear();
}

void FakePeers::RelinkAll(NodeId node, std::vector<chunk::Relink> items, absl::Duration,
                          AckCallback done) {
  if (down.contains(node.value())) return done(absl::UnavailableError("down"));
  const absl::Status relinked = stores.at(node.value()).RelinkAll(items);
  absl::StatusOr<rpc::Ack> answer = AckOf(node.value());
  if (!relinked.ok()) answer = relinked;
  if (silent.contains(node.value())) {
    kept_.emplace_back(std::move(done), std::move(answer));
  } else {
    done(std::move(answer));
  }
}

absl::StatusOr<std::unique_ptr<chunk::RemoteChunkReader>> FakePeers::Read(
    NodeId node, const ChunkId& chunk, std::uint64_t offset, std::uint64_t length,
    absl::Duration progress_timeout, std::uint64_t /*bytes_per_s_max*/) {
  read_from.push_back(node.value());
  read_timeouts.push_back(progress_timeout);
  if (down.contains(node.value())) return absl::UnavailableError("down");
  auto reader = stores.at(node.value()).Open(chunk);
  if (!reader.ok()) return reader.status();
  std::optional<std::uint64_t> stops_after;
  if (const auto slow = slow_reads.find(node.value());
      slow != slow_reads.end() && progress_timeout < slow->second.needs) {
    stops_after = slow->second.after_bytes;
  }
  return std::make_unique<FakeReader>(*std::move(reader), offset, length,
                                      std::exchange(cut_reads_after, std::nullopt), stops_after);
}

absl::StatusOr<rpc::ChunkAck> FakePeers::Copy(NodeId node, const rpc::CopyChunkRequest& request,
                                              absl::Duration) {
  const ChunkId id = FromWire(request.chunk());
  if (down.contains(node.value())) return absl::UnavailableError("down");
  for (const std::uint32_t source : request.sources()) {
    auto reader = (source == 1 ? *own_store : stores.at(source)).Open(id);
    if (!reader.ok()) continue;
    std::string bytes((*reader)->info().size, '\0');
    DFS_RETURN_IF_ERROR((*reader)->Read(0, {bytes.data(), bytes.size()}));
    const chunk::ChunkInfo info{id, request.size(), HashFromWire(request.hash())};
    DFS_RETURN_IF_ERROR(stores.at(node.value()).Put(id, std::move(bytes), info).status());
    {
      MutexLock lock(&mutex);
      copied.emplace_back(node.value(), id);
    }
    rpc::ChunkAck ack;
    *ack.mutable_ack() = AckOf(node.value());
    ack.set_size(info.size);
    *ack.mutable_hash() = ToWire(info.hash);
    return ack;
  }
  return absl::UnavailableError("no source holds it");
}

void FakePeers::Confirm(NodeId node, LogIndex, rpc::ConfirmItem, absl::Duration,
                        VerdictCallback done) {
  if (down.contains(node.value())) return done(absl::UnavailableError("down"));
  const auto found = verdicts.find(node.value());
  done(found == verdicts.end() ? rpc::ConfirmResponse::CONFIRMED : found->second);
}

absl::StatusOr<LogIndex> FakeLeader::ReadIndex(absl::Duration) {
  if (!has_quorum) return absl::UnavailableError("no quorum");
  return machine_->applied_index();
}

rpc::CommandResult FakeLeader::Apply(rpc::Command command) {
  MutexLock lock(&mutex_);
  command.set_time_us(1'000'000 + machine_->applied_index().value());
  return machine_->Apply(machine_->applied_index().Next(), term, command.SerializeAsString());
}

absl::StatusOr<rpc::CommandResult> FakeLeader::Submit(rpc::Command command, absl::Duration) {
  if (!has_quorum) return absl::UnavailableError("no quorum");
  if (command.has_commit_put() && rebegins > 0) {
    --rebegins;
    before_rebegin();
    term = term.Next();
    rpc::CommandResult result;
    result.set_code(rpc::CommandResult::REBEGIN);
    return result;
  }
  return Apply(std::move(command));
}

absl::StatusOr<rpc::OpenTransaction> FakeLeader::Begin(BucketId, const std::vector<NodeId>&,
                                                       const std::vector<NodeId>& holders,
                                                       absl::Duration) {
  if (!has_quorum) return absl::UnavailableError("no quorum");
  holders_named.push_back(holders);
  rpc::OpenTransaction open;
  *open.mutable_txn() = ToWire(TxnId{term, next_sequence_++});
  for (const auto node : replicas) open.add_replicas(node);
  for (const auto node : spares) open.add_spares(node);
  for (const auto node : replicas) open.add_set(node);
  return open;
}

void FakeLeader::ReportReplica(rpc::ReplicaChange change) {
  MutexLock lock(&mutex_);
  reported.push_back(std::move(change));
}

void FakeLeader::ApplyReported() {
  rpc::Command command;
  {
    MutexLock lock(&mutex_);
    for (auto& change : reported) *command.mutable_change_replicas()->add_changes() = change;
    reported.clear();
  }
  if (command.has_change_replicas()) Apply(std::move(command));
}

FakeNodes::FakeNodes(std::uint32_t members) {
  rpc::Command form;
  *form.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{1, 1});
  *form.mutable_form_cluster()->mutable_node() = RowOf(1);
  leader.Apply(form);
  for (std::uint32_t node = 2; node <= members; ++node) AddMember(node);
  peers.own_store = &store;
  parts.self = NodeId(1);
  parts.store = &store;
  parts.peers = &peers;
  parts.leader = &leader;
  parts.machine = &machine;
  parts.clock = &SystemClock();
  parts.pool = pool.get();
  parts.small_writes = batcher.get();
  parts.own_ack = [] { return AckOf(1); };
  parts.wait_applied = [](LogIndex, absl::Duration) { return absl::OkStatus(); };
  parts.is_usable = [this](NodeId node) { return !peers.down.contains(node.value()); };
  parts.leader_id = [] { return NodeId(1); };
}

void FakeNodes::AddMember(std::uint32_t node) {
  rpc::Command add;
  *add.mutable_add_node()->mutable_node() = RowOf(node);
  leader.Apply(add);
  rpc::Command activate;
  activate.mutable_activate_node()->set_node_id(node);
  leader.Apply(activate);
  peers.stores[node];
}

void FakeNodes::Drain() {
  Event small;
  chunk::ChunkInfo nothing;
  nothing.hash = BlockChecksums::HashOf(0, {});
  batcher->Write(nothing, Slices(), [&](const auto&) { small.Set(); });
  small.Wait();
  // Every thread of the pool at one place at once: what was queued before has run.
  struct Barrier {
    Mutex mutex;
    CondVar changed;
    std::size_t arrived ABSL_GUARDED_BY(mutex) = 0;
  } barrier;
  const auto arrive = [&barrier] {
    MutexLock lock(&barrier.mutex);
    ++barrier.arrived;
    barrier.changed.SignalAll();
    while (barrier.arrived < kWriterThreads + 1) barrier.changed.Wait(&barrier.mutex);
  };
  std::vector<std::unique_ptr<Event>> left;
  for (std::size_t i = 0; i < kWriterThreads; ++i) {
    left.push_back(std::make_unique<Event>());
    pool->Post([&arrive, event = left.back().get()] {
      arrive();
      event->Set();
    });
  }
  arrive();
  for (const auto& event : left) event->Wait();
  leader.ApplyReported();
}

api::RequestId FakeNodes::NextId() {
  api::RequestId id;
  id.set_session(std::string(16, 's'));
  id.set_sequence(++sequence);
  id.set_birth(1);
  id.set_acked_below(sequence);
  return id;
}

absl::StatusOr<api::PutResponse> FakeNodes::Put(const std::string& name, const std::string& bytes,
                                                std::size_t piece, const std::string& bucket) {
  PutOperation put(parts);
  api::PutHeader header;
  header.set_bucket(bucket);
  header.set_name(name);
  *header.mutable_request_id() = NextId();
  DFS_RETURN_IF_ERROR(put.Begin(header));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string part = bytes.substr(at, piece);
    DFS_RETURN_IF_ERROR(put.Append(Slices::CopyOf(part), Crc32c(part.data(), part.size())));
  }
  api::PutFinish finish;
  finish.set_size(bytes.size());
  finish.set_crc32c(Crc32c(bytes.data(), bytes.size()));
  return put.Finish(finish);
}

absl::StatusOr<std::string> FakeNodes::Get(api::GetRequest request) {
  GetOperation get(parts);
  DFS_RETURN_IF_ERROR(get.Begin(request).status());
  std::string content;
  std::uint64_t next = request.offset();
  DFS_RETURN_IF_ERROR(get.Stream([&](const Slices& data, std::uint64_t offset, std::uint32_t crc) {
    const std::string bytes = data.ToString();
    CHECK_EQ(offset, next);
    CHECK_EQ(Crc32c(bytes.data(), bytes.size()), crc);
    next += bytes.size();
    content += bytes;
    return true;
  }));
  return content;
}

absl::StatusOr<std::string> FakeNodes::Get(const std::string& name) {
  api::GetRequest request;
  request.set_name(name);
  return Get(request);
}

rpc::VersionRow FakeNodes::Row(const std::string& name) {
  const auto row = machine.View()->FindFile(BucketId(1), name);
  return row ? *row : rpc::VersionRow();
}

std::string TestBytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

}  // namespace dfs::coordinator
