#include "tests/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace dfs::bench {
namespace {

// Three significant digits or all of the integer part.
std::string Number(double value) {
  char text[64];
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string TargetText(const Row& row) {
  if (!row.target) return "";
  const std::string sign = row.target->sense == Target::Sense::kAtMost ? "<= " : ">= ";
  return sign + Number(row.target->value) + (row.raw ? " x raw" : " " + row.unit);
}

}  // namespace

std::optional<double> Row::Ratio() const {
  if (!raw || *raw <= 0) return std::nullopt;
  return value / *raw;
}

bool Row::IsMet() const {
  if (!target) return true;
  const double measured = Ratio().value_or(value);
  return target->sense == Target::Sense::kAtMost ? measured <= target->value
                                                 : measured >= target->value;
}

void Report::Settings(const std::vector<std::pair<std::string, std::string>>& settings) const {
  if (is_json_) {
    nlohmann::json object;
    for (const auto& [name, value] : settings) object["settings"][name] = value;
    std::cout << object.dump() << std::endl;
    return;
  }
  for (const auto& [name, value] : settings) std::printf("%-22s %s\n", name.c_str(), value.c_str());
  std::printf("\n%-46s %12s %-8s %10s %8s  %-14s\n", "", "measured", "", "raw limit", "ratio", "target");
}

void Report::Section(const std::string& title) const {
  if (!is_json_) std::cout << "\n" << title << std::endl;
}

void Report::Add(const Row& row) {
  rows_.push_back(row);
  if (is_json_) {
    nlohmann::json object = {{"name", row.name}, {"value", row.value}, {"unit", row.unit}};
    if (row.raw) object["raw"] = *row.raw;
    if (row.Ratio()) object["ratio"] = *row.Ratio();
    if (row.target) {
      object["target"] = row.target->value;
      object["is_met"] = row.IsMet();
    }
    if (!row.note.empty()) object["note"] = row.note;
    std::cout << object.dump() << std::endl;
    return;
  }
  std::printf("  %-44s %12s %-8s %10s %8s  %-14s %s %s\n", row.name.c_str(), Number(row.value).c_str(),
              row.unit.c_str(), row.raw ? Number(*row.raw).c_str() : "",
              row.Ratio() ? Number(*row.Ratio()).c_str() : "", TargetText(row).c_str(),
              !row.target ? "" : row.IsMet() ? "yes" : "NO", row.note.c_str());
  std::fflush(stdout);
}

void Report::Summary() const {
  const auto with_target = std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.target.has_value(); });
  const auto missed = std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return !row.IsMet(); });
  if (is_json_) {
    std::cout << nlohmann::json{{"targets", with_target}, {"missed", missed}}.dump() << std::endl;
    return;
  }
  std::printf("\n%d of %d targets reached\n", static_cast<int>(with_target - missed),
              static_cast<int>(with_target));
}

}  // namespace dfs::bench
