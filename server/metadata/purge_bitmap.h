// Which chunks of a version a node has not unlinked yet, though the log lets it: bit k stands for
// chunk k, the lowest bit of the first byte being chunk 0. No trailing zero bytes. Pure.
#ifndef DFS_SERVER_METADATA_PURGE_BITMAP_H_
#define DFS_SERVER_METADATA_PURGE_BITMAP_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dfs::metadata {

inline bool HasChunk(std::string_view bitmap, std::uint32_t chunk) {
  const std::size_t byte = chunk / 8;
  return byte < bitmap.size() && ((static_cast<unsigned char>(bitmap[byte]) >> (chunk % 8)) & 1) != 0;
}

inline void AddChunk(std::string* bitmap, std::uint32_t chunk) {
  const std::size_t byte = chunk / 8;
  if (byte >= bitmap->size()) bitmap->resize(byte + 1, '\0');
  (*bitmap)[byte] = static_cast<char>(static_cast<unsigned char>((*bitmap)[byte]) | (1u << (chunk % 8)));
}

inline void AddChunks(std::string* bitmap, std::string_view more) {
  if (bitmap->size() < more.size()) bitmap->resize(more.size(), '\0');
  for (std::size_t i = 0; i < more.size(); ++i) {
    (*bitmap)[i] = static_cast<char>(static_cast<unsigned char>((*bitmap)[i]) |
                                     static_cast<unsigned char>(more[i]));
  }
}

// False if it was not there.
inline bool DropChunk(std::string* bitmap, std::uint32_t chunk) {
  if (!HasChunk(*bitmap, chunk)) return false;
  const std::size_t byte = chunk / 8;
  (*bitmap)[byte] = static_cast<char>(static_cast<unsigned char>((*bitmap)[byte]) & ~(1u << (chunk % 8)));
  while (!bitmap->empty() && bitmap->back() == '\0') bitmap->pop_back();
  return true;
}

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_PURGE_BITMAP_H_
