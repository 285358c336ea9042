#include "proto/data_message.h"

#include <algorithm>
#include <optional>

namespace dfs {
namespace {

// Walks over the bytes of several slices as if they were one.
class Cursor {
 public:
  explicit Cursor(const std::vector<grpc::Slice>& pieces) : pieces_(pieces) { SkipEmpty(); }

  [[nodiscard]] bool at_end() const { return piece_ == pieces_.size(); }

  std::optional<std::uint8_t> Byte() {
    if (at_end()) return std::nullopt;
    const std::uint8_t byte = pieces_[piece_].begin()[at_];
    Advance(1);
    return byte;
  }

  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = Byte();
      if (!byte) return std::nullopt;
      value |= static_cast<std::uint64_t>(*byte & 0x7F) << shift;
      if ((*byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  // Calls take(slice, offset, length) for each part of the next `bytes`. False if there are fewer.
  template <class Take>
  bool Parts(std::uint64_t bytes, Take take) {
    while (bytes > 0) {
      if (at_end()) return false;
      const std::size_t part =
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes, pieces_[piece_].size() - at_));
      take(pieces_[piece_], at_, part);
      Advance(part);
      bytes -= part;
    }
    return true;
  }

 private:
  void Advance(std::size_t bytes) {
    at_ += bytes;
    SkipEmpty();
  }
  void SkipEmpty() {
    while (piece_ < pieces_.size() && at_ == pieces_[piece_].size()) {
      ++piece_;
      at_ = 0;
    }
  }

  const std::vector<grpc::Slice>& pieces_;
  std::size_t piece_ = 0;
  std::size_t at_ = 0;
};

void AppendVarint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

bool CopyBytes(Cursor& cursor, std::uint64_t bytes, std::string& out) {
  if (bytes > data_message::kRestBytesMax - std::min(out.size(), data_message::kRestBytesMax)) {
    return false;
  }
  return cursor.Parts(bytes, [&](const grpc::Slice& slice, std::size_t offset, std::size_t part) {
    out.append(reinterpret_cast<const char*>(slice.begin()) + offset, part);
  });
}

// Copies one field of the given wire type (its tag is read already).
bool CopyField(Cursor& cursor, std::uint64_t tag, std::string& out) {
  AppendVarint(tag, out);
  switch (tag & 7) {
    case 0: {
      const auto value = cursor.Varint();
      if (!value) return false;
      AppendVarint(*value, out);
      return out.size() <= data_message::kRestBytesMax;
    }
    case 1:
      return CopyBytes(cursor, 8, out);
    case 2: {
      const auto length = cursor.Varint();
      if (!length) return false;
      AppendVarint(*length, out);
      return CopyBytes(cursor, *length, out);
    }
    case 5:
      return CopyBytes(cursor, 4, out);
    default:
      return false;  // groups are not used in this API
  }
}

grpc::Slice SubSlice(const grpc::Slice& slice, std::size_t offset, std::size_t length) {
  return slice.sub(offset, offset + length);
}

}  // namespace

Slices Slices::CopyOf(std::string_view bytes) {
  Slices out;
  out.Append(grpc::Slice(bytes.data(), bytes.size()));
  return out;
}

Slices Slices::Adopt(std::string bytes) {
  auto* owned = new std::string(std::move(bytes));
  Slices out;
  out.Append(grpc::Slice(
      owned->data(), owned->size(), [](void* user) { delete static_cast<std::string*>(user); },
      owned));
  return out;
}

Slices Slices::Range(std::size_t offset, std::size_t length) const {
  Slices out;
  for (const auto& piece : pieces_) {
    if (length == 0) break;
    if (offset >= piece.size()) {
      offset -= piece.size();
      continue;
    }
    const std::size_t part = std::min(length, piece.size() - offset);
    out.Append(part == piece.size() ? piece : SubSlice(piece, offset, part));
    offset = 0;
    length -= part;
  }
  return out;
}

std::vector<std::string_view> Slices::Views() const {
  std::vector<std::string_view> out;
  out.reserve(pieces_.size());
  for (const auto& piece : pieces_) {
    out.emplace_back(reinterpret_cast<const char*>(piece.begin()), piece.size());
  }
  return out;
}

std::string Slices::ToString() const {
  std::string out;
  out.reserve(bytes_);
  for (const auto& piece : pieces_) {
    out.append(reinterpret_cast<const char*>(piece.begin()), piece.size());
  }
  return out;
}

namespace data_message {

bool Split(const std::vector<grpc::Slice>& wire, std::string* rest, Slices* data) {
  constexpr std::uint64_t kDataTag = (std::uint64_t{kDataField} << 3) | 2;
  Cursor cursor(wire);
  rest->clear();
  data->Clear();
  while (!cursor.at_end()) {
    const auto tag = cursor.Varint();
    if (!tag || (*tag >> 3) == 0) return false;
    if (*tag != kDataTag) {
      if (!CopyField(cursor, *tag, *rest)) return false;
      continue;
    }
    const auto length = cursor.Varint();
    if (!length) return false;
    data->Clear();
    if (!cursor.Parts(*length,
                      [&](const grpc::Slice& slice, std::size_t offset, std::size_t part) {
                        data->Append(SubSlice(slice, offset, part));
                      })) {
      return false;
    }
  }
  return true;
}

grpc::ByteBuffer Join(const std::string& rest, const Slices& data) {
  std::string head = rest;
  if (!data.empty()) {
    AppendVarint((std::uint64_t{kDataField} << 3) | 2, head);
    AppendVarint(data.size(), head);
  }
  std::vector<grpc::Slice> slices;
  slices.reserve(1 + data.pieces().size());
  slices.emplace_back(head);
  slices.insert(slices.end(), data.pieces().begin(), data.pieces().end());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace data_message
}  // namespace dfs
