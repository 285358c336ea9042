#include "server/replicated_log/rocksdb_options.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace dfs::replicated_log {
namespace {

// Small on purpose: three idle nodes share one small machine.
constexpr std::size_t kArenaBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kBlockCacheBytes = std::size_t{12} << 20;
constexpr int kOpenFilesMax = 512;
// The log is switched by RocksdbDatabase long before this.
constexpr std::uint64_t kWalBytesMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{4} << 20;

}  // namespace

rocksdb::DBOptions MetadataDbOptions(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kWalBytesMax;
  options.max_manifest_file_size = kManifestBytesMax;
  options.max_background_jobs = 2;
  options.bytes_per_sync = std::uint64_t{1} << 20;
  options.enable_write_thread_adaptive_yield = false;  // spinning takes the processor from who is waited for
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  return options;
}

rocksdb::ColumnFamilyOptions MetadataFamilyOptions() {
  static const auto* const cache = new std::shared_ptr<rocksdb::Cache>(
      rocksdb::NewLRUCache(kBlockCacheBytes, /*num_shard_bits=*/2));
  static const auto* const filter = new std::shared_ptr<const rocksdb::FilterPolicy>(
      rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.arena_block_size = kArenaBlockBytes;
  options.target_file_size_base = kWriteBufferBytes;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool has_lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = *cache;
  table.filter_policy = *filter;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace dfs::replicated_log
