#include "membership/grpc_membership_transport.h"

#include <glog/logging.h>
#include <grpc/support/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/sync.h"
#include "dfs/internal/v1/ring.grpc.pb.h"
#include "membership/ring_message_codec.h"
#include "proto/channel_arguments.h"

namespace dfs::membership {
namespace {

using Envelope = rpc::RingEnvelope;

grpc::ChannelArguments RingArguments() {
  grpc::ChannelArguments arguments = ArgumentsFor(ChannelUse::kControl);
  // Also the time until gRPC gives up connecting: longer than a busy machine takes to shake hands.
  const auto connect_ms = static_cast<int>(
      absl::ToInt64Milliseconds(GrpcMembershipTransport::kConnectTimeout));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_ms);
  // Becomes TCP_USER_TIMEOUT: a heartbeat that is not acknowledged by the other kernel for so long breaks the
  // connection. Otherwise it would outlive a network failure and, after it, wait for a retransmission.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1'000);
  return arguments;
}

// Whether a stream that ended with `status` says that no process serves there any more.
bool IsRefusal(const grpc::Status& status, bool was_open, bool is_tls) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return false;
  const std::string& text = status.error_message();
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  // gRPC names the last attempt's errno and nothing more structured.
  if (has("timed out") || has("imeout")) return false;
  if (was_open || has("Connection refused")) return true;
  return !is_tls && (has("Connection reset") || has("Socket closed"));
}

}  // namespace

// What streams and transport share.
class GrpcMembershipTransport::State {
 public:
  State(Parts parts, Executor* closer) : parts_(std::move(parts)), closer_(closer) {}

  const Parts parts_;
  Executor* const closer_;  // lives until WaitForStreams() has returned
  Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Receiver> receiver_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Refused> refused_ ABSL_GUARDED_BY(mutex_);
  struct Peer {
    std::string address;
    std::shared_ptr<Stream> stream;  // none while not talking
    MonotonicTime next_attempt = absl::InfinitePast();
    MonotonicTime last_used = absl::InfinitePast();
  };
  std::map<NodeId, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Stream>> fresh_ ABSL_GUARDED_BY(mutex_);
  MonotonicTime next_sweep_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();

  struct End {
    NodeId peer;
    bool is_fresh = false;
    bool is_refusal = false;  // no process serves there
    bool is_unfit = false;    // one does, but one of the two Hellos was refused
  };
  void OnStreamEnded(const std::shared_ptr<Stream>& stream, const End& end)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void CountStream() ABSL_LOCKS_EXCLUDED(alive_mutex_) {
    MutexLock lock(&alive_mutex_);
    ++streams_alive_;
  }
  void ForgetStream() ABSL_LOCKS_EXCLUDED(alive_mutex_) {
    MutexLock lock(&alive_mutex_);
    --streams_alive_;
    ended_.SignalAll();
  }
  void WaitForStreams() ABSL_LOCKS_EXCLUDED(alive_mutex_) {
    MutexLock lock(&alive_mutex_);
    while (streams_alive_ > 0) ended_.Wait(&alive_mutex_);
  }

 private:
  // Apart from mutex_: streams are made while that is held.
  Mutex alive_mutex_;
  CondVar ended_;
  std::size_t streams_alive_ ABSL_GUARDED_BY(alive_mutex_) = 0;
};

// One outbound stream on a channel of its own. Keeps itself alive until gRPC has called OnDone. At most one write is under
// way; what waits is bounded, newest dropped.
class GrpcMembershipTransport::Stream final
    : public grpc::ClientBidiReactor<Envelope, Envelope>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<State> state, NodeId peer, bool is_fresh)
      : state_(std::move(state)), alive_(state_), peer_(peer), is_fresh_(is_fresh) {}

  void Open(const std::string& address) {
    self_ = shared_from_this();
    stub_ = rpc::Ring::NewStub(state_->parts_.dialer.Dial(address, RingArguments()));
    if (is_fresh_) {
      context_.set_deadline(
          gpr_time_from_millis(absl::ToInt64Milliseconds(kFreshDeadline), GPR_TIMESPAN));
    }
    stub_->async()->Exchange(&context_, this);
    {
      MutexLock lock(&mutex_);
      *outgoing_.mutable_hello() = state_->parts_.registry->own();
      is_busy_ = true;
    }
    StartWrite(&outgoing_);
    StartRead(&incoming_);
    // Writes start from other threads than the reactor's own, so the call must not end between two of them.
    AddHold();
    StartCall();
  }

  void Send(const Message& message) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (is_ended_ || is_closing_ || queue_.size() >= kQueueMax) return;
      queue_.push_back(ToWire(message));
    }
    MaybeWrite();
  }

  // Closes in order once what is queued is written.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      is_closing_ = true;
    }
    MaybeWrite();
  }
  void Cancel() { context_.TryCancel(); }

  void OnWriteDone(bool is_ok) override { EndOperation(is_ok); }
  void OnWritesDoneDone(bool is_ok) override { EndOperation(is_ok); }

  void OnReadDone(bool is_ok) override {
    if (!is_ok) {
      {
        MutexLock lock(&mutex_);
        is_ended_ = true;
      }
      return MaybeReleaseHold();
    }
    bool is_first = false;
    {
      MutexLock lock(&mutex_);
      is_first = !is_open_ && !is_unfit_;
    }
    if (is_first) {
      const absl::Status status =
          state_->parts_.registry->CheckOutbound(peer_, incoming_.hello());
      if (!status.ok()) {
        LOG_EVERY_N(WARNING, 100) << "ring stream given up: " << status.message();
        Cancel();
      }
      MutexLock lock(&mutex_);
      (status.ok() ? is_open_ : is_unfit_) = true;
    }
    // Nothing else is expected; reading on tells when the other end goes away.
    StartRead(&incoming_);
    if (is_first) MaybeWrite();
  }

  void OnDone(const grpc::Status& status) override {
    bool was_open = false;
    bool is_unfit = status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
    {
      MutexLock lock(&mutex_);
      is_ended_ = true;
      was_open = is_open_;
      is_unfit = is_unfit || is_unfit_;
      queue_.clear();
    }
    VLOG(1) << "ring stream to node " << peer_ << " ended, open " << was_open << ": "
            << status.error_code() << " " << status.error_message();
    std::shared_ptr<Stream> self = std::move(self_);
    state_->OnStreamEnded(self, {.peer = peer_,
                                 .is_fresh = is_fresh_,
                                 .is_refusal = IsRefusal(status, was_open, state_->parts_.dialer.is_tls()),
                                 .is_unfit = is_unfit});
    // A process's last channel must not die on a thread of gRPC's callbacks: gRPC 1.51 then joins that thread from
    // itself and frees its queue twice.
    Executor* const closer = state_->closer_;
    closer->Post([self = std::move(self)] {});
  }

 private:
  void EndOperation(bool is_ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      is_busy_ = false;
      if (!is_ok) is_ended_ = true;
    }
    if (is_ok) MaybeWrite();
    MaybeReleaseHold();
  }

  // Lets the call end once it is broken and nothing that was decided under the lock is still to be started.
  void MaybeReleaseHold() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (!is_ended_ || is_busy_ || std::exchange(is_hold_released_, true)) return;
    }
    RemoveHold();
  }

  void MaybeWrite() ABSL_LOCKS_EXCLUDED(mutex_) {
    bool is_last = false;
    {
      MutexLock lock(&mutex_);
      if (is_busy_ || is_ended_ || is_finished_) return;
      if (!queue_.empty()) {
        if (!is_open_) return;
        outgoing_.Clear();
        while (!queue_.empty()) {
          *outgoing_.add_messages() = std::move(queue_.front());
          queue_.pop_front();
        }
      } else {
        if (!is_closing_) return;
        is_finished_ = true;
        is_last = true;
      }
      is_busy_ = true;
    }
    if (is_last) return StartWritesDone();
    StartWrite(&outgoing_);
  }

  // Stop() waits for this: it ends after the call and the channel, which must not outlive gRPC itself.
  class Alive {
   public:
    explicit Alive(std::shared_ptr<State> state) : state_(std::move(state)) {
      state_->CountStream();
    }
    ~Alive() { state_->ForgetStream(); }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;

   private:
    const std::shared_ptr<State> state_;
  };

  const std::shared_ptr<State> state_;
  const Alive alive_;  // before all that belongs to gRPC
  const NodeId peer_;
  const bool is_fresh_;
  std::unique_ptr<rpc::Ring::Stub> stub_;
  grpc::ClientContext context_;
  Envelope incoming_;  // reads only
  std::shared_ptr<Stream> self_;
  Mutex mutex_;
  Envelope outgoing_;  // the write under way
  bool is_open_ ABSL_GUARDED_BY(mutex_) = false;       // the other end's Hello was checked
  bool is_unfit_ ABSL_GUARDED_BY(mutex_) = false;      // it was refused
  bool is_busy_ ABSL_GUARDED_BY(mutex_) = false;       // a write, or the close, is under way
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;    // close once the queue is empty
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;   // closed on our side
  bool is_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_hold_released_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<rpc::RingMessage> queue_ ABSL_GUARDED_BY(mutex_);
};

void GrpcMembershipTransport::State::OnStreamEnded(const std::shared_ptr<Stream>& stream,
                                                   const End& end) {
  std::shared_ptr<const Refused> refused;
  {
    MutexLock lock(&mutex_);
    if (end.is_fresh) {
      fresh_.erase(stream);
    } else if (const auto found = peers_.find(end.peer);
               found != peers_.end() && found->second.stream == stream) {
      found->second.stream = nullptr;
      found->second.next_attempt =
          parts_.clock->Now() + (end.is_unfit ? kUnfitSpacing : kRetrySpacing);
    }
    if (end.is_refusal && !is_stopped_) refused = refused_;
  }
  if (refused && *refused) (*refused)(end.peer);
}

GrpcMembershipTransport::GrpcMembershipTransport(Parts parts)
    : closer_("ring-closer"), state_(std::make_shared<State>(std::move(parts), &closer_)) {}

GrpcMembershipTransport::~GrpcMembershipTransport() { Stop(); }

void GrpcMembershipTransport::SetReceiver(Receiver receiver, Refused refused) {
  MutexLock lock(&state_->mutex_);
  state_->receiver_ = std::make_shared<const Receiver>(std::move(receiver));
  state_->refused_ = std::make_shared<const Refused>(std::move(refused));
}

void GrpcMembershipTransport::SetMembers(const std::vector<MemberAddress>& members) {
  std::vector<std::shared_ptr<Stream>> dropped;
  {
    MutexLock lock(&state_->mutex_);
    std::map<NodeId, State::Peer> peers;
    for (const MemberAddress& member : members) {
      const auto found = state_->peers_.find(member.node);
      if (found != state_->peers_.end() && found->second.address == member.peer_address) {
        peers.insert(state_->peers_.extract(found));
      } else {
        peers[member.node].address = member.peer_address;
      }
    }
    peers.swap(state_->peers_);
    for (auto& [node, peer] : peers) {
      if (peer.stream) dropped.push_back(std::move(peer.stream));
    }
  }
  for (const auto& stream : dropped) stream->Cancel();
}

void GrpcMembershipTransport::Send(Message message, bool is_fresh) {
  State& state = *state_;
  const MonotonicTime now = state.parts_.clock->Now();
  std::shared_ptr<Stream> stream;
  std::string address;  // set if the stream is to be opened
  std::vector<std::shared_ptr<Stream>> idle;
  {
    MutexLock lock(&state.mutex_);
    if (state.is_stopped_) return;
    const auto found = state.peers_.find(message.to);
    if (found == state.peers_.end()) return;
    State::Peer& peer = found->second;
    if (is_fresh) {
      if (state.fresh_.size() >= kFreshMax) return;
      stream = std::make_shared<Stream>(state_, message.to, true);
      state.fresh_.insert(stream);
      address = peer.address;
    } else {
      peer.last_used = now;
      if (!peer.stream) {
        if (now < peer.next_attempt) return;
        peer.stream = std::make_shared<Stream>(state_, message.to, false);
        address = peer.address;
      }
      stream = peer.stream;
    }
    if (now >= state.next_sweep_) {
      state.next_sweep_ = now + kIdle / 4;
      for (auto& [node, other] : state.peers_) {
        if (other.stream && now - other.last_used > kIdle) idle.push_back(std::move(other.stream));
      }
    }
  }
  if (!address.empty()) stream->Open(address);
  stream->Send(message);
  if (is_fresh) stream->Close();
  for (const auto& one : idle) one->Cancel();
}

void GrpcMembershipTransport::Stop() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    MutexLock lock(&state_->mutex_);
    state_->is_stopped_ = true;
    state_->receiver_ = nullptr;
    state_->refused_ = nullptr;
    for (auto& [node, peer] : state_->peers_) {
      if (peer.stream) streams.push_back(peer.stream);
    }
    streams.insert(streams.end(), state_->fresh_.begin(), state_->fresh_.end());
  }
  for (const auto& stream : streams) stream->Cancel();
  streams.clear();
  state_->WaitForStreams();
  closer_.Stop();
}

absl::Status GrpcMembershipTransport::CheckHello(const rpc::PeerHello& hello) {
  return state_->parts_.registry->CheckInbound(hello);
}

rpc::PeerHello GrpcMembershipTransport::OwnHello() const { return state_->parts_.registry->own(); }

void GrpcMembershipTransport::Deliver(NodeId from, const rpc::RingEnvelope& envelope) {
  std::shared_ptr<const Receiver> receiver;
  {
    MutexLock lock(&state_->mutex_);
    receiver = state_->receiver_;
  }
  if (!receiver || !*receiver) return;
  for (const rpc::RingMessage& wire : envelope.messages()) {
    auto message = FromWire(wire);
    if (!message.ok() || message->from != from) {
      LOG_EVERY_N(WARNING, 1'000) << "ring message dropped, from node " << from << ": "
                                  << (message.ok() ? "names another sender"
                                                   : std::string(message.status().message()));
      continue;
    }
    (*receiver)(*std::move(message));
  }
}

}  // namespace dfs::membership
