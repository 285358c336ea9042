// Tells errors about what files hold from errors about getting at them.
//
// Both are kDataLoss, and nobody writes on after either. But what is damaged stays damaged, while a device, a lack of
// descriptors or of permissions may be mended: only damage justifies setting data aside.
#ifndef DFS_COMMON_DAMAGE_H_
#define DFS_COMMON_DAMAGE_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace dfs {

inline constexpr char kDamagePayload[] = "dfs/damage";

// The same error, told apart from then on. Not for OK.
inline absl::Status MarkDamage(absl::Status status) {
  status.SetPayload(kDamagePayload, absl::Cord());
  return status;
}
inline absl::Status DamageError(std::string_view message) {
  return MarkDamage(absl::DataLossError({message.data(), message.size()}));
}
[[nodiscard]] inline bool IsDamage(const absl::Status& status) {
  return status.GetPayload(kDamagePayload).has_value();
}

}  // namespace dfs

#endif  // DFS_COMMON_DAMAGE_H_
