// What was measured, beside what it is compared with.
#ifndef DFS_TESTS_BENCH_REPORT_H_
#define DFS_TESTS_BENCH_REPORT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dfs::bench {

struct Target {
  enum class Sense { kAtMost, kAtLeast };
  Sense sense = Sense::kAtMost;
  double value = 0;
};

// One measured figure.
struct Row {
  std::string name;
  double value = 0;
  std::string unit;
  std::optional<double> raw;    // the raw limit, in the same unit; then the target is for the ratio
  std::optional<Target> target;
  std::string note;

  [[nodiscard]] std::optional<double> Ratio() const;
  [[nodiscard]] bool IsMet() const;
};

// Prints rows as they come (table or one JSON object a line). Settings come first.
class Report {
 public:
  explicit Report(bool is_json) : is_json_(is_json) {}
  void Settings(const std::vector<std::pair<std::string, std::string>>& settings) const;
  void Section(const std::string& title) const;
  void Add(const Row& row);
  // How many targets were reached, and which were not.
  void Summary() const;

 private:
  const bool is_json_;
  std::vector<Row> rows_;
};

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_REPORT_H_
