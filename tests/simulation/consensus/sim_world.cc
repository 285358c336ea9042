#include "tests/simulation/consensus/sim_world.h"

#include <algorithm>
#include <utility>

namespace dfs::consensus {
namespace {

constexpr std::size_t kTraceLinesMax = 400;

}  // namespace

SimWorld::SimWorld(std::uint64_t seed, bool keeps_trace)
    : keeps_trace_(keeps_trace), random_(seed * 0x9E3779B97F4A7C15ULL + 1) {}

void SimWorld::At(MonotonicTime when, absl::AnyInvocable<void()> what) {
  if (when == absl::InfiniteFuture()) return;
  events_.push_back(Event{std::max(when, now_), ++order_, std::move(what)});
  std::push_heap(events_.begin(), events_.end(), IsLater);
}

absl::Duration SimWorld::Uniform(absl::Duration low, absl::Duration high) {
  return absl::Microseconds(
      random_.Between(absl::ToInt64Microseconds(low), absl::ToInt64Microseconds(high)));
}

void SimWorld::RunUntil(MonotonicTime end) {
  while (!events_.empty() && !has_failed() && events_.front().when <= end) {
    std::pop_heap(events_.begin(), events_.end(), IsLater);
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.when;
    ++step_;
    event.what();
  }
  if (!has_failed()) now_ = std::max(now_, end);
}

void SimWorld::Fail(const std::string& what) {
  if (has_failed()) return;
  failure_ = what;
  failed_at_step_ = step_;
}

void SimWorld::Trace(std::string line) {
  trace_.push_back(absl::FormatDuration(now_ - absl::UnixEpoch() - absl::Hours(1)) + " " +
                   std::move(line));
  if (trace_.size() > kTraceLinesMax) trace_.pop_front();
}

}  // namespace dfs::consensus
