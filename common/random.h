// The only doors to randomness: one seeded and repeatable, one from the operating system.
#ifndef DFS_COMMON_RANDOM_H_
#define DFS_COMMON_RANDOM_H_

#include <cstdint>

namespace dfs {

// SplitMix64 (Steele, Lea, Flood 2014): small, fast, equal on every machine for equal seeds.
// Not for secrets. Not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  // Uniform in [low, high], low <= high.
  std::int64_t Between(std::int64_t low, std::int64_t high);
  // True with probability `numerator` / `denominator`.
  bool OneIn(std::uint64_t numerator, std::uint64_t denominator);
  // A generator whose stream is independent of what this one gives later.
  Random Fork() { return Random(Next()); }

 private:
  std::uint64_t state_;
};

// 64 bits from the operating system, never 0. Thread-safe.
std::uint64_t SystemRandom64();

}  // namespace dfs

#endif  // DFS_COMMON_RANDOM_H_
