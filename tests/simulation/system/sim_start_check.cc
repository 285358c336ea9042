#include "tests/simulation/system/sim_start_check.h"

#include <utility>

#include "tests/simulation/system/sim_node.h"

namespace dfs::simulation {
namespace {

namespace start_check = replicated_log::start_check;

constexpr absl::Duration kAskTimeout = absl::Seconds(1);

replicated_log::StartCheckOptions OptionsOf(const Asker& self) {
  replicated_log::StartCheckOptions options;
  options.self = self.node;
  options.own_address = self.address;
  return options;
}

}  // namespace

SimStartCheck::SimStartCheck(Parts parts)
    : parts_(std::move(parts)),
      core_(OptionsOf(parts_.self)),
      executor_("find-peers", *parts_.clock) {}

void SimStartCheck::Start(replicated_log::LogPosition position,
                          consensus::Configuration configuration, std::set<std::string> join) {
  Post(start_check::Begin{position, std::move(configuration), std::move(join)});
}
void SimStartCheck::Reconfigure(consensus::Configuration configuration) {
  Post(start_check::Reconfigured{std::move(configuration)});
}
void SimStartCheck::AskedBy(const Asker& asker) {
  Post(start_check::AskedBy{asker.node, asker.address});
}
void SimStartCheck::LeaderMissing() { Post(start_check::LeaderMissing{}); }

void SimStartCheck::Post(replicated_log::StartCheckInput input) {
  executor_.Post([this, input = std::move(input)]() mutable { Step(std::move(input)); });
}

void SimStartCheck::Step(replicated_log::StartCheckInput input) {
  if (is_over_) return;
  auto out = core_.Step(parts_.clock->Now(), std::move(input));
  if (out.rolled_back) {
    is_over_ = true;
    parts_.on_rolled_back(*std::move(out.rolled_back));
    return;
  }
  for (const auto& address : out.ask) Ask(address);
  if (out.newer_members) parts_.on_newer_members(*out.newer_members);
  if (out.is_released) parts_.on_released();
  Arm(out.next_deadline);
}

void SimStartCheck::Ask(const std::string& address) {
  parts_.dialer->wire()->Call<replicated_log::Greeting>(
      parts_.dialer->OwnMachine(), MachineAt(address), NodeId(), kAskTimeout,
      [self = parts_.self](SimNode& node,
                           absl::AnyInvocable<void(absl::StatusOr<replicated_log::Greeting>)>
                               answer) { answer(node.Greet(self)); },
      [this, address](absl::StatusOr<replicated_log::Greeting> greeting) {
        executor_.Post([this, address, greeting = std::move(greeting)] {
          if (greeting.ok()) {
            Step(start_check::Answered{address, *greeting, parts_.position()});
          } else {
            Step(start_check::Failed{address});
          }
        });
      });
}

void SimStartCheck::Arm(MonotonicTime deadline) {
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  executor_.PostAt(deadline, [this, deadline] {
    if (armed_for_ != deadline) return;
    armed_for_ = absl::InfiniteFuture();
    Step(start_check::Tick{});
  });
}

}  // namespace dfs::simulation
