#include "server/chunk/set_aside_chunks.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/posix_disk.h"
#include "server/chunk/local_chunk_store.h"

namespace dfs::chunk {
namespace {

bool HasStore(const std::string& folder) {
  const auto entries = PosixDisk().List(folder + "/chunks");
  return entries.ok() && std::any_of(entries->begin(), entries->end(), [](const DiskEntry& entry) {
           return entry.is_folder && entry.name == "index";
         });
}

}  // namespace

std::unique_ptr<SetAsideChunks> SetAsideChunks::Open(const std::vector<std::string>& folders) {
  auto all = std::make_unique<SetAsideChunks>();
  for (const std::string& folder : folders) {
    if (all->stores_.size() == kStoresMax) break;
    if (!HasStore(folder)) continue;
    LocalChunkStore::Options options;
    options.data_dir = folder;
    auto store = LocalChunkStore::Open(options);
    if (store.ok()) {
      LOG(INFO) << "copies may be taken from what was set aside in " << folder;
      all->stores_.push_back(*std::move(store));
    } else {
      LOG(WARNING) << "what was set aside in " << folder << " is of no use: " << store.status();
    }
  }
  return all;
}

std::unique_ptr<ChunkReader> SetAsideChunks::Find(const ChunkInfo& info) {
  for (const auto& store : stores_) {
    auto reader = store->Open(info.id);
    if (!reader.ok()) continue;
    if ((*reader)->info().size == info.size && (*reader)->info().hash == info.hash) {
      return *std::move(reader);
    }
  }
  return nullptr;
}

}  // namespace dfs::chunk
