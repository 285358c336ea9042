#include "common/random.h"

#include <glog/logging.h>
#include <sys/random.h>

namespace dfs {

std::uint64_t Random::Next() {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::uint64_t Random::Below(std::uint64_t bound) {
  CHECK_GT(bound, 0u);
  // The bias of the remainder is below 2^-32 for every bound that is used here.
  return Next() % bound;
}

std::int64_t Random::Between(std::int64_t low, std::int64_t high) {
  CHECK_LE(low, high);
  return low + static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(high - low) + 1));
}

bool Random::OneIn(std::uint64_t numerator, std::uint64_t denominator) {
  return Below(denominator) < numerator;
}

std::uint64_t SystemRandom64() {
  std::uint64_t value = 0;
  while (value == 0) {
    const auto got = getrandom(&value, sizeof(value), 0);
    PCHECK(got == static_cast<ssize_t>(sizeof(value))) << "getrandom";
  }
  return value;
}

}  // namespace dfs
