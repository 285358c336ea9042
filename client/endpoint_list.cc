#include "client/endpoint_list.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace dfs::client {
namespace {

constexpr std::size_t kAddressBytesMax = 300;

bool IsEndpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.size() > kAddressBytesMax) {
    return false;
  }
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5) return false;
  int number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + (c - '0');
  }
  if (number == 0 || number > 65'535) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](char c) { return c > ' ' && c != ',' && c != '/' && c != 0x7F; });
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseEndpoints(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string one(list.substr(0, comma));
    if (!IsEndpoint(one)) {
      return absl::InvalidArgumentError("not an endpoint (host:port): \"" + one + "\"");
    }
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  if (out.empty()) return absl::InvalidArgumentError("no endpoint (host:port) is given");
  if (out.size() > EndpointList::kEndpointsMax) {
    return absl::InvalidArgumentError("more than 64 endpoints are given");
  }
  return out;
}

EndpointList::EndpointList(std::vector<std::string> given) {
  CHECK(!given.empty());
  for (auto& address : given) {
    Entry entry;
    entry.address = std::move(address);
    entries_.push_back(std::move(entry));
  }
}

void EndpointList::Learn(const std::string& address) {
  if (entries_.size() >= kEndpointsMax || !IsEndpoint(address)) return;
  const bool is_known = std::any_of(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.address == address; });
  if (is_known) return;
  Entry entry;
  entry.address = address;
  entries_.push_back(std::move(entry));
}

std::size_t EndpointList::Choose(MonotonicTime now) const {
  std::size_t soonest = current_;
  for (std::size_t step = 0; step < entries_.size(); ++step) {
    const std::size_t index = (current_ + step) % entries_.size();
    if (entries_[index].pass_over_until <= now) return index;
    if (entries_[index].pass_over_until < entries_[soonest].pass_over_until) soonest = index;
  }
  return soonest;
}

void EndpointList::RecordDead(std::size_t index, MonotonicTime now) {
  Entry& entry = entries_[index];
  absl::Duration pass_over = kPassOverFirst * (std::int64_t{1} << std::min(entry.failures, 10));
  entry.pass_over_until = now + std::min(pass_over, kPassOverMax);
  ++entry.failures;
  RecordUnable(index);
}

void EndpointList::RecordUnable(std::size_t index) {
  // Several threads may report the same: only the first moves on.
  if (index == current_) current_ = (index + 1) % entries_.size();
}

void EndpointList::RecordAlive(std::size_t index) {
  entries_[index].failures = 0;
  entries_[index].pass_over_until = absl::InfinitePast();
  current_ = index;
}

}  // namespace dfs::client
