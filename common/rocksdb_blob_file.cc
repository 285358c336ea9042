#include "common/rocksdb_blob_file.h"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "common/checksum.h"
#include "common/rocksdb_numbers.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

// A file: header of 30 bytes, which begins with a magic number; records; at the end a footer of 32 bytes that begins with
// the same number. A record: lengths of key and value (8 each), expiry (8), masked CRC32C of these 24 bytes (4), masked CRC32C
// of key and value (4), key, value. Integers are little endian.
constexpr std::uint64_t kBlobMagic = 2395959;
constexpr std::size_t kFileHeaderBytes = 30;
constexpr std::size_t kRecordHeaderBytes = 32;
constexpr std::size_t kKeyBytesMax = 1'024;
constexpr std::size_t kValueBytesMax = std::size_t{64} << 20;  // more is damage

}  // namespace

absl::Status ForEachBlob(
    rocksdb::Env* env, const std::string& path,
    const std::function<void(std::string_view key, std::string_view value)>& visit) {
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  std::uint64_t size = 0;
  DFS_RETURN_IF_ERROR(FromRocksdb(env->NewRandomAccessFile(path, &file, {}), path));
  DFS_RETURN_IF_ERROR(FromRocksdb(env->GetFileSize(path, &size), path));
  std::string buffer;
  // Empty if the file ends before, or cannot be read there.
  const auto read = [&](std::uint64_t at, std::size_t bytes) -> std::string_view {
    if (at > size || bytes > size - at) return {};
    buffer.resize(bytes);
    rocksdb::Slice got;
    if (!file->Read(at, bytes, &got, buffer.data()).ok() || got.size() != bytes) return {};
    if (got.data() != buffer.data()) buffer.assign(got.data(), got.size());
    return buffer;
  };
  if (read(0, kFileHeaderBytes).empty()) return absl::DataLossError(path + ": has no header");
  for (std::uint64_t at = kFileHeaderBytes;;) {
    const std::string_view header = read(at, kRecordHeaderBytes);
    if (header.empty() || RocksdbNumber(header, 0, 4) == kBlobMagic) break;
    if (RocksdbMasked(Crc32c(header.data(), 24)) != RocksdbNumber(header, 24, 4)) break;
    const std::size_t key_bytes = RocksdbNumber(header, 0, 8);
    const std::size_t value_bytes = RocksdbNumber(header, 8, 8);
    const std::uint64_t crc = RocksdbNumber(header, 28, 4);
    if (key_bytes > kKeyBytesMax || value_bytes > kValueBytesMax) break;
    const std::string_view both = read(at + kRecordHeaderBytes, key_bytes + value_bytes);
    at += kRecordHeaderBytes + key_bytes + value_bytes;
    if (both.empty()) break;
    if (RocksdbMasked(Crc32c(both.data(), both.size())) != crc) continue;
    visit(both.substr(0, key_bytes), both.substr(key_bytes));
  }
  return absl::OkStatus();
}

}  // namespace dfs
