// The network between machines: datagrams that may be lost, and calls that end one way or another.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_WIRE_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_WIRE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/sync.h"
#include "proto/error_detail.h"
#include "tests/simulation/system/fiber_scheduler.h"

namespace dfs::simulation {

class SimNode;

inline constexpr std::int64_t kMicrosecond = 1'000;  // in ns
inline constexpr std::int64_t kMillisecond = 1'000'000;
inline constexpr int kClientsMachine = 0;  // on the wire
inline constexpr int kNowhere = -1;
// Where a call to this machine goes; 0: it is not known, and refuses.
inline int DialledMachine(int machine) { return machine == 0 ? kNowhere : machine; }

// Odds in thousandths.
struct WireOdds {
  std::uint64_t lose = 0;       // a datagram; of a call: the connection breaks
  std::uint64_t duplicate = 0;  // a datagram
  std::uint64_t delay = 0;      // by up to 3 s
};

struct WireCounts {
  std::uint64_t datagrams = 0;
  std::uint64_t calls = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t delayed = 0;
};

// Machines are numbered from 1; 0 stands for all clients.
class SimWire {
 public:
  explicit SimWire(FiberScheduler* scheduler) : scheduler_(scheduler) {}

  // What answers at the machine now; null: connections are refused.
  void SetNode(int machine, SimNode* node, std::shared_ptr<SimProcess> process);
  // The process died: calls that wait for it end with an unknown outcome.
  void Break(const SimProcess* process);
  void SetOdds(const WireOdds& odds) { odds_ = odds; }
  void Cut(int from, int to) { cut_.insert({from, to}); }
  void Heal() { cut_.clear(); }
  [[nodiscard]] bool IsCut(int from, int to) const { return cut_.contains({from, to}); }
  [[nodiscard]] const WireCounts& counts() const { return counts_; }

  // `deliver` runs on a fiber of the machine's process, perhaps twice or never; `refused` (may be null) on one of the
  // caller's if nobody listens there.
  void Send(int from, int to, NodeId expected, std::function<void(SimNode&)> deliver,
            std::function<void()> refused);

  // `handle` runs on a fiber of the machine and answers once, then or later, from any fiber; `done` runs once on a
  // fiber of the caller. Errors: kUnavailable, with what is known of the outcome; kDeadlineExceeded.
  template <class Response>
  void Call(int from, int to, NodeId expected, absl::Duration timeout,
            std::function<void(SimNode&, absl::AnyInvocable<void(absl::StatusOr<Response>)>)> handle,
            absl::AnyInvocable<void(absl::StatusOr<Response>)> done);
  // The same, blocking both sides.
  template <class Response>
  absl::StatusOr<Response> Ask(int from, int to, NodeId expected, absl::Duration timeout,
                               std::function<absl::StatusOr<Response>(SimNode&)> handle);

 private:
  struct OpenCall {
    std::function<void(absl::Status)> fail;
    bool is_over = false;
  };
  struct Machine {
    SimNode* node = nullptr;
    std::shared_ptr<SimProcess> process;
  };
  [[nodiscard]] std::int64_t Latency(bool may_delay);
  [[nodiscard]] SimNode* NodeAt(int machine, NodeId expected) const;
  [[nodiscard]] static absl::Status Unreachable(bool is_sent);
  [[nodiscard]] std::shared_ptr<SimProcess> ProcessOf(int machine) const;

  FiberScheduler* const scheduler_;
  WireOdds odds_;
  WireCounts counts_;
  std::set<std::pair<int, int>> cut_;
  std::map<int, Machine> machines_;
  // Calls whose answer is awaited from a process; those that are over go now and then.
  std::map<std::uint64_t, std::pair<const SimProcess*, std::shared_ptr<OpenCall>>> open_;
  std::uint64_t next_call_ = 1;
};

template <class Response>
void SimWire::Call(
    int from, int to, NodeId expected, absl::Duration timeout,
    std::function<void(SimNode&, absl::AnyInvocable<void(absl::StatusOr<Response>)>)> handle,
    absl::AnyInvocable<void(absl::StatusOr<Response>)> done) {
  ++counts_.calls;
  auto call = std::make_shared<OpenCall>();
  auto answer = std::make_shared<absl::AnyInvocable<void(absl::StatusOr<Response>)>>(std::move(done));
  const auto caller = scheduler_->process();
  const std::uint64_t number = next_call_++;
  const auto finish = [this, call, answer, caller, number](absl::StatusOr<Response> response) {
    if (call->is_over) return;
    call->is_over = true;
    open_.erase(number);
    if (caller->is_dead) return;
    scheduler_->Spawn(caller, [answer, response = std::move(response)]() mutable {
      (*answer)(std::move(response));
      *answer = nullptr;
    });
  };
  call->fail = [finish](const absl::Status& status) { finish(status); };
  scheduler_->CallAfter(absl::ToInt64Nanoseconds(std::min(timeout, absl::Minutes(1))), [finish] {
    finish(absl::DeadlineExceededError("no answer in time"));
  });
  if (scheduler_->random().Below(1000) < odds_.lose) {
    ++counts_.lost;
    scheduler_->CallAfter(Latency(false), [finish] { finish(Unreachable(true)); });
    return;
  }
  scheduler_->CallAfter(Latency(true), [this, from, to, expected, handle = std::move(handle), call,
                                        finish, number] {
    if (IsCut(from, to)) return;
    SimNode* const node = NodeAt(to, expected);
    if (node == nullptr) {
      if (IsCut(to, from)) return;
      scheduler_->CallAfter(Latency(false), [finish] { finish(Unreachable(false)); });
      return;
    }
    const auto server = ProcessOf(to);
    if (!call->is_over) open_[number] = {server.get(), call};
    scheduler_->Spawn(server, [this, from, to, handle, node, finish] {
      handle(*node, [this, from, to, finish](absl::StatusOr<Response> response) {
        const bool is_lost = scheduler_->random().Below(1000) < odds_.lose;
        scheduler_->CallAfter(Latency(true), [this, from, to, finish, is_lost,
                                              response = std::move(response)] {
          if (IsCut(to, from)) return;
          if (is_lost) {
            ++counts_.lost;
            finish(Unreachable(true));
          } else {
            finish(response);
          }
        });
      });
    });
  });
}

template <class Response>
absl::StatusOr<Response> SimWire::Ask(int from, int to, NodeId expected, absl::Duration timeout,
                                      std::function<absl::StatusOr<Response>(SimNode&)> handle) {
  struct Waiting {
    Event event;
    absl::StatusOr<Response> response = absl::UnknownError("");
  };
  const auto waiting = std::make_shared<Waiting>();
  Call<Response>(
      from, to, expected, timeout,
      [handle = std::move(handle)](SimNode& node,
                                   absl::AnyInvocable<void(absl::StatusOr<Response>)> answer) {
        answer(handle(node));
      },
      [waiting](absl::StatusOr<Response> response) {
        waiting->response = std::move(response);
        waiting->event.Set();
      });
  waiting->event.Wait();
  return waiting->response;
}

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_WIRE_H_
