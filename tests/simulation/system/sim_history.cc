#include "tests/simulation/system/sim_history.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/random.h"

namespace dfs::simulation {

std::string ContentOf(std::uint64_t value, std::size_t size) {
  std::string out(std::max(size, sizeof(value)), '\0');
  std::memcpy(out.data(), &value, sizeof(value));
  Random random(value);
  std::size_t at = sizeof(value);
  for (; at + 8 <= out.size(); at += 8) {
    const std::uint64_t word = random.Next();
    std::memcpy(out.data() + at, &word, sizeof(word));
  }
  for (; at < out.size(); ++at) out[at] = static_cast<char>(random.Next());
  return out;
}

std::uint64_t ValueOf(const std::string& content) {
  std::uint64_t value = 0;
  if (content.size() < sizeof(value)) return 0;
  std::memcpy(&value, content.data(), sizeof(value));
  return ContentOf(value, content.size()) == content ? value : 0;
}

bool TakeVerdict(const rpc::CommandResult& result, DecidedChange* change) {
  using testing::Verdict;
  switch (result.code()) {
    case rpc::CommandResult::DONE:
      change->verdict = Verdict::kDone;
      break;
    case rpc::CommandResult::NOT_FOUND:
      change->verdict = Verdict::kNotFound;
      break;
    case rpc::CommandResult::PRECONDITION_FAILED:
      change->verdict = Verdict::kPreconditionFailed;
      break;
    case rpc::CommandResult::EXISTS:
      change->verdict = Verdict::kExists;
      break;
    case rpc::CommandResult::OVER_QUOTA:
      change->verdict = Verdict::kOverQuota;
      break;
    case rpc::CommandResult::NOT_EMPTY:
      change->verdict = Verdict::kNotEmpty;
      break;
    default:
      return false;
  }
  change->log_index = result.applied_index();
  change->count = result.has_bucket() ? result.bucket().id() : result.count();
  if (change->kind == DecidedChange::Kind::kPut) change->count = result.replicas();
  return true;
}

void SimHistory::Record(DecidedChange change, const rpc::CommandResult& result) {
  if (!TakeVerdict(result, &change)) {
    RecordViolation(absl::StrCat("no answer of a log: ", result.ShortDebugString()));
    return;
  }
  if (change.verdict == testing::Verdict::kDone && result.has_version()) {
    const rpc::VersionRow& row = result.version();
    change.answered = VersionOf(row.number(), row.size(), row.crc32c());
    if (change.answered.value == 0)
      RecordViolation(absl::StrCat("nobody put that: ", ToText(change)));
    if (change.kind != DecidedChange::Kind::kRemove) {
      const std::string& name = change.target.empty() ? change.name : change.target;
      versions_[{change.bucket, name}].push_back({change.answered.number, change.answered.value});
    }
  }
  ordered_.Record(std::move(change));
}

void SimHistory::RecordContent(std::uint64_t value, const std::string& content) {
  contents_[{content.size(), ExtendCrc32c(0, content.data(), content.size())}] = value;
}

FileVersion SimHistory::VersionOf(std::uint64_t number, std::uint64_t size,
                                  std::uint32_t crc) const {
  const auto found = contents_.find({size, crc});
  return {number, found == contents_.end() ? 0 : found->second, size};
}

absl::Status SimHistory::Check(const std::optional<SeenState>& last) const {
  if (!violations_.empty()) return absl::FailedPreconditionError(violations_.front());
  return ordered_.Check(last);
}

}  // namespace dfs::simulation
