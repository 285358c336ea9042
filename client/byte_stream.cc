#include "client/byte_stream.h"

#include <algorithm>

namespace dfs::client {

absl::StatusOr<Slices> StringSource::Read(std::size_t bytes_max) {
  Slices out = bytes_.Range(at_, std::min(bytes_max, bytes_.size() - at_));
  at_ += out.size();
  return out;
}

bool StringSource::Rewind() {
  at_ = 0;
  return true;
}

bool StringSource::SkipTo(std::uint64_t offset) {
  if (offset > bytes_.size()) return false;
  at_ = static_cast<std::size_t>(offset);
  return true;
}

}  // namespace dfs::client
