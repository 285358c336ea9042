#include "tests/support/workload.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "common/clock.h"
#include "proto/wire_status.h"
#include "tests/support/file_checks.h"
#include "tests/support/raw_calls.h"

namespace dfs::testing {
namespace {

Workload::Fate FateOf(const absl::Status& status) {
  if (status.ok()) return Workload::Fate::kAcknowledged;
  return OutcomeOf(status) == v1::ErrorDetail::NOTHING_CHANGED ? Workload::Fate::kFailed
                                                               : Workload::Fate::kUnknown;
}

}  // namespace

// A file that one writer overwrites again and again. What it may hold: the last acknowledged content, or one of those
// of unknown outcome since then.
struct Workload::Overwritten {
  std::string name;
  std::vector<std::string> allowed;  // empty: it need not exist
  bool may_be_missing = true;
};

Workload::Workload(ProcessCluster& cluster, const Options& options)
    : cluster_(cluster),
      options_(options),
      endpoints_(cluster.Endpoints()),
      last_put_(SystemClock().Now()),
      threads_(std::make_unique<ThreadPool>(
          "workload", static_cast<std::size_t>(options.writers + options.readers))) {
  for (int i = 0; i < options_.writers; ++i) threads_->Post([this, i] { Write(i); });
  for (int i = 0; i < options_.readers; ++i) threads_->Post([this, i] { ReadBack(i); });
}

Workload::~Workload() { Stop(); }

void Workload::Stop() {
  is_stopping_ = true;
  threads_->Stop();
}

std::vector<std::string> Workload::EndpointsFrom(int first) const {
  std::vector<std::string> out = endpoints_;
  std::rotate(out.begin(), out.begin() + first % static_cast<int>(out.size()), out.end());
  return out;
}

void Workload::Write(int writer) {
  client::FileClient client(EndpointsFrom(writer));
  client::FileClient other(EndpointsFrom(writer + 1));
  Random random(options_.seed * 1'000 + static_cast<std::uint64_t>(writer));
  Overwritten file{.name = options_.prefix + "overwritten/" + std::to_string(writer), .allowed = {}};
  for (int number = 0; !is_stopping_; ++number) {
    if (number % 4 == 3) {
      Overwrite(client, other, writer, number, file);
    } else {
      PutNew(client, random, writer, number);
    }
  }
}

void Workload::PutNew(client::FileClient& client, Random& random, int writer, int number) {
  Record record{.name = options_.prefix + "new/" + std::to_string(writer) + "/" + std::to_string(number),
                .seed = random.Next(),
                .size = 0,
                .fate = Fate::kUnknown,
                .error = ""};
  const std::size_t limit = random.OneIn(1, 16)  ? options_.big_bytes
                            : random.OneIn(1, 3) ? options_.big_bytes / 8
                                                 : std::size_t{10'000};
  record.size = static_cast<std::size_t>(random.Below(limit));
  SeededSource source(record.seed, record.size);
  const auto result = client.Put(record.name, source);
  record.fate = FateOf(result.status());
  record.error = result.status().ToString();
  MutexLock lock(&mutex_);
  if (record.fate == Fate::kAcknowledged) {
    RecordAcknowledged();
    acknowledged_.push_back(records_.size());
  }
  records_.push_back(std::move(record));
}

void Workload::Overwrite(client::FileClient& client, client::FileClient& other, int writer,
                         int number, Overwritten& file) {
  const std::string content = std::to_string(number) + " " +
                              MakeBytes(static_cast<std::uint64_t>(writer) * 1'000'000 +
                                            static_cast<std::uint64_t>(number),
                                        static_cast<std::size_t>(number * 97 % 5'000));
  const absl::Status put = Put(client, file.name, content);
  switch (FateOf(put)) {
    case Fate::kAcknowledged: {
      file.allowed = {content};
      file.may_be_missing = false;
      MutexLock lock(&mutex_);
      RecordAcknowledged();
      break;
    }
    case Fate::kUnknown:
      file.allowed.push_back(content);
      break;
    case Fate::kFailed:
      break;
  }
  const auto got = Get(other, file.name);
  const bool is_missing = absl::IsNotFound(got.status());
  if (!got.ok() && !is_missing) return;
  const bool is_right = is_missing ? file.may_be_missing
                                   : std::find(file.allowed.begin(), file.allowed.end(), *got) !=
                                         file.allowed.end();
  if (!is_right) {
    AddViolation(file.name + " after overwrite " + std::to_string(number) + " (" + put.ToString() +
                 ") reads as " + (is_missing ? "missing" : "\"" + got->substr(0, 8) + "...\""));
  }
}

void Workload::ReadBack(int reader) {
  client::FileClient client(EndpointsFrom(reader + 2));
  Random random(options_.seed * 1'000 + 500 + static_cast<std::uint64_t>(reader));
  while (!is_stopping_) {
    Record record;
    {
      MutexLock lock(&mutex_);
      while (acknowledged_.empty() && !is_stopping_) {
        progressed_.WaitFor(&mutex_, absl::Milliseconds(10));
      }
      if (acknowledged_.empty()) return;
      record = records_[acknowledged_[static_cast<std::size_t>(random.Below(acknowledged_.size()))]];
    }
    FingerprintSink sink;
    const auto got = client.Get(record.name, sink);
    if (got.ok() && sink.fingerprint() != FingerprintOfSeeded(record.seed, record.size)) {
      AddViolation(record.name + " was acknowledged and reads wrong");
    } else if (absl::IsNotFound(got.status()) || absl::IsDataLoss(got.status())) {
      AddViolation(record.name + " was acknowledged; now: " + got.status().ToString());
    }
    MutexLock lock(&mutex_);
    ++(got.ok() ? gets_ : failed_gets_);
    progressed_.SignalAll();
  }
}

void Workload::RecordAcknowledged() {
  const absl::Time now = SystemClock().Now();
  longest_pause_ = std::max(longest_pause_, now - last_put_);
  last_put_ = now;
  ++puts_;
  progressed_.SignalAll();
}

void Workload::AddViolation(std::string text) {
  MutexLock lock(&mutex_);
  violations_.push_back(std::move(text));
}

absl::Status Workload::AwaitProgress(int puts, int gets, absl::Duration timeout) {
  const MonotonicTime end = SystemClock().Now() + timeout;
  MutexLock lock(&mutex_);
  const int puts_wanted = puts_ + puts;
  const int gets_wanted = gets_ + gets;
  while (puts_ < puts_wanted || gets_ < gets_wanted) {
    const absl::Duration left = end - SystemClock().Now();
    if (left <= absl::ZeroDuration()) {
      return absl::UnavailableError("too little progress in " + absl::FormatDuration(timeout) +
                                    ": " + std::to_string(puts_wanted - puts_) + " puts and " +
                                    std::to_string(gets_wanted - gets_) + " gets are missing");
    }
    progressed_.WaitFor(&mutex_, left);
  }
  return absl::OkStatus();
}

std::vector<Workload::Record> Workload::Records() const {
  MutexLock lock(&mutex_);
  return records_;
}

std::vector<std::string> Workload::Violations() const {
  MutexLock lock(&mutex_);
  return violations_;
}

int Workload::Count(Fate fate) const {
  MutexLock lock(&mutex_);
  return static_cast<int>(std::count_if(records_.begin(), records_.end(),
                                        [fate](const Record& record) { return record.fate == fate; }));
}

std::string Workload::Summary() const {
  const int failed = Count(Fate::kFailed);
  const int unknown = Count(Fate::kUnknown);
  MutexLock lock(&mutex_);
  std::ostringstream out;
  out << puts_ << " puts acknowledged, " << failed << " failed, " << unknown << " unknown; " << gets_
      << " reads right, " << failed_gets_ << " failed; longest pause "
      << absl::ToInt64Milliseconds(longest_pause_) << " ms";
  return std::move(out).str();
}

absl::Status Workload::Verify(const std::vector<int>& nodes) {
  for (const Record& record : Records()) {
    int found = 0;
    for (const int n : nodes) {
      const auto got = GetAt(cluster_.ClientChannel(n), record.name);
      const std::string where = record.name + " at n" + std::to_string(n);
      if (got.ok()) {
        ++found;
        if (*got != MakeBytes(record.seed, record.size)) return absl::DataLossError(where + " reads wrong");
        if (record.fate == Fate::kFailed) {
          return absl::InternalError(where + " is there, though its put failed: " + record.error);
        }
      } else if (!absl::IsNotFound(got.status())) {
        return absl::Status(got.status().code(), where + ": " + got.status().ToString());
      } else if (record.fate == Fate::kAcknowledged) {
        return absl::DataLossError(where + " was acknowledged and is missing");
      }
    }
    if (found != 0 && found != static_cast<int>(nodes.size())) {
      return absl::InternalError(record.name + " is there for some nodes only");
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::testing
