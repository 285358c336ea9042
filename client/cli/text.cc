#include "client/cli/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <limits>

namespace dfs::client::cli {
namespace {

// Reads all of `text` as a decimal number.
std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Factor of a unit; 0 if there is no such unit.
std::uint64_t FactorOf(std::string unit) {
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (unit.empty() || unit == "b") return 1;
  const auto power = std::string_view("kmgt").find(unit[0]);
  if (power == std::string_view::npos) return 0;
  const std::string rest = unit.substr(1);
  if (rest == "b") {
    std::uint64_t factor = 1;
    for (std::size_t i = 0; i <= power; ++i) factor *= 1000;
    return factor;
  }
  return rest.empty() || rest == "i" || rest == "ib" ? std::uint64_t{1} << (10 * (power + 1)) : 0;
}

// Insertions, removals, changes and swaps of neighbours (optimal string alignment).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({changed, d[i - 1][j] + 1, d[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

// Terminal columns of UTF-8 text, counting each character as one.
std::size_t WidthOf(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::string FormatBytes(std::uint64_t bytes, bool is_human) {
  if (!is_human || bytes < 1024) return std::to_string(bytes);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[40];
  std::snprintf(text, sizeof(text), "%.3f %s", value, kUnits[unit]);
  return text;
}

std::string FormatTime(std::uint64_t micros) {
  const auto bounded = static_cast<std::int64_t>(
      std::min<std::uint64_t>(micros, std::numeric_limits<std::int64_t>::max()));
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(bounded), absl::UTCTimeZone());
}

std::string FormatFreshness(const v1::FileInfo& file) {
  return file.consistency() == v1::EVENTUAL ? "  consistency=eventual" : "";
}

std::string FormatHealth(const v1::FileInfo& file) {
  if (file.replicas_wanted() == 0) return "-";
  return std::to_string(file.replicas_ok()) + "/" + std::to_string(file.replicas_wanted());
}

std::string FormatCrc(std::uint32_t crc) {
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", crc);
  return text;
}

std::string FormatHex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    char text[3];
    std::snprintf(text, sizeof(text), "%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(byte)));
    out += text;
  }
  return out;
}

std::string NameOf(v1::ReplicaState state) {
  switch (state) {
    case v1::OK:
      return "ok";
    case v1::MISSING:
      return "missing";
    case v1::CORRUPT:
      return "corrupt";
    default:
      return "unknown";
  }
}

std::string NameOf(v1::Health health) {
  switch (health) {
    case v1::HEALTH_OK:
      return "OK";
    case v1::HEALTH_WARN:
      return "WARN";
    default:
      return "ERR";  // what cannot be said is not good
  }
}

absl::StatusOr<std::uint64_t> ParseBytes(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseNumber(text.substr(0, digits));
  const std::uint64_t factor = FactorOf(std::string(text.substr(digits)));
  if (!number || factor == 0 || *number > std::numeric_limits<std::uint64_t>::max() / factor) {
    return absl::InvalidArgumentError("not a size: \"" + std::string(text) +
                                      "\" (try 64K, 1MiB, 1G)");
  }
  return *number * factor;
}

absl::StatusOr<absl::Duration> ParseTimeout(const std::string& text) {
  absl::Duration out;
  const auto seconds = ParseNumber(text);
  if (seconds && *seconds <= 1'000'000'000) {
    out = absl::Seconds(static_cast<std::int64_t>(*seconds));
  } else if (!absl::ParseDuration(text, &out)) {
    return absl::InvalidArgumentError("not a time: \"" + text + "\" (try 30s, 500ms, 2m)");
  }
  if (out <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("a timeout must be greater than zero");
  }
  return out;
}

absl::StatusOr<ByteRange> ParseRange(std::string_view text) {
  const auto dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto first = ParseNumber(text.substr(0, dash));
    const std::string_view rest = text.substr(dash + 1);
    const auto last = ParseNumber(rest);
    if (first && rest.empty()) return ByteRange{*first, std::nullopt};
    if (first && last && *last >= *first &&
        *last - *first < std::numeric_limits<std::uint64_t>::max()) {
      return ByteRange{*first, *last - *first + 1};
    }
  }
  return absl::InvalidArgumentError("not a range: \"" + std::string(text) +
                                    "\" (try 0-99 or 100-)");
}

absl::StatusOr<v1::Consistency> ParseConsistency(std::string_view text) {
  if (text == "strong") return v1::STRONG;
  if (text == "leader") return v1::LEADER;
  if (text == "eventual") return v1::EVENTUAL;
  return absl::InvalidArgumentError("consistency is strong, leader or eventual, not \"" +
                                    std::string(text) + "\"");
}

std::string BaseName(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string NearestWord(std::string_view typed, const std::vector<std::string>& words) {
  constexpr std::size_t kTypedBytesMax = 64;
  if (typed.size() > kTypedBytesMax) return "";
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(typed.size() / 3, 1) + 1;
  for (const auto& word : words) {
    const std::size_t distance = Distance(typed, word);
    if (distance < best_distance) {
      best_distance = distance;
      best = word;
    }
  }
  return best;
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows,
                        std::string_view alignment) {
  std::vector<std::size_t> widths(alignment.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - WidthOf(row[i]), ' ');
      const bool is_last = i + 1 == row.size();
      if (i > 0) out += "  ";
      if (alignment[i] == '>') {
        out += padding + row[i];
      } else {
        out += row[i] + (is_last ? "" : padding);
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace dfs::client::cli
