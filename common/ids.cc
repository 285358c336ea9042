#include "common/ids.h"

#include <array>

namespace dfs {
namespace {

void AppendHex(std::uint64_t value, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out.push_back(kDigits[(value >> shift) & 0xF]);
}

std::optional<std::uint64_t> ParseHex64(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint64_t>(c - 'a') + 10;
    } else {
      return std::nullopt;
    }
    value = (value << 4) | digit;
  }
  return value;
}

}  // namespace

std::string HexOf(std::uint64_t high, std::uint64_t low) {
  std::string out;
  out.reserve(32);
  AppendHex(high, out);
  AppendHex(low, out);
  return out;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> ParseHex128(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  const auto high = ParseHex64(text.substr(0, 16));
  const auto low = ParseHex64(text.substr(16));
  if (!high || !low) return std::nullopt;
  return std::pair{*high, *low};
}

std::string ToString(const TxnId& id) {
  return std::to_string(id.term.value()) + "." + std::to_string(id.sequence);
}

std::string ToString(const ChunkId& id) {
  return ToString(id.txn) + "/" + std::to_string(id.index);
}

}  // namespace dfs
