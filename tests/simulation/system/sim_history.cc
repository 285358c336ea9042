#include "tests/simulation/system/sim_history.h"

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

void SimHistory::RecordContent(std::uint64_t value, const std::string& content) {
  contents_[{content.size(), ExtendCrc32c(0, content.data(), content.size())}] = value;
}

std::uint64_t SimHistory::ValueOfSummary(std::uint64_t size, std::uint32_t crc) const {
  const auto found = contents_.find({size, crc});
  return found == contents_.end() ? 0 : found->second;
}

absl::Status SimHistory::Check() const {
  if (!violations_.empty()) return absl::FailedPreconditionError(violations_.front());
  for (const auto& [name, operations] : operations_) {
    const absl::Status status = CheckLinearizable(operations);
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("file ", name, ": ", std::string(status.message())));
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::simulation
