#include "tests/support/ordered_history.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs::testing {
namespace {

// Of a bucket with these, all that was there at any time: state k is the one after k changes.
class Timelines {
 public:
  Timelines() { buckets_["default"][0] = true; }

  void Note(const ReferenceFiles& files, const DecidedChange& change, std::size_t state) {
    const auto bucket = files.buckets().find(change.bucket);
    const bool is_there = bucket != files.buckets().end();
    buckets_[change.bucket][state] = is_there;
    for (const std::string& name : files.touched()) {
      HeldVersions& held = files_[change.bucket][name][state];
      if (!is_there) continue;
      if (const auto at = bucket->second.files.find(name); at != bucket->second.files.end()) {
        held = at->second;
      }
    }
  }

  [[nodiscard]] bool HasBucket(const std::string& bucket, std::size_t state) const {
    const auto found = buckets_.find(bucket);
    if (found == buckets_.end()) return false;
    const auto after = found->second.upper_bound(state);
    return after != found->second.begin() && std::prev(after)->second;
  }

  // Null: nothing was there.
  [[nodiscard]] const HeldVersions* Find(const std::string& bucket, const std::string& name,
                                         std::size_t state) const {
    const auto names = files_.find(bucket);
    if (names == files_.end()) return nullptr;
    const auto found = names->second.find(name);
    return found == names->second.end() ? nullptr : At(found->second, state);
  }

  [[nodiscard]] std::map<std::string, FileVersion> List(const std::string& bucket,
                                                        const std::string& prefix,
                                                        std::size_t state) const {
    std::map<std::string, FileVersion> listed;
    const auto names = files_.find(bucket);
    if (names == files_.end()) return listed;
    for (const auto& [name, line] : names->second) {
      const HeldVersions* const held = At(line, state);
      if (held != nullptr && name.rfind(prefix, 0) == 0) listed[name] = held->front();
    }
    return listed;
  }

 private:
  using Line = std::map<std::size_t, HeldVersions>;
  static const HeldVersions* At(const Line& line, std::size_t state) {
    const auto after = line.upper_bound(state);
    if (after == line.begin() || std::prev(after)->second.empty()) return nullptr;
    return &std::prev(after)->second;
  }

  std::map<std::string, std::map<std::size_t, bool>> buckets_;
  std::map<std::string, std::map<std::string, Line>> files_;
};

// Whether the read may have seen this state.
bool Fits(const SeenRead& read, const Timelines& lines, std::size_t state) {
  if (read.kind == SeenRead::Kind::kNoBucket) return !lines.HasBucket(read.bucket, state);
  if (read.kind == SeenRead::Kind::kList) {
    const bool is_there = lines.HasBucket(read.bucket, state);
    if (!is_there || !read.listed) return is_there == read.listed.has_value();
    return lines.List(read.bucket, read.name, state) == *read.listed;
  }
  const HeldVersions* const held = lines.Find(read.bucket, read.name, state);
  if (!read.version) {
    return held == nullptr ? !read.found : read.found && held->front() == *read.found;
  }
  const FileVersion* wanted = nullptr;
  for (std::size_t i = 0; held != nullptr && i < held->size(); ++i) {
    if ((*held)[i].number == *read.version) wanted = &(*held)[i];
  }
  return wanted == nullptr ? !read.found : read.found && *wanted == *read.found;
}

std::string ToText(const SeenRead& read) {
  std::string text =
      absl::StrCat("client ", read.client, read.is_strong ? " read " : " read eventually ",
                   read.bucket, ":", read.name);
  if (read.version) absl::StrAppend(&text, " version ", *read.version);
  absl::StrAppend(&text, " in [", read.start, ", ", read.end, "]: ");
  if (read.kind == SeenRead::Kind::kNoBucket) return text + "no such bucket";
  if (read.kind == SeenRead::Kind::kFile)
    return text + (read.found ? ToText(*read.found) : "nothing");
  if (!read.listed) return text + "no such bucket";
  for (const auto& [name, version] : *read.listed)
    absl::StrAppend(&text, name, " ", ToText(version), "; ");
  return absl::StrCat(text, "applied ", read.applied_index);
}

std::string Describe(const SeenRead& read, const Timelines& lines, std::size_t state) {
  if (!lines.HasBucket(read.bucket, state)) return "no such bucket";
  if (read.kind == SeenRead::Kind::kFile) {
    std::string text;
    const HeldVersions* const held = lines.Find(read.bucket, read.name, state);
    for (std::size_t i = 0; held != nullptr && i < held->size(); ++i) {
      absl::StrAppend(&text, ToText((*held)[i]), "; ");
    }
    return text.empty() ? "nothing" : text;
  }
  std::string text;
  for (const auto& [name, version] : lines.List(read.bucket, read.name, state)) {
    absl::StrAppend(&text, name, " ", ToText(version), "; ");
  }
  return text;
}

// The order of the changes, and what time says about it.
class Order {
 public:
  explicit Order(std::vector<DecidedChange> changes) : changes_(std::move(changes)) {
    std::sort(changes_.begin(), changes_.end(),
              [](const auto& a, const auto& b) { return a.log_index < b.log_index; });
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i].end != DecidedChange::kNever) by_end_.emplace_back(changes_[i].end, i + 1);
      by_start_.emplace_back(changes_[i].start, i);
    }
    std::sort(by_end_.begin(), by_end_.end());
    std::sort(by_start_.begin(), by_start_.end());
    for (std::size_t i = 1; i < by_end_.size(); ++i) {
      by_end_[i].second = std::max(by_end_[i].second, by_end_[i - 1].second);
    }
    for (std::size_t i = by_start_.size(); i-- > 1;) {
      by_start_[i - 1].second = std::min(by_start_[i - 1].second, by_start_[i].second);
    }
  }

  [[nodiscard]] const std::vector<DecidedChange>& changes() const { return changes_; }

  // One entry decides one change, and what was answered before another was asked comes before it.
  [[nodiscard]] absl::Status Check() const {
    std::size_t latest = 0;  // of those so far the one that was asked last
    for (std::size_t i = 1; i < changes_.size(); ++i) {
      const DecidedChange& change = changes_[i];
      if (change.log_index == changes_[i - 1].log_index) {
        return absl::FailedPreconditionError(
            absl::StrCat("one entry decided two changes: ", testing::ToText(change), "; ",
                         testing::ToText(changes_[i - 1])));
      }
      if (change.end < changes_[latest].start) {
        return absl::FailedPreconditionError(absl::StrCat(
            testing::ToText(change),
            ": an earlier entry was asked for later: ", testing::ToText(changes_[latest])));
      }
      if (change.start > changes_[latest].start) latest = i;
    }
    return absl::OkStatus();
  }
  // The first state that holds all that was answered before `time`.
  [[nodiscard]] std::size_t FirstAt(std::int64_t time) const {
    const auto after =
        std::lower_bound(by_end_.begin(), by_end_.end(), std::pair(time, std::size_t{0}));
    return after == by_end_.begin() ? 0 : std::prev(after)->second;
  }
  // The last state without anything that was asked for after `time`.
  [[nodiscard]] std::size_t LastAt(std::int64_t time) const {
    const auto after = std::upper_bound(by_start_.begin(), by_start_.end(),
                                        std::pair(time, std::numeric_limits<std::size_t>::max()));
    return after == by_start_.end() ? changes_.size() : after->second;
  }
  [[nodiscard]] std::size_t StateOf(std::uint64_t log_index) const {
    const auto after = std::upper_bound(
        changes_.begin(), changes_.end(), log_index,
        [](std::uint64_t index, const DecidedChange& change) { return index < change.log_index; });
    return static_cast<std::size_t>(after - changes_.begin());
  }

 private:
  std::vector<DecidedChange> changes_;
  std::vector<std::pair<std::int64_t, std::size_t>> by_end_;    // and the greatest state of these
  std::vector<std::pair<std::int64_t, std::size_t>> by_start_;  // and the least place from these on
};

absl::Status Unexplained(const SeenRead& read, const Timelines& lines, std::size_t first,
                         std::size_t last) {
  return absl::FailedPreconditionError(absl::StrCat(
      ToText(read), ": explained by no state from ", first, " (", Describe(read, lines, first),
      ") to ", last, " (", Describe(read, lines, last), ")"));
}

// Each strong read takes the first state that it can: it leaves most room for those that come after
// it.
absl::Status CheckReads(std::vector<SeenRead> reads, const Order& order, const Timelines& lines) {
  std::vector<std::pair<std::int64_t, std::size_t>> events;  // starts and ends, and whose
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (!reads[i].is_strong) continue;
    events.emplace_back(reads[i].start, i);
    events.emplace_back(reads[i].end, i);
  }
  std::sort(events.begin(), events.end());
  std::vector<std::size_t> state_of(reads.size());
  std::size_t least = 0;
  for (const auto& [time, i] : events) {
    const SeenRead& read = reads[i];
    if (time == read.end) {
      least = std::max(least, state_of[i]);
      continue;
    }
    const std::size_t first = std::max(least, order.FirstAt(read.start));
    const std::size_t last = order.LastAt(read.end);
    std::size_t state = first;
    if (read.applied_index != 0) state = std::max(first, order.StateOf(read.applied_index));
    const std::size_t end = read.applied_index != 0 ? std::min(state, last) : last;
    while (state <= end && !Fits(read, lines, state)) ++state;
    if (state > end) return Unexplained(read, lines, first, last);
    state_of[i] = state;
  }
  return absl::OkStatus();
}

absl::Status CheckStaleReads(const std::vector<SeenRead>& reads, const Order& order,
                             const Timelines& lines) {
  for (const SeenRead& read : reads) {
    if (read.is_strong) continue;
    const std::size_t last = order.LastAt(read.end);
    std::size_t state =
        read.applied_index != 0 ? std::min(last, order.StateOf(read.applied_index)) : last;
    const std::size_t first = read.applied_index != 0 ? state : 0;
    while (state > first && !Fits(read, lines, state)) --state;
    if (!Fits(read, lines, state)) return Unexplained(read, lines, first, last);
  }
  return absl::OkStatus();
}

std::string Describe(const std::map<std::string, HeldVersions>& files) {
  std::string text;
  for (const auto& [name, held] : files) {
    absl::StrAppend(&text, name, ":");
    for (const FileVersion& version : held) absl::StrAppend(&text, " ", ToText(version));
    absl::StrAppend(&text, "; ");
  }
  return text;
}

absl::Status Compare(const ReferenceFiles& files, const SeenState& seen) {
  if (seen.buckets.size() != files.buckets().size()) {
    return absl::FailedPreconditionError(absl::StrCat("at the end there are ", seen.buckets.size(),
                                                      " buckets, must be ",
                                                      files.buckets().size()));
  }
  for (const auto& [name, bucket] : files.buckets()) {
    const auto found = seen.buckets.find(name);
    if (found == seen.buckets.end() || found->second.id != bucket.id) {
      return absl::FailedPreconditionError(
          absl::StrCat("at the end bucket ", name, " is another or none"));
    }
    const SeenState::Bucket& at = found->second;
    if (at.files != bucket.files) {
      return absl::FailedPreconditionError(absl::StrCat("at the end bucket ", name, " holds ",
                                                        Describe(at.files), " must be ",
                                                        Describe(bucket.files)));
    }
    if (at.files_counted != bucket.files.size() || at.bytes_counted != bucket.current_bytes() ||
        at.old_versions_counted != bucket.kept_versions() ||
        at.old_bytes_counted != bucket.kept_bytes()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "at the end bucket ", name, " counts ", at.files_counted, " files, ", at.bytes_counted,
          " bytes, ", at.old_versions_counted, " older versions, ", at.old_bytes_counted,
          " bytes of these; must be ", bucket.files.size(), ", ", bucket.current_bytes(), ", ",
          bucket.kept_versions(), ", ", bucket.kept_bytes()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status OrderedHistory::Check(const std::optional<SeenState>& last) const {
  const Order order(changes_);
  DFS_RETURN_IF_ERROR(order.Check());
  ReferenceFiles files(of_default_);
  Timelines lines;
  for (std::size_t i = 0; i < order.changes().size(); ++i) {
    DFS_RETURN_IF_ERROR(files.Apply(order.changes()[i]));
    lines.Note(files, order.changes()[i], i + 1);
  }
  DFS_RETURN_IF_ERROR(CheckReads(reads_, order, lines));
  DFS_RETURN_IF_ERROR(CheckStaleReads(reads_, order, lines));
  return last ? Compare(files, *last) : absl::OkStatus();
}

}  // namespace dfs::testing
