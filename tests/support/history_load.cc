#include "tests/support/history_load.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "proto/wire_status.h"
#include "tests/support/raw_calls.h"

namespace dfs::testing {
namespace {

using Action = ClientHistory::Action;

// A pinned client whose node does not answer asks again after so long.
constexpr absl::Duration kAskAgainAfter = absl::Milliseconds(20);

std::optional<Hash128> HashOf(const v1::FileInfo& file) {
  Hash128 hash;
  if (file.content_hash().size() != 16) return std::nullopt;
  for (int i = 0; i < 16; ++i) {
    auto& half = i < 8 ? hash.high : hash.low;
    half = half << 8 | static_cast<unsigned char>(file.content_hash()[static_cast<std::size_t>(i)]);
  }
  return hash;
}

}  // namespace

HistoryLoad::HistoryLoad(const std::shared_ptr<ClientHistory>& history, ProcessCluster& cluster,
                         const Options& options)
    : history_(history),
      cluster_(cluster),
      options_(options),
      endpoints_(cluster.Endpoints()),
      threads_("history", static_cast<std::size_t>(options.clients) + endpoints_.size()) {
  for (int i = 0; i < options_.clients; ++i) threads_.Post([this, i] { Wander(i); });
  if (!options_.has_pinned) return;
  for (const int node : cluster.Running()) {
    threads_.Post([this, number = options_.clients + node, node] { StayAt(number, node); });
  }
}

HistoryLoad::~HistoryLoad() { Stop(); }

void HistoryLoad::Stop() {
  stopping_.Set();
  threads_.Stop();
}

std::string HistoryLoad::ChooseName(Random& random) const {
  const auto names = static_cast<std::uint64_t>(options_.names);
  const std::uint64_t hot = std::max<std::uint64_t>(1, names / 10);
  return "shared/" + std::to_string(random.Below(random.OneIn(1, 2) ? hot : names));
}

void HistoryLoad::Wander(int number) {
  std::vector<std::string> endpoints = endpoints_;
  std::rotate(endpoints.begin(), endpoints.begin() + number % static_cast<int>(endpoints.size()), endpoints.end());
  client::FileClient client(endpoints);
  Random random(options_.seed * 1'000 + static_cast<std::uint64_t>(number));
  while (!stopping_.IsSet()) {
    const std::string name = ChooseName(random);
    const std::uint64_t dice = random.Below(100);
    if (dice < 35) {
      Put(client, number, name, random);
    } else if (dice < 47) {
      Remove(client, number, name);
    } else if (dice < 60) {
      Stat(client, number, name);
    } else {
      Get(client, number, name);
    }
  }
}

void HistoryLoad::Put(client::FileClient& client, int number, const std::string& name, Random& random) {
  const std::size_t size = random.Below(random.OneIn(1, 32) ? options_.big_bytes : 600);
  auto [value, bytes] = history_->NewContent(name, size);
  client::StringSource source(std::move(bytes));
  const auto call = history_->Begin(number, name, Action::kPut, value);
  const auto result = client.Put(name, source);
  history_->EndPut(call, ClientHistory::FateOf(result.status()), result.ok() ? result->info().version() : 0);
}

void HistoryLoad::Remove(client::FileClient& client, int number, const std::string& name) {
  const auto call = history_->Begin(number, name, Action::kRemove);
  const auto result = client.Remove(name);
  history_->EndRemove(call, result.status(), result.value_or(0));
}

void HistoryLoad::Get(client::FileClient& client, int number, const std::string& name) {
  client::StringSink sink;
  const auto call = history_->Begin(number, name, Action::kGet);
  const auto result = client.Get(name, sink);
  if (result.ok()) {
    history_->EndRead(call, Xxh3(sink.bytes().data(), sink.bytes().size()), result->version());
  } else if (absl::IsNotFound(result.status())) {
    history_->EndRead(call, std::nullopt, 0);
  } else {
    history_->EndUnanswered(call);
  }
}

void HistoryLoad::Stat(client::FileClient& client, int number, const std::string& name) {
  const auto call = history_->Begin(number, name, Action::kStat);
  const auto result = client.Stat(name);
  if (result.ok()) {
    history_->EndRead(call, HashOf(*result).value_or(Hash128()), result->version());
  } else if (absl::IsNotFound(result.status())) {
    history_->EndRead(call, std::nullopt, 0);
  } else {
    history_->EndUnanswered(call);
  }
}

bool HistoryLoad::ReadAt(int number, const std::shared_ptr<grpc::Channel>& channel,
                         const std::string& name, Action action) {
  const auto call = history_->Begin(number, name, action);
  absl::Status status;
  std::optional<Hash128> hash;
  std::uint64_t version = 0;
  if (action == Action::kStat) {
    const auto info = StatAt(channel, name, options_.pinned_reads);
    status = info.status();
    if (info.ok()) {
      hash = HashOf(*info).value_or(Hash128());
      version = info->version();
    }
  } else {
    const auto bytes = GetAt(channel, name, options_.pinned_reads);
    status = bytes.status();
    if (bytes.ok()) hash = Xxh3(bytes->data(), bytes->size());
  }
  if (!status.ok() && !absl::IsNotFound(status)) {
    history_->EndUnanswered(call);
    return false;
  }
  history_->EndRead(call, hash, version);
  return true;
}

void HistoryLoad::StayAt(int number, int node) {
  const std::shared_ptr<grpc::Channel> channel = cluster_.ClientChannel(node);
  Random random(options_.seed * 1'000 + static_cast<std::uint64_t>(number));
  while (!stopping_.IsSet()) {
    const Action action = random.OneIn(1, 2) ? Action::kGet : Action::kStat;
    if (!ReadAt(number, channel, ChooseName(random), action)) stopping_.WaitFor(kAskAgainAfter);
  }
}

absl::Status HistoryLoad::AwaitOperations(std::uint64_t operations, absl::Duration timeout) {
  return Await(&ClientHistory::Counts::operations, operations, "operations", timeout);
}

absl::Status HistoryLoad::AwaitPuts(std::uint64_t puts, absl::Duration timeout) {
  return Await(&ClientHistory::Counts::puts, puts, "puts", timeout);
}

absl::Status HistoryLoad::Await(std::uint64_t ClientHistory::Counts::*count, std::uint64_t more,
                                const std::string& what, absl::Duration timeout) {
  const std::uint64_t before = history_->counts().*count;
  std::uint64_t come = 0;
  const absl::Status status = ProcessCluster::Await(absl::StrCat(more, " more ", what), timeout, [&] {
    come = history_->counts().*count - before;
    return come >= more;
  });
  return status.ok() ? status : absl::UnavailableError(absl::StrCat(status.message(), "; ", come, " have come"));
}

absl::Status HistoryLoad::ReadAll(const std::vector<int>& nodes, Action action) {
  for (const int node : nodes) {
    for (const std::string& name : history_->Names()) {
      if (!ReadAt(options_.clients + node, cluster_.ClientChannel(node), name, action)) {
        return absl::UnavailableError(absl::StrCat(name, " cannot be read at n", node));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::testing
