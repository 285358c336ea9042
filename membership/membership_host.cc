#include "membership/membership_host.h"

#include <map>
#include <utility>
#include <variant>

#include "common/executor.h"
#include "common/sync.h"
#include "membership/ring_core.h"

namespace dfs::membership {
namespace {

// Inputs that wait for the host's thread. 9 members send some 400 a second at worst; beyond this the thread
// stands still and what is dropped would be stale.
constexpr std::size_t kInboxMax = 4'096;

// The door for other threads. Outlives the host where a transport still holds it, and is then closed.
class Inbox {
 public:
  explicit Inbox(ThreadExecutor* executor) : executor_(executor) {}

  // Runs `task` on the executor unless closed or full.
  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (executor_ == nullptr || waiting_ >= kInboxMax) return;
    ++waiting_;
    executor_->Post([this, task = std::move(task)]() mutable {
      {
        MutexLock done(&mutex_);
        --waiting_;
      }
      task();
    });
  }
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    executor_ = nullptr;
  }

 private:
  Mutex mutex_;
  ThreadExecutor* executor_ ABSL_GUARDED_BY(mutex_);
  std::size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

class MembershipHost::Impl {
 public:
  explicit Impl(Parts parts)
      : parts_(std::move(parts)),
        core_(parts_.options, parts_.clock->Now()),
        executor_("ring", *parts_.clock),
        inbox_(std::make_shared<Inbox>(&executor_)) {
    Publish();
  }
  ~Impl() { Stop(); }

  void Start() {
    parts_.transport->SetReceiver(
        [this, inbox = inbox_](Message message) {
          inbox->Post([this, message = std::move(message)]() mutable {
            Step(Receive{std::move(message)});
          });
        },
        [this, inbox = inbox_](NodeId node) { inbox->Post([this, node] { Step(Refused{node}); }); });
    inbox_->Post([this] { Step(Tick{}); });
  }

  void Stop() {
    inbox_->Close();
    executor_.Stop();
  }

  void SetMembers(std::vector<MemberAddress> members) {
    parts_.transport->SetMembers(members);
    std::vector<NodeId> nodes;
    nodes.reserve(members.size());
    for (const MemberAddress& member : members) nodes.push_back(member.node);
    inbox_->Post([this, nodes = std::move(nodes)]() mutable {
      Step(membership::SetMembers{std::move(nodes)});
      Publish();
    });
  }

  void ReportRefused(NodeId node) {
    inbox_->Post([this, node] { Step(Refused{node}); });
  }

  [[nodiscard]] std::vector<MemberView> Members() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    std::vector<MemberView> out;
    for (const auto& [node, view] : views_) out.push_back(view);
    return out;
  }

  [[nodiscard]] LivenessState StateOf(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = views_.find(node);
    return found == views_.end() ? LivenessState::kUnknown : found->second.state;
  }

  [[nodiscard]] bool IsUsable(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_) {
    if (node == parts_.options.self) return true;
    MutexLock lock(&mutex_);
    const auto found = views_.find(node);
    return found != views_.end() && found->second.state != LivenessState::kDead;
  }

 private:
  // On the executor only, as all below.
  void Step(Input input) {
    const MonotonicTime now = parts_.clock->Now();
    const bool is_tick = std::holds_alternative<Tick>(input);
    if (is_tick && parts_.own_health && now >= next_health_) {
      next_health_ = now + parts_.options.heartbeat_interval * 9 / 10;
      CarryOut(core_.Step(now, SetHealth{parts_.own_health()}));
    }
    CarryOut(core_.Step(now, std::move(input)));
    if (is_tick) Publish();
  }

  void CarryOut(Output output) {
    // Known to readers before anything that follows from it can be seen.
    if (!output.changes.empty()) Publish();
    for (Sending& sending : output.sendings) {
      parts_.transport->Send(std::move(sending.message), sending.is_fresh);
    }
    for (const Change& change : output.changes) {
      if (parts_.on_change) {
        parts_.on_change(change.node, change.from, change.to, change.incarnation);
      }
    }
    Arm(output.next_deadline);
  }

  // One timer at a time: an earlier deadline takes the place of the armed one, which then fires for nothing.
  void Arm(MonotonicTime deadline) {
    if (deadline == absl::InfiniteFuture() || deadline >= armed_) return;
    armed_ = deadline;
    executor_.PostAt(deadline, [this, deadline] {
      if (deadline != armed_) return;
      armed_ = absl::InfiniteFuture();
      Step(Tick{});
    });
  }

  void Publish() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MemberTable& table = core_.table();
    std::map<NodeId, MemberView> views;
    for (const auto& [node, member] : table.members()) {
      MemberView& view = views[node];
      view.node = node;
      view.state = member.state;
      view.incarnation = member.incarnation;
      view.changed = member.changed;
      view.last_heard = node == table.self_id() ? parts_.clock->Now() : member.last_heard;
      view.health = member.health;
      view.successors = table.ring().Successors(node);
      view.predecessors = table.ring().Predecessors(node);
    }
    MutexLock lock(&mutex_);
    views_ = std::move(views);
  }

  const Parts parts_;
  RingCore core_;                        // executor only
  MonotonicTime armed_ = absl::InfiniteFuture();
  MonotonicTime next_health_ = absl::InfinitePast();
  ThreadExecutor executor_;
  const std::shared_ptr<Inbox> inbox_;
  mutable Mutex mutex_;
  std::map<NodeId, MemberView> views_ ABSL_GUARDED_BY(mutex_);
};

MembershipHost::MembershipHost(Parts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
MembershipHost::~MembershipHost() = default;
void MembershipHost::Start() { impl_->Start(); }
void MembershipHost::Stop() { impl_->Stop(); }
void MembershipHost::SetMembers(std::vector<MemberAddress> members) {
  impl_->SetMembers(std::move(members));
}
void MembershipHost::ReportRefused(NodeId node) { impl_->ReportRefused(node); }
std::vector<MemberView> MembershipHost::Members() const { return impl_->Members(); }
LivenessState MembershipHost::StateOf(NodeId node) const { return impl_->StateOf(node); }
bool MembershipHost::IsUsable(NodeId node) const { return impl_->IsUsable(node); }

}  // namespace dfs::membership
