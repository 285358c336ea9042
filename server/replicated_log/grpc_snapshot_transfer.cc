#include "server/replicated_log/grpc_snapshot_transfer.h"

#include <chrono>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
// One transfer; a state that takes longer is tried again and never arrives, so this is generous.
constexpr std::chrono::minutes kTransferMax{30};

absl::Status Stopping() { return absl::UnavailableError("this node is stopping"); }

void EncodeHeader(const OutgoingSnapshot& snapshot, const rpc::PeerHello& hello,
                  rpc::SnapshotHeader* out) {
  const SnapshotDescription& description = snapshot.description;
  *out->mutable_hello() = hello;
  out->set_index(description.index.value());
  out->set_term(description.term.value());
  EncodeConfiguration(description.configuration, out->mutable_configuration());
  *out->mutable_content_hash() = ToWire(description.content.hash);
  out->set_rows(description.content.rows);
  out->set_leader_term(snapshot.leader_term.value());
}

absl::StatusOr<SnapshotDescription> DecodeHeader(const rpc::SnapshotHeader& in) {
  SnapshotDescription out;
  out.index = LogIndex(in.index());
  out.term = Term(in.term());
  out.content.rows = in.rows();
  out.content.hash = HashFromWire(in.content_hash());
  DFS_ASSIGN_OR_RETURN(out.configuration, DecodeConfiguration(in.configuration()));
  if (out.index.is_none() || out.term.is_none() || out.configuration.members.empty()) {
    return absl::InvalidArgumentError("a snapshot without index, term or configuration");
  }
  return out;
}

}  // namespace

GrpcSnapshotSender::GrpcSnapshotSender(GrpcRaftHub* hub) : hub_(hub), pool_("snap-send", 2) {}
GrpcSnapshotSender::~GrpcSnapshotSender() { Stop(); }

void GrpcSnapshotSender::Send(const std::string& address, OutgoingSnapshot snapshot,
                              SnapshotReceiver::Done done) {
  // Answers even if the pool drops the task.
  struct Answer {
    SnapshotReceiver::Done done;
    explicit Answer(SnapshotReceiver::Done d) : done(std::move(d)) {}
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() {
      if (done) done(Stopping());
    }
  };
  pool_.Post([this, address, snapshot = std::move(snapshot),
              answer = std::make_unique<Answer>(std::move(done))]() mutable {
    auto result = Transfer(address, snapshot);
    std::exchange(answer->done, nullptr)(std::move(result));
  });
}

absl::StatusOr<LogIndex> GrpcSnapshotSender::Transfer(const std::string& address,
                                                      OutgoingSnapshot& snapshot) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTransferMax);
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) return Stopping();
    running_.insert(&context);
  }
  auto result = Stream(context, address, snapshot);
  MutexLock lock(&mutex_);
  running_.erase(&context);
  return result;
}

absl::StatusOr<LogIndex> GrpcSnapshotSender::Stream(grpc::ClientContext& context,
                                                    const std::string& address,
                                                    OutgoingSnapshot& snapshot) {
  const auto stub = rpc::Raft::NewStub(hub_->dialer().Dial(address, ChannelUse::kBulk));
  rpc::SnapshotReply reply;
  auto writer = stub->InstallSnapshot(&context, &reply);
  rpc::SnapshotPiece piece;
  EncodeHeader(snapshot, hub_->registry().own(), piece.mutable_header());
  bool is_open = writer->Write(piece);
  absl::Status read_error;
  for (std::size_t file = 0; is_open && file < snapshot.files->count(); ++file) {
    for (std::uint64_t offset = 0;;) {
      auto bytes = snapshot.files->Read(file, offset, kPieceBytes);
      if (!bytes.ok()) {
        read_error = bytes.status();
        is_open = false;
        break;
      }
      offset += bytes->size();
      piece.Clear();
      piece.set_file(static_cast<std::uint32_t>(file));
      piece.set_is_last_of_file(bytes->size() < kPieceBytes);
      piece.set_data(*std::move(bytes));
      is_open = writer->Write(piece);
      if (!is_open || piece.is_last_of_file()) break;
    }
  }
  if (!read_error.ok()) context.TryCancel();
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!read_error.ok()) return read_error;
  if (!status.ok()) return FromGrpc(status);
  return LogIndex(reply.installed_index());
}

void GrpcSnapshotSender::Stop() {
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    for (auto* context : running_) context->TryCancel();
  }
  pool_.Stop();
}

void GrpcSnapshotInbound::Start(std::shared_ptr<GrpcSnapshotInbound> self) {
  self_ = std::move(self);
  StartRead(&piece_);
}

void GrpcSnapshotInbound::Cancel() {
  MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

namespace {

// Runs on a pool, or says that it will not.
class PoolTask {
 public:
  PoolTask(absl::AnyInvocable<void()> run, absl::AnyInvocable<void()> dropped)
      : run_(std::move(run)), dropped_(std::move(dropped)) {}
  PoolTask(const PoolTask&) = delete;
  PoolTask& operator=(const PoolTask&) = delete;
  ~PoolTask() {
    if (run_) dropped_();
  }
  void Run() { std::exchange(run_, nullptr)(); }

 private:
  absl::AnyInvocable<void()> run_;
  absl::AnyInvocable<void()> dropped_;
};

}  // namespace

void GrpcSnapshotInbound::OnReadDone(bool is_ok) {
  auto task = std::make_unique<PoolTask>(
      [this, is_ok] {
        if (is_ok) {
          TakePiece();
        } else {
          Complete();
        }
      },
      [this] { End(Stopping()); });
  pool_->Post([task = std::move(task)] { task->Run(); });
}

absl::Status GrpcSnapshotInbound::Begin() {
  if (!piece_.has_header()) return absl::InvalidArgumentError("a snapshot without a header");
  const rpc::PeerHello& hello = piece_.header().hello();
  DFS_RETURN_IF_ERROR(hub_->registry().CheckInbound(hello));
  const NodeId from(hello.node_id());
  if (!hub_->registry().IsConfirmed(from, RunId(hello.run_id()))) {
    return absl::FailedPreconditionError("the sender does not answer at its own address");
  }
  DFS_ASSIGN_OR_RETURN(description_, DecodeHeader(piece_.header()));
  const auto receiver = hub_->snapshot_receiver();
  if (receiver == nullptr) return Stopping();
  DFS_ASSIGN_OR_RETURN(sink_, receiver->Begin(from, description_));
  return absl::OkStatus();
}

void GrpcSnapshotInbound::TakePiece() {
  absl::Status status;
  if (sink_ == nullptr) {
    status = Begin();
  } else {
    status = sink_->Append(piece_.file(), piece_.data(), piece_.is_last_of_file());
  }
  if (!status.ok()) {
    End(status);
    return;
  }
  StartRead(&piece_);
}

void GrpcSnapshotInbound::Complete() {
  const auto receiver = hub_->snapshot_receiver();
  if (sink_ == nullptr || receiver == nullptr) {
    End(absl::CancelledError("the snapshot did not arrive"));
    return;
  }
  receiver->Finish(std::move(sink_), std::move(description_),
                   [this](const absl::StatusOr<LogIndex>& index) { End(index); });
}

void GrpcSnapshotInbound::End(const absl::StatusOr<LogIndex>& result) {
  if (result.ok()) reply_->set_installed_index(result->value());
  Finish(ToGrpc(result.status()));
}

void GrpcSnapshotInbound::OnDone() {
  const auto keep = std::move(self_);
  {
    MutexLock lock(&mutex_);
    context_ = nullptr;
  }
  sink_.reset();
  const auto hub = hub_;
  hub->StreamEnds();
}

}  // namespace dfs::replicated_log
