#include "tests/support/client_history.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "common/checksum.h"
#include "common/clock.h"
#include "common/random.h"
#include "proto/error_detail.h"
#include "tests/support/linearizability.h"

namespace dfs::testing {
namespace {

using Action = ClientHistory::Action;
using Fate = ClientHistory::Fate;

const char* NameOf(Action action) {
  switch (action) {
    case Action::kPut:
      return "put";
    case Action::kRemove:
      return "remove";
    case Action::kGet:
      return "get";
    case Action::kStat:
      return "stat";
  }
  return "?";
}

absl::Status Violation(const std::string& text) { return absl::FailedPreconditionError(text); }

}  // namespace

Fate ClientHistory::FateOf(const absl::Status& status) {
  if (status.ok()) return Fate::kDone;
  return OutcomeOf(status) == v1::ErrorDetail::NOTHING_CHANGED ? Fate::kFailed : Fate::kUnknown;
}

ClientHistory::ClientHistory() : began_(SystemClock().Now()) {}

std::pair<std::uint64_t, std::string> ClientHistory::NewContent(const std::string& name,
                                                                std::size_t size) {
  MutexLock lock(&mutex_);
  const std::uint64_t value = ++last_value_;
  std::string bytes = std::to_string(value) + "\n";
  const std::size_t head = bytes.size();
  bytes.resize(std::max(size, head));
  Random random(value);
  for (std::size_t at = head; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.Next();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
  }
  contents_.emplace(Xxh3(bytes.data(), bytes.size()), std::pair(value, name));
  return {value, std::move(bytes)};
}

ClientHistory::Call ClientHistory::Begin(int client, std::string name, Action action,
                                         std::uint64_t value) {
  Call call{client, std::move(name), action, value, 0, SystemClock().Now() - began_};
  call.start = next_tick_.fetch_add(1);  // last: nothing of the call has happened before
  return call;
}

ClientHistory::Operation ClientHistory::Ended(const Call& call) {
  Operation operation;
  operation.end = next_tick_.fetch_add(1);  // first: all of the call has happened before
  operation.end_time = SystemClock().Now() - began_;
  operation.call = call;
  return operation;
}

void ClientHistory::Record(Operation operation) {
  ++counts_.operations;
  const bool is_read = operation.call.action == Action::kGet ||
                       operation.call.action == Action::kStat ||
                       (operation.call.action == Action::kRemove && operation.value == 0);
  if (operation.fate == Fate::kUnknown) {
    ++counts_.unknown;
  } else if (operation.fate == Fate::kFailed) {
    ++counts_.failed;
  } else if (is_read) {
    ++counts_.reads;
  } else {
    ++(operation.call.action == Action::kPut ? counts_.puts : counts_.removes);
    counts_.longest_pause = std::max(counts_.longest_pause, operation.end_time - last_change_);
    last_change_ = std::max(last_change_, operation.end_time);
  }
  operations_[operation.call.name].push_back(std::move(operation));
}

void ClientHistory::EndPut(const Call& call, Fate fate, std::uint64_t version) {
  Operation operation = Ended(call);
  operation.fate = fate;
  operation.value = call.value;
  operation.version = version;
  MutexLock lock(&mutex_);
  Record(std::move(operation));
}

void ClientHistory::EndRemove(const Call& call, const absl::Status& status,
                              std::uint64_t version) {
  Operation operation = Ended(call);
  operation.version = version;
  if (absl::IsNotFound(status)) {
    operation.value = 0;
  } else {
    operation.fate = FateOf(status);
  }
  MutexLock lock(&mutex_);
  Record(std::move(operation));
}

void ClientHistory::EndRead(const Call& call, const std::optional<Hash128>& hash,
                            std::uint64_t version) {
  Operation operation = Ended(call);
  operation.version = version;
  operation.value = 0;
  MutexLock lock(&mutex_);
  if (hash) {
    const auto content = contents_.find(*hash);
    if (content == contents_.end() || content->second.second != call.name) {
      violations_.push_back(call.name + ": " + NameOf(call.action) + " by client " +
                            std::to_string(call.client) + " showed " +
                            (content == contents_.end() ? "bytes that nobody put anywhere"
                                                        : "the content of " + content->second.second));
      return;
    }
    operation.value = content->second.first;
  }
  Record(std::move(operation));
}

void ClientHistory::EndUnanswered(const Call& /*call*/) {
  MutexLock lock(&mutex_);
  ++counts_.unanswered;
}

absl::Status ClientHistory::CheckVersions(
    const Operations& operations, std::map<std::uint64_t, std::uint64_t>& value_of_version) {
  std::map<std::uint64_t, std::uint64_t> version_of_value;
  std::vector<const Operation*> puts;
  for (const Operation& op : operations) {
    if (op.version == 0 || op.call.action == Action::kRemove) continue;
    const auto value = value_of_version.emplace(op.version, *op.value).first;
    const auto version = version_of_value.emplace(*op.value, op.version).first;
    if (value->second != *op.value || version->second != op.version) {
      return Violation("two contents have one version, or one has two: " + DescribeOperation(op));
    }
    if (op.call.action == Action::kPut) puts.push_back(&op);
  }
  std::vector<const Operation*> by_end = puts;
  std::sort(by_end.begin(), by_end.end(), [](const auto* a, const auto* b) { return a->end < b->end; });
  std::sort(puts.begin(), puts.end(),
            [](const auto* a, const auto* b) { return a->call.start < b->call.start; });
  const Operation* newest = nullptr;
  auto ended = by_end.begin();
  for (const Operation* put : puts) {
    for (; ended != by_end.end() && (*ended)->end < put->call.start; ++ended) {
      if (newest == nullptr || newest->version < (*ended)->version) newest = *ended;
    }
    if (newest != nullptr && newest->version >= put->version) {
      return Violation("versions do not grow: " + DescribeOperation(*newest) + "; then " +
                       DescribeOperation(*put));
    }
  }
  return absl::OkStatus();
}

absl::Status ClientHistory::CheckFile(const Operations& operations) {
  std::map<std::uint64_t, std::uint64_t> value_of_version;
  if (auto status = CheckVersions(operations, value_of_version); !status.ok()) return status;
  std::set<std::uint64_t> failed;
  for (const Operation& op : operations) {
    if (op.call.action == Action::kPut && op.fate == Fate::kFailed) failed.insert(op.call.value);
  }
  std::vector<RegisterOperation> history;
  for (const Operation& op : operations) {
    if (op.fate == Fate::kFailed) continue;
    RegisterOperation out;
    out.client = op.call.client;
    out.start = op.call.start;
    out.end = op.end;
    out.is_outcome_unknown = op.fate == Fate::kUnknown;
    const bool is_removal = op.call.action == Action::kRemove && op.value != 0;
    out.kind = is_removal || op.call.action == Action::kPut ? RegisterOperation::Kind::kWrite
                                                            : RegisterOperation::Kind::kRead;
    out.value = is_removal ? 0 : *op.value;
    if (is_removal) {
      const auto replaced = value_of_version.find(op.version);
      if (replaced != value_of_version.end()) out.over = replaced->second;
    }
    const std::uint64_t seen = is_removal ? out.over.value_or(0) : out.value;
    if (seen != 0 && op.call.action != Action::kPut && failed.contains(seen)) {
      return Violation("the content of a put that had failed for good was seen: " +
                       DescribeOperation(op));
    }
    history.push_back(out);
  }
  return CheckLinearizable(std::move(history));
}

absl::Status ClientHistory::Check() const {
  MutexLock lock(&mutex_);
  if (!violations_.empty()) {
    return Violation(violations_.front() + " (and " + std::to_string(violations_.size() - 1) +
                     " more like it)");
  }
  for (const auto& [name, operations] : operations_) {
    const absl::Status status = CheckFile(operations);
    if (!status.ok()) return absl::Status(status.code(), name + ": " + std::string(status.message()));
  }
  return absl::OkStatus();
}

std::string ClientHistory::DescribeOperation(const Operation& operation) {
  std::ostringstream out;
  out << "[" << operation.call.start << ", " << operation.end << "] "
      << absl::ToInt64Milliseconds(operation.call.start_time) << " to "
      << absl::ToInt64Milliseconds(operation.end_time) << " ms, client " << operation.call.client << ": "
      << NameOf(operation.call.action);
  if (operation.value == 0) {
    out << " finds nothing";
  } else if (operation.value) {
    out << " content " << *operation.value;
  }
  if (operation.version != 0) out << " version " << operation.version;
  if (operation.fate != Fate::kDone) {
    out << (operation.fate == Fate::kFailed ? ", failed for good" : ", outcome unknown");
  }
  return std::move(out).str();
}

std::string ClientHistory::Describe(std::string_view name) const {
  MutexLock lock(&mutex_);
  const auto found = operations_.find(name);
  if (found == operations_.end()) return "";
  Operations sorted = found->second;
  std::sort(sorted.begin(), sorted.end(), [](const Operation& a, const Operation& b) {
    return a.call.start < b.call.start;
  });
  std::string out;
  for (const Operation& operation : sorted) out += DescribeOperation(operation) + "\n";
  return out;
}

std::vector<std::string> ClientHistory::Names() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> out;
  for (const auto& [name, operations] : operations_) out.push_back(name);
  return out;
}

ClientHistory::Counts ClientHistory::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

std::string ClientHistory::Summary() const {
  const Counts c = counts();
  std::ostringstream out;
  out << c.operations << " operations (" << c.puts << " puts, " << c.removes << " removes, " << c.reads
      << " reads; " << c.failed << " changes failed, " << c.unknown << " of unknown outcome, "
      << c.unanswered << " more reads without answer), longest pause between changes "
      << absl::ToInt64Milliseconds(c.longest_pause) << " ms";
  return std::move(out).str();
}

}  // namespace dfs::testing
