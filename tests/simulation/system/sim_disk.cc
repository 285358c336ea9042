#include "tests/simulation/system/sim_disk.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/random.h"
#include "tests/simulation/system/sim_wire.h"

namespace dfs::simulation {
namespace {

constexpr std::uint64_t kDiskBytes = std::uint64_t{1} << 36;

std::map<std::string, SimDisk*>& Disks() {
  static auto* const disks = new std::map<std::string, SimDisk*>;
  return *disks;
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

void SimRows::Apply(const Batch& batch, Rows& rows) {
  for (const auto& [key, value] : batch) {
    if (value) {
      rows.insert_or_assign(key, *value);
    } else {
      rows.erase(key);
    }
  }
}

void SimRows::Write(const Batch& batch) {
  Apply(batch, rows_);
  unsynced_.push_back(batch);
}

void SimRows::Sync() {
  for (const Batch& batch : unsynced_) Apply(batch, durable_);
  unsynced_.clear();
}

void SimRows::Replace(Rows rows) {
  rows_ = std::move(rows);
  durable_ = rows_;
  unsynced_.clear();
}

void SimRows::Crash(Random& random) {
  const std::uint64_t kept = random.Below(unsynced_.size() + 1);
  unsynced_.resize(static_cast<std::size_t>(kept));
  Sync();
  rows_ = durable_;
}

void SimRows::Rot(const std::string& key, const std::string& value) {
  rows_.insert_or_assign(key, value);
  durable_.insert_or_assign(key, value);
}

SimDisk::SimDisk(FiberScheduler* scheduler, std::string path)
    : scheduler_(scheduler), path_(std::move(path)) {
  identity.storage_uuid = {SystemRandom64(), SystemRandom64()};
  Disks()[path_] = this;
}
SimDisk::~SimDisk() {
  if (Find(path_) == this) Disks().erase(path_);
}
SimDisk* SimDisk::Find(const std::string& path) {
  const auto found = Disks().find(path);
  return found == Disks().end() ? nullptr : found->second;
}

absl::Status SimDisk::SpendSync() {
  const bool is_slow = scheduler_->now_ns() < slow_until_ns_;
  scheduler_->SleepFor(
      scheduler_->random().Between(100, is_slow ? 400'000 : 2'000) * kMicrosecond);
  while (scheduler_->now_ns() < stalled_until_ns_) {
    scheduler_->SleepFor(stalled_until_ns_ - scheduler_->now_ns());
  }
  if (!fails_next_sync_) return absl::OkStatus();
  fails_next_sync_ = false;
  return absl::DataLossError("the disk failed to sync");
}

// ---- rot ----

namespace {

// The block that a flip, a lost write or a stray write hits.
constexpr std::size_t kBlock = 4096;

}  // namespace

const std::string* SimDisk::BytesAt(bool is_file, const std::string& key) const {
  if (is_file) {
    const auto found = files.find(key);
    return found == files.end() ? nullptr : &found->second->bytes;
  }
  const auto found = index.rows().find(key);
  return found == index.rows().end() ? nullptr : &found->second;
}

int SimDisk::Rot(int objects_max) {
  Random& random = scheduler_->random();
  // (is it a file, key): files of objects, and small objects in the index. The header of a file is padding for the most
  // part, where a flip says nothing: it is left alone.
  std::vector<std::pair<bool, std::string>> victims;
  for (const auto& [path, file] : files) {
    const bool is_object = path.find("/chunks/") != std::string::npos &&
                           path.find("/quarantine/") == std::string::npos;
    if (is_object && !file->is_unlinked && file->is_named &&
        file->synced == file->bytes.size() && file->synced > kBlock) {
      victims.emplace_back(true, path);
    }
  }
  for (const auto& [key, value] : index.durable()) {
    if (key.starts_with('b') && !value.empty()) victims.emplace_back(false, key);
  }
  int done = 0;
  while (done < objects_max && !victims.empty()) {
    const auto at = static_cast<std::size_t>(random.Below(victims.size()));
    const auto [is_file, key] = victims[at];
    victims.erase(victims.begin() + static_cast<std::ptrdiff_t>(at));
    const std::string* const stored = BytesAt(is_file, key);
    if (stored == nullptr) continue;
    const std::string before = *stored;
    std::string bytes = before;
    const std::size_t first = is_file ? kBlock : 0;
    const std::size_t hit = first + static_cast<std::size_t>(random.Below(bytes.size() - first));
    const std::uint64_t kind = random.Below(3);
    if (kind == 0 || victims.empty()) {
      bytes[hit] = static_cast<char>(bytes[hit] ^ (1 << random.Below(8)));
    } else {
      const auto& other = victims[static_cast<std::size_t>(random.Below(victims.size()))];
      const std::string* const source = BytesAt(other.first, other.second);
      for (std::size_t i = hit; i < std::min(bytes.size(), hit + kBlock); ++i) {
        bytes[i] = kind == 1 || source == nullptr ? '\0' : (*source)[i % source->size()];
      }
    }
    if (bytes == before) continue;
    if (is_file) {
      files.at(key)->bytes = bytes;
    } else {
      index.Rot(key, bytes);
    }
    rotten_.push_back({is_file, key, std::move(bytes)});
    has_ever_rotted_ = true;
    ++done;
  }
  return done;
}

bool SimDisk::HasRot() {
  std::erase_if(rotten_, [this](const RottenBytes& rotten) {
    const std::string* const now = BytesAt(rotten.is_file, rotten.key);
    return now == nullptr || *now != rotten.bytes;
  });
  return !rotten_.empty();
}

struct SimDisk::Image {
  replicated_log::Identity identity;
  consensus::InitialState log;
  replicated_log::WitnessMarks marks;
  SimRows::Rows state;
  SimRows::Rows index;
  std::map<std::string, File> files;
  std::map<std::string, bool> folders;
  std::vector<RottenBytes> rotten;
};

std::shared_ptr<const SimDisk::Image> SimDisk::TakeImage() const {
  auto image = std::make_shared<Image>();
  image->identity = identity;
  image->log = log;
  image->marks = marks;
  image->state = state.durable();
  image->index = index.durable();
  image->folders = folders;
  image->rotten = rotten_;
  for (const auto& [path, file] : files) {
    if (file->is_unlinked || !file->is_named) continue;
    File copy = *file;
    copy.bytes.resize(copy.synced);
    image->files.emplace(path, std::move(copy));
  }
  return image;
}

bool SimDisk::IsAheadOf(const Image& image) const {
  const auto end_of = [](const consensus::InitialState& state_of_log) {
    return std::pair(
        state_of_log.entries.empty() ? state_of_log.base_term : state_of_log.entries.back().term,
        state_of_log.base_index.value() + state_of_log.entries.size());
  };
  return end_of(image.log) < end_of(log) ||
         image.identity.boot_epoch < identity.boot_epoch;
}

void SimDisk::PutBack(const Image& image) {
  identity = image.identity;
  log = image.log;
  marks = image.marks;
  state.Replace(image.state);
  PutBackChunks(image);
}

bool SimDisk::LacksChunks(const Image& image) const {
  return std::any_of(index.rows().begin(), index.rows().end(), [&image](const auto& row) {
    return row.first.starts_with('c') && !image.index.contains(row.first);
  });
}

void SimDisk::PutBackChunks(const Image& image) {
  index.Replace(image.index);
  folders = image.folders;
  rotten_ = image.rotten;
  files.clear();
  for (const auto& [path, file] : image.files) files[path] = std::make_shared<File>(file);
}

void SimDisk::Wipe() {
  Image empty;
  empty.identity.storage_uuid = {SystemRandom64(), SystemRandom64()};
  PutBack(empty);
  has_ever_rotted_ = false;
}

void SimDisk::Crash(bool power_cut) {
  stalled_until_ns_ = 0;
  fails_next_sync_ = false;
  if (!power_cut) return;
  Random& random = scheduler_->random();
  state.Crash(random);
  index.Crash(random);
  for (auto it = files.begin(); it != files.end();) {
    File& file = *it->second;
    const bool is_back = file.is_unlinked && random.OneIn(1, 2);
    const bool is_lost = file.is_unlinked ? !is_back : !file.is_named && random.OneIn(1, 2);
    if (is_lost) {
      it = files.erase(it);
      continue;
    }
    file.is_unlinked = false;
    file.is_named = true;
    const std::size_t unsynced = file.bytes.size() - file.synced;
    file.bytes.resize(file.synced + static_cast<std::size_t>(random.Below(unsynced + 1)));
    file.synced = file.bytes.size();
    ++it;
  }
}

// ---- files ----

namespace {

class SimDiskFile final : public DiskFile {
 public:
  SimDiskFile(SimDisk* disk, std::shared_ptr<SimDisk::File> file)
      : disk_(disk), file_(std::move(file)) {}

  absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    if (disk_->is_full()) return absl::ResourceExhaustedError("the disk is full");
    for (const std::string_view piece : pieces) {
      const auto at = static_cast<std::size_t>(offset);
      if (file_->bytes.size() < at + piece.size()) file_->bytes.resize(at + piece.size());
      file_->bytes.replace(at, piece.size(), piece);
      file_->synced = std::min(file_->synced, at);
      offset += piece.size();
    }
    return absl::OkStatus();
  }
  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    const auto at = static_cast<std::size_t>(offset);
    if (at + out.size() > file_->bytes.size()) return absl::OutOfRangeError("the file ends before");
    std::copy_n(file_->bytes.data() + at, out.size(), out.data());
    return absl::OkStatus();
  }
  void StartWriteback(std::uint64_t /*offset*/, std::uint64_t /*length*/) override {}
  absl::Status SyncData() override {
    const std::size_t bytes = file_->bytes.size();
    if (auto status = disk_->SpendSync(); !status.ok()) return status;
    file_->synced = bytes;
    return absl::OkStatus();
  }
  absl::Status SetMode(std::uint32_t /*mode*/) override { return absl::OkStatus(); }

 private:
  SimDisk* const disk_;
  const std::shared_ptr<SimDisk::File> file_;
};

class DiskOf final : public Disk {
 public:
  explicit DiskOf(SimDisk* disk) : disk_(disk) {}

  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override {
    if (disk_->is_full()) return absl::ResourceExhaustedError("the disk is full");
    auto& file = disk_->files[path];
    if (file != nullptr && !file->is_unlinked) return absl::AlreadyExistsError(path);
    file = std::make_shared<SimDisk::File>();
    return std::make_unique<SimDiskFile>(disk_, file);
  }
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) override {
    const auto found = disk_->files.find(path);
    if (found == disk_->files.end() || found->second->is_unlinked) {
      return absl::NotFoundError(path);
    }
    return std::make_unique<SimDiskFile>(disk_, found->second);
  }
  absl::Status Unlink(const std::string& path) override {
    const auto found = disk_->files.find(path);
    if (found == disk_->files.end() || found->second->is_unlinked) {
      return absl::NotFoundError(path);
    }
    found->second->is_unlinked = true;
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    const auto found = disk_->files.find(from);
    if (found == disk_->files.end()) return absl::NotFoundError(from);
    disk_->files[to] = found->second;
    disk_->files.erase(from);
    return absl::OkStatus();
  }
  absl::Status MakeFolder(const std::string& path) override {
    disk_->folders[path] = true;
    return absl::OkStatus();
  }
  absl::Status SyncFolder(const std::string& path) override {
    if (auto status = disk_->SpendSync(); !status.ok()) return status;
    for (auto it = disk_->files.begin(); it != disk_->files.end();) {
      if (FolderOf(it->first) == path) {
        it->second->is_named = true;
        if (it->second->is_unlinked) {
          it = disk_->files.erase(it);
          continue;
        }
      }
      ++it;
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) override {
    std::vector<DiskEntry> out;
    for (const auto& [name, file] : disk_->files) {
      if (FolderOf(name) == path && !file->is_unlinked) {
        out.push_back({name.substr(path.size() + 1), false});
      }
    }
    for (const auto& [name, is_there] : disk_->folders) {
      if (FolderOf(name) == path) out.push_back({name.substr(path.size() + 1), true});
    }
    return out;
  }
  absl::StatusOr<DiskSpace> GetSpace(const std::string& /*path*/) override {
    return DiskSpace{kDiskBytes, disk_->is_full() ? 0 : kDiskBytes / 2};
  }

 private:
  SimDisk* const disk_;
};

}  // namespace

std::unique_ptr<Disk> MakeDiskOf(SimDisk* disk) { return std::make_unique<DiskOf>(disk); }

}  // namespace dfs::simulation
