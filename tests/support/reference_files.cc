#include "tests/support/reference_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs::testing {
namespace {

using Bucket = ReferenceFiles::Bucket;
using Kind = DecidedChange::Kind;

absl::Status Wrong(const DecidedChange& change, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(ToText(change), ": ", why));
}

const HeldVersions* Find(const Bucket& bucket, const std::string& name) {
  const auto found = bucket.files.find(name);
  return found == bucket.files.end() ? nullptr : &found->second;
}

void ToTrash(Bucket& bucket, const std::string& name, const FileVersion& version) {
  bucket.trash[name][version.number] = version;
}

// What a write under the name pushes out of what is held; nullptr: nothing.
const FileVersion* PushedOut(const Bucket& bucket, const HeldVersions* held) {
  if (held == nullptr || held->size() < bucket.promise.versions_kept) return nullptr;
  return &held->back();
}

void WriteOver(Bucket& bucket, const std::string& name, const FileVersion& version) {
  HeldVersions& held = bucket.files[name];
  if (held.size() >= bucket.promise.versions_kept) {
    ToTrash(bucket, name, held.back());
    held.pop_back();
  }
  held.insert(held.begin(), version);
}

void TakeAway(Bucket& bucket, const std::string& name) {
  for (const FileVersion& version : bucket.files.at(name)) ToTrash(bucket, name, version);
  bucket.files.erase(name);
}

// Whether a version of `size` bytes more under the name is beyond the quota. What makes nothing
// worse passes.
bool IsOverQuota(const Bucket& bucket, const std::string& name, std::uint64_t size) {
  const HeldVersions* const held = Find(bucket, name);
  const BucketPromise& promise = bucket.promise;
  if (promise.quota_files > 0 && held == nullptr && bucket.files.size() >= promise.quota_files) {
    return true;
  }
  const FileVersion* const out = PushedOut(bucket, held);
  const std::uint64_t freed = out == nullptr ? 0 : out->size;
  return promise.quota_bytes > 0 && size > freed &&
         bucket.current_bytes() + bucket.kept_bytes() - freed + size > promise.quota_bytes;
}

bool HoldsNumber(const std::optional<std::uint64_t>& wanted, const HeldVersions* held) {
  return !wanted || *wanted == (held == nullptr ? 0 : held->front().number);
}

// The answer of a change under a condition that does not hold, if it is one.
std::optional<Verdict> RefusedPut(const DecidedChange& change, const Bucket& bucket) {
  const HeldVersions* const held = Find(bucket, change.name);
  if (change.if_absent && held != nullptr) return Verdict::kExists;
  if (!HoldsNumber(change.if_version, held)) return Verdict::kPreconditionFailed;
  if (IsOverQuota(bucket, change.name, change.content.size)) return Verdict::kOverQuota;
  return std::nullopt;
}

std::optional<Verdict> RefusedRemoval(const DecidedChange& change, const Bucket& bucket) {
  const HeldVersions* const held = Find(bucket, change.name);
  if (held == nullptr) return Verdict::kNotFound;
  if (!HoldsNumber(change.if_version, held)) return Verdict::kPreconditionFailed;
  if (!change.version) return std::nullopt;
  if (*change.version == held->front().number) return Verdict::kPreconditionFailed;
  const bool is_kept = std::any_of(held->begin(), held->end(), [&](const FileVersion& version) {
    return version.number == *change.version;
  });
  return is_kept ? std::nullopt : std::optional(Verdict::kNotFound);
}

std::optional<Verdict> RefusedMove(const DecidedChange& change, const Bucket& bucket) {
  const HeldVersions* const held = Find(bucket, change.name);
  if (held == nullptr) return Verdict::kNotFound;
  if (!HoldsNumber(change.if_version, held)) return Verdict::kPreconditionFailed;
  if (change.if_absent && Find(bucket, change.target) != nullptr) return Verdict::kExists;
  return std::nullopt;
}

// What was purged is not known: "not found" is always possible, and beyond the quota is what any of
// those in the trash would be.
std::optional<Verdict> RefusedUndelete(const DecidedChange& change, const Bucket& bucket) {
  if (Find(bucket, change.name) != nullptr && !change.replaces) return Verdict::kPreconditionFailed;
  const auto trash = bucket.trash.find(change.name);
  bool is_there = false;
  bool may_exceed = false;
  bool may_fit = false;
  if (trash != bucket.trash.end()) {
    for (const auto& [number, version] : trash->second) {
      if (change.version && *change.version != number) continue;
      is_there = true;
      const bool is_over = IsOverQuota(bucket, change.name, version.size);
      may_exceed = may_exceed || is_over;
      may_fit = may_fit || !is_over;
    }
  }
  if (!is_there || change.verdict == Verdict::kNotFound) return Verdict::kNotFound;
  const bool says_over = change.verdict == Verdict::kOverQuota;
  if (says_over ? may_exceed : !may_fit) return Verdict::kOverQuota;
  return std::nullopt;
}

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kPut:
      return "put";
    case Kind::kRemove:
      return "remove";
    case Kind::kMove:
      return "mv";
    case Kind::kUndelete:
      return "undelete";
    case Kind::kClear:
      return "clear";
    case Kind::kMakeBucket:
      return "mb";
    case Kind::kRemoveBucket:
      return "rb";
  }
  return "";
}

}  // namespace

std::string ToText(const FileVersion& version) {
  return absl::StrCat("version ", version.number, " (content ", version.value, ", ", version.size,
                      " bytes)");
}

const char* NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDone:
      return "done";
    case Verdict::kNotFound:
      return "not found";
    case Verdict::kPreconditionFailed:
      return "precondition failed";
    case Verdict::kExists:
      return "exists";
    case Verdict::kOverQuota:
      return "over quota";
    case Verdict::kNotEmpty:
      return "not empty";
  }
  return "";
}

std::string ToText(const DecidedChange& change) {
  std::string text = absl::StrCat("client ", change.client, " ", NameOf(change.kind), " ",
                                  change.bucket, ":", change.name);
  if (!change.target.empty()) absl::StrAppend(&text, " to ", change.target);
  if (change.if_version) absl::StrAppend(&text, " if version ", *change.if_version);
  if (change.if_absent) absl::StrAppend(&text, " if absent");
  if (change.version) absl::StrAppend(&text, " of version ", *change.version);
  if (change.kind == Kind::kPut)
    absl::StrAppend(&text, " of content ", change.content.value, ", ", change.content.size,
                    " bytes");
  absl::StrAppend(&text, " at entry ", change.log_index, " in [", change.start, ", ",
                  change.end == DecidedChange::kNever ? -1 : change.end, "] was answered ",
                  NameOf(change.verdict));
  if (change.verdict == Verdict::kDone && change.answered.number != 0) {
    absl::StrAppend(&text, ", ", ToText(change.answered));
  }
  return text;
}

std::uint64_t Bucket::current_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, held] : files) bytes += held.front().size;
  return bytes;
}
std::uint64_t Bucket::kept_versions() const {
  std::uint64_t count = 0;
  for (const auto& [name, held] : files) count += held.size() - 1;
  return count;
}
std::uint64_t Bucket::kept_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, held] : files) {
    for (std::size_t i = 1; i < held.size(); ++i) bytes += held[i].size;
  }
  return bytes;
}

ReferenceFiles::ReferenceFiles(const BucketPromise& of_default) {
  buckets_["default"].id = 1;
  buckets_["default"].promise = of_default;
}

Verdict ReferenceFiles::VerdictOf(const DecidedChange& change, Bucket* bucket) const {
  std::optional<Verdict> refused;
  switch (change.kind) {
    case Kind::kPut:
      refused = RefusedPut(change, *bucket);
      break;
    case Kind::kRemove:
      refused = RefusedRemoval(change, *bucket);
      break;
    case Kind::kMove:
      refused = RefusedMove(change, *bucket);
      break;
    case Kind::kUndelete:
      refused = RefusedUndelete(change, *bucket);
      break;
    case Kind::kClear:
      break;
    case Kind::kMakeBucket:
      if (bucket != nullptr) refused = Verdict::kExists;
      break;
    case Kind::kRemoveBucket:
      if (!bucket->files.empty()) refused = Verdict::kNotEmpty;
      break;
  }
  return refused.value_or(Verdict::kDone);
}

absl::Status ReferenceFiles::Apply(const DecidedChange& change) {
  touched_.clear();
  const auto found = buckets_.find(change.bucket);
  Bucket* const bucket = found == buckets_.end() ? nullptr : &found->second;
  if (bucket == nullptr && change.kind != Kind::kMakeBucket)
    return Wrong(change, "there is no such bucket");
  const Verdict verdict = VerdictOf(change, bucket);
  if (verdict != change.verdict) return Wrong(change, absl::StrCat("must be ", NameOf(verdict)));
  if (verdict != Verdict::kDone) return absl::OkStatus();
  if (change.kind == Kind::kMakeBucket) return MakeBucket(change);
  return Do(change, *bucket);
}

absl::Status ReferenceFiles::Do(const DecidedChange& change, Bucket& bucket) {
  switch (change.kind) {
    case Kind::kPut:
      return Put(change, bucket);
    case Kind::kRemove:
      return Remove(change, bucket);
    case Kind::kMove:
      return Move(change, bucket);
    case Kind::kUndelete:
      return Undelete(change, bucket);
    case Kind::kClear:
      return Clear(change, bucket);
    default:
      buckets_.erase(change.bucket);
      return absl::OkStatus();
  }
}

absl::Status ReferenceFiles::Put(const DecidedChange& change, Bucket& bucket) {
  FileVersion version = change.content;
  version.number = ++last_version_;
  if (change.answered != version) return Wrong(change, absl::StrCat("must be ", ToText(version)));
  if (change.count < bucket.promise.copies_least) {
    return Wrong(change, absl::StrCat("with ", change.count, " copies, must be ",
                                      bucket.promise.copies_least));
  }
  WriteOver(bucket, change.name, version);
  touched_ = {change.name};
  return absl::OkStatus();
}

absl::Status ReferenceFiles::Remove(const DecidedChange& change, Bucket& bucket) {
  ++last_version_;
  touched_ = {change.name};
  HeldVersions& held = bucket.files.at(change.name);
  const auto at = std::find_if(held.begin(), held.end(), [&](const FileVersion& version) {
    return !change.version || version.number == *change.version;
  });
  if (change.answered != *at) return Wrong(change, absl::StrCat("must be ", ToText(*at)));
  if (!change.version) {
    TakeAway(bucket, change.name);
  } else {
    ToTrash(bucket, change.name, *at);
    held.erase(at);
  }
  return absl::OkStatus();
}

absl::Status ReferenceFiles::Move(const DecidedChange& change, Bucket& bucket) {
  FileVersion version = bucket.files.at(change.name).front();
  if (change.count != version.number)
    return Wrong(change, absl::StrCat("moved was ", version.number, ", not ", change.count));
  HeldVersions& held = bucket.files.at(change.name);
  for (std::size_t i = 1; i < held.size(); ++i) ToTrash(bucket, change.name, held[i]);
  bucket.files.erase(change.name);
  version.number = ++last_version_;
  if (change.answered != version) return Wrong(change, absl::StrCat("must be ", ToText(version)));
  WriteOver(bucket, change.target, version);
  touched_ = {change.name, change.target};
  return absl::OkStatus();
}

absl::Status ReferenceFiles::Undelete(const DecidedChange& change, Bucket& bucket) {
  auto& trash = bucket.trash[change.name];
  const auto at = std::find_if(trash.begin(), trash.end(), [&](const auto& entry) {
    const auto& [number, version] = entry;
    return version.value == change.answered.value && (!change.version || *change.version == number);
  });
  if (at == trash.end()) return Wrong(change, "that is not what was removed");
  FileVersion version = at->second;
  if (IsOverQuota(bucket, change.name, version.size)) return Wrong(change, "must be over quota");
  trash.erase(at);
  version.number = ++last_version_;
  if (change.answered != version) return Wrong(change, absl::StrCat("must be ", ToText(version)));
  WriteOver(bucket, change.name, version);
  touched_ = {change.name};
  return absl::OkStatus();
}

absl::Status ReferenceFiles::Clear(const DecidedChange& change, Bucket& bucket) {
  for (const auto& [name, held] : bucket.files) {
    if (name.rfind(change.name, 0) == 0) touched_.push_back(name);
  }
  if (touched_.size() != change.count) {
    return Wrong(change, absl::StrCat("hides ", touched_.size(), " files, not ", change.count));
  }
  for (const std::string& name : touched_) TakeAway(bucket, name);
  if (!touched_.empty()) ++last_version_;
  return absl::OkStatus();
}

absl::Status ReferenceFiles::MakeBucket(const DecidedChange& change) {
  Bucket bucket;
  bucket.id = next_bucket_++;
  bucket.promise = change.promise;
  bucket.promise.versions_kept = std::max(bucket.promise.versions_kept, 1u);
  if (change.count != bucket.id)
    return Wrong(change, absl::StrCat("must have the id ", bucket.id, ", not ", change.count));
  buckets_[change.bucket] = std::move(bucket);
  return absl::OkStatus();
}

}  // namespace dfs::testing
