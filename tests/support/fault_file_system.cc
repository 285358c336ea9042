#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace dfs::testing {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr char kStopped[] = "the disk has stopped";

std::vector<std::string> Components(const std::string& path) {
  std::vector<std::string> out;
  std::string part;
  for (const char c : path + "/") {
    if (c != '/') {
      part.push_back(c);
    } else if (!part.empty()) {
      if (part != ".") out.push_back(part);
      part.clear();
    }
  }
  return out;
}

class Silence final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
  std::size_t GetLogFileSize() const override { return 0; }  // asked if logs are limited in size
};

class NamedLock final : public rocksdb::FileLock {
 public:
  explicit NamedLock(std::string name) : path(std::move(name)) {}
  const std::string path;
};

}  // namespace

// What all open files share.
class FaultFileSystem::OpenFile {
 public:
  OpenFile(FaultFileSystem* system, std::string path, NodePtr node)
      : system_(system), path_(std::move(path)), node_(std::move(node)) {}

  IOStatus ReadAt(std::uint64_t offset, std::size_t n, Slice* result, char* scratch) const {
    MutexLock lock(&system_->mutex_);
    const std::size_t at = std::min<std::size_t>(offset, node_->bytes.size());
    const std::size_t length = std::min(n, node_->bytes.size() - at);
    std::memcpy(scratch, node_->bytes.data() + at, length);
    *result = Slice(scratch, length);
    return IOStatus::OK();
  }
  IOStatus WriteAt(std::uint64_t offset, const Slice& data) {
    MutexLock lock(&system_->mutex_);
    if (auto status = system_->CountLocked(); !status.ok()) return status;
    node_->BeforeOverwrite(offset);
    if (node_->bytes.size() < offset + data.size()) node_->bytes.resize(offset + data.size());
    std::memcpy(node_->bytes.data() + offset, data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus AppendToEnd(const Slice& data) {
    MutexLock lock(&system_->mutex_);
    if (auto status = system_->CountLocked(); !status.ok()) return status;
    node_->bytes.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Resize(std::uint64_t size) {
    MutexLock lock(&system_->mutex_);
    if (size == node_->bytes.size()) return IOStatus::OK();
    if (auto status = system_->CountLocked(); !status.ok()) return status;
    node_->BeforeOverwrite(size);
    node_->bytes.resize(size);
    return IOStatus::OK();
  }
  IOStatus SyncAll() {
    MutexLock lock(&system_->mutex_);
    return system_->SyncLocked(path_, *node_);
  }
  std::uint64_t size() const {
    MutexLock lock(&system_->mutex_);
    return node_->bytes.size();
  }

 private:
  FaultFileSystem* const system_;
  const std::string path_;
  const NodePtr node_;
};

class FaultFileSystem::SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(OpenFile file) : file_(std::move(file)) {}
  IOStatus Read(std::size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                IODebugContext* /*debug*/) override {
    auto status = file_.ReadAt(at_, n, result, scratch);
    at_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t n) override {
    at_ = std::min(at_ + n, file_.size());
    return IOStatus::OK();
  }

 private:
  OpenFile file_;
  std::uint64_t at_ = 0;
};

class FaultFileSystem::RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(OpenFile file) : file_(std::move(file)) {}
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*debug*/) const override {
    return file_.ReadAt(offset, n, result, scratch);
  }

 private:
  OpenFile file_;
};

class FaultFileSystem::WritableFile final : public rocksdb::FSWritableFile {
 public:
  using rocksdb::FSWritableFile::Append;
  using rocksdb::FSWritableFile::PositionedAppend;
  explicit WritableFile(OpenFile file) : file_(std::move(file)) {}
  IOStatus Append(const Slice& data, const IOOptions& /*options*/,
                  IODebugContext* /*debug*/) override {
    return file_.AppendToEnd(data);
  }
  IOStatus PositionedAppend(const Slice& data, std::uint64_t offset, const IOOptions& /*options*/,
                            IODebugContext* /*debug*/) override {
    return file_.WriteAt(offset, data);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    return file_.Resize(size);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return file_.SyncAll();
  }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return file_.size();
  }

 private:
  OpenFile file_;
};

class FaultFileSystem::RandomRwFile final : public rocksdb::FSRandomRWFile {
 public:
  explicit RandomRwFile(OpenFile file) : file_(std::move(file)) {}
  IOStatus Write(std::uint64_t offset, const Slice& data, const IOOptions& /*options*/,
                 IODebugContext* /*debug*/) override {
    return file_.WriteAt(offset, data);
  }
  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*debug*/) const override {
    return file_.ReadAt(offset, n, result, scratch);
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return file_.SyncAll();
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }

 private:
  OpenFile file_;
};

class FaultFileSystem::Directory final : public rocksdb::FSDirectory {
 public:
  Directory(FaultFileSystem* system, std::string path, NodePtr node)
      : file_(system, std::move(path), std::move(node)) {}
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return file_.SyncAll();
  }

 private:
  OpenFile file_;
};

FaultFileSystem::FaultFileSystem() : root_(std::make_shared<Node>()) {
  root_->is_folder = true;
  // The Env does not own this object.
  env_ = rocksdb::NewCompositeEnv(std::shared_ptr<rocksdb::FileSystem>(std::shared_ptr<void>(), this));
}
FaultFileSystem::~FaultFileSystem() = default;

std::uint64_t FaultFileSystem::operations() const {
  MutexLock lock(&mutex_);
  return operations_;
}
void FaultFileSystem::StopAt(std::uint64_t operation) {
  MutexLock lock(&mutex_);
  stop_at_ = operation;
}
bool FaultFileSystem::is_stopped() const {
  MutexLock lock(&mutex_);
  return is_stopped_;
}
void FaultFileSystem::FailNextSync(std::string part) {
  MutexLock lock(&mutex_);
  fail_sync_of_ = std::move(part);
}

IOStatus FaultFileSystem::CountLocked() {
  if (!is_stopped_) {
    ++operations_;
    is_stopped_ = stop_at_ != 0 && operations_ >= stop_at_;
  }
  return is_stopped_ ? IOStatus::IOError(kStopped) : IOStatus::OK();
}

FaultFileSystem::NodePtr FaultFileSystem::FindLocked(const std::string& path) const {
  NodePtr node = root_;
  for (const auto& part : Components(path)) {
    const auto found = node->children.find(part);
    if (found == node->children.end()) return nullptr;
    node = found->second;
  }
  return node;
}

std::pair<FaultFileSystem::NodePtr, std::string> FaultFileSystem::ParentLocked(
    const std::string& path) const {
  auto parts = Components(path);
  if (parts.empty()) return {nullptr, ""};
  std::string name = parts.back();
  parts.pop_back();
  NodePtr node = root_;
  for (const auto& part : parts) {
    const auto found = node->children.find(part);
    if (found == node->children.end() || !found->second->is_folder) return {nullptr, name};
    node = found->second;
  }
  return {node, name};
}

IOStatus FaultFileSystem::CreateLocked(const std::string& path, bool is_folder, bool keep_existing,
                                       NodePtr* result) {
  const auto [folder, name] = ParentLocked(path);
  if (!folder) return IOStatus::PathNotFound(path);
  const auto found = folder->children.find(name);
  if (found != folder->children.end() && (keep_existing || is_folder)) {
    *result = found->second;
    return IOStatus::OK();
  }
  if (auto status = CountLocked(); !status.ok()) return status;
  auto node = std::make_shared<Node>();
  node->is_folder = is_folder;
  folder->Do({{name, node}});
  *result = node;
  return IOStatus::OK();
}

IOStatus FaultFileSystem::RemoveLocked(const std::string& path, bool is_folder) {
  const auto [folder, name] = ParentLocked(path);
  if (!folder) return IOStatus::PathNotFound(path);
  const auto found = folder->children.find(name);
  if (found == folder->children.end() || found->second->is_folder != is_folder) {
    return IOStatus::PathNotFound(path);
  }
  if (is_folder && !found->second->children.empty()) return IOStatus::IOError(path, "not empty");
  if (auto status = CountLocked(); !status.ok()) return status;
  folder->Do({{name, nullptr}});
  return IOStatus::OK();
}

IOStatus FaultFileSystem::SyncLocked(const std::string& path, Node& node) {
  if (auto status = CountLocked(); !status.ok()) return status;
  if (fail_sync_of_ && path.find(*fail_sync_of_) != std::string::npos) {
    fail_sync_of_.reset();
    node.durable = node.DurableBytes();
    node.lost_sync = true;
    return IOStatus::IOError(path, "sync failed");
  }
  if (node.is_folder) {
    node.durable_children = node.children;
    node.unsynced.clear();
  } else if (!node.lost_sync) {
    node.durable.reset();
    node.synced_bytes = node.bytes.size();
  }
  return IOStatus::OK();
}

void FaultFileSystem::Crash(Loss loss, std::uint64_t seed) {
  MutexLock lock(&mutex_);
  CrashNode(root_, loss, seed);
  locks_.clear();
  stop_at_ = 0;
  is_stopped_ = false;
  fail_sync_of_.reset();
}

void FaultFileSystem::ListLocked(const std::string& path, const Node& node,
                                 std::vector<std::string>& out) const {
  for (const auto& [name, child] : node.children) {
    if (child->is_folder) {
      ListLocked(path + "/" + name, *child, out);
    } else {
      out.push_back(path + "/" + name);
    }
  }
}

std::vector<std::string> FaultFileSystem::Files(const std::string& folder) const {
  MutexLock lock(&mutex_);
  std::vector<std::string> out;
  if (const auto node = FindLocked(folder); node) ListLocked(folder, *node, out);
  return out;
}
std::optional<std::string> FaultFileSystem::Read(const std::string& path) const {
  MutexLock lock(&mutex_);
  const auto node = FindLocked(path);
  if (!node || node->is_folder) return std::nullopt;
  return node->bytes;
}
std::optional<std::string> FaultFileSystem::ReadDurable(const std::string& path) const {
  MutexLock lock(&mutex_);
  NodePtr node = root_;
  for (const auto& part : Components(path)) {
    const auto found = node->durable_children.find(part);
    if (found == node->durable_children.end()) return std::nullopt;
    node = found->second;
  }
  if (node->is_folder) return std::nullopt;
  return node->DurableBytes();
}
void FaultFileSystem::Replace(const std::string& path, std::string bytes) {
  MutexLock lock(&mutex_);
  const auto node = FindLocked(path);
  if (!node || node->is_folder) return;
  node->bytes = std::move(bytes);
  node->durable.reset();
  node->synced_bytes = node->bytes.size();
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& /*options*/,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                            IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  auto node = FindLocked(path);
  if (!node || node->is_folder) return IOStatus::PathNotFound(path);
  *result = std::make_unique<SequentialFile>(OpenFile(this, path, std::move(node)));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path,
                                              const FileOptions& /*options*/,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                              IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  auto node = FindLocked(path);
  if (!node || node->is_folder) return IOStatus::PathNotFound(path);
  *result = std::make_unique<RandomAccessFile>(OpenFile(this, path, std::move(node)));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& /*options*/,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  NodePtr node;
  if (auto status = CreateLocked(path, false, false, &node); !status.ok()) return status;
  *result = std::make_unique<WritableFile>(OpenFile(this, path, std::move(node)));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path,
                                             const FileOptions& /*options*/,
                                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                                             IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  NodePtr node;
  if (auto status = CreateLocked(path, false, true, &node); !status.ok()) return status;
  *result = std::make_unique<WritableFile>(OpenFile(this, path, std::move(node)));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path, const FileOptions& /*options*/,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                          IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  auto node = FindLocked(path);
  if (!node || node->is_folder) return IOStatus::PathNotFound(path);
  *result = std::make_unique<RandomRwFile>(OpenFile(this, path, std::move(node)));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& /*options*/,
                                       std::unique_ptr<rocksdb::FSDirectory>* result,
                                       IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  auto node = FindLocked(path);
  if (!node || !node->is_folder) return IOStatus::PathNotFound(path);
  *result = std::make_unique<Directory>(this, path, std::move(node));
  return IOStatus::OK();
}
IOStatus FaultFileSystem::FileExists(const std::string& path, const IOOptions& /*options*/,
                                     IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  return FindLocked(path) ? IOStatus::OK() : IOStatus::NotFound(path);
}
IOStatus FaultFileSystem::GetChildren(const std::string& path, const IOOptions& /*options*/,
                                      std::vector<std::string>* result, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  result->clear();
  const auto node = FindLocked(path);
  if (!node || !node->is_folder) return IOStatus::NotFound(path);
  for (const auto& [name, child] : node->children) result->push_back(name);
  return IOStatus::OK();
}
IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions& /*options*/,
                                     IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  return RemoveLocked(path, false);
}
IOStatus FaultFileSystem::Truncate(const std::string& path, std::size_t size,
                                   const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  const auto node = FindLocked(path);
  if (!node || node->is_folder) return IOStatus::PathNotFound(path);
  if (auto status = CountLocked(); !status.ok()) return status;
  node->BeforeOverwrite(size);
  node->bytes.resize(size);
  return IOStatus::OK();
}
IOStatus FaultFileSystem::CreateDir(const std::string& path, const IOOptions& /*options*/,
                                    IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  if (FindLocked(path)) return IOStatus::IOError(path, "exists");
  NodePtr node;
  return CreateLocked(path, true, false, &node);
}
IOStatus FaultFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& /*options*/,
                                             IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  NodePtr node;
  return CreateLocked(path, true, true, &node);
}
IOStatus FaultFileSystem::DeleteDir(const std::string& path, const IOOptions& /*options*/,
                                    IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  return RemoveLocked(path, true);
}
IOStatus FaultFileSystem::GetFileSize(const std::string& path, const IOOptions& /*options*/,
                                      std::uint64_t* size, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  const auto node = FindLocked(path);
  if (!node || node->is_folder) return IOStatus::PathNotFound(path);
  *size = node->bytes.size();
  return IOStatus::OK();
}
IOStatus FaultFileSystem::GetFileModificationTime(const std::string& path,
                                                  const IOOptions& /*options*/,
                                                  std::uint64_t* time, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  *time = 0;
  return FindLocked(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
}
IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  const auto [from_folder, from_name] = ParentLocked(from);
  const auto [to_folder, to_name] = ParentLocked(to);
  const NodePtr node = FindLocked(from);
  if (!from_folder || !to_folder || !node) return IOStatus::PathNotFound(from);
  const NodePtr target = FindLocked(to);
  if (target && target->is_folder && !target->children.empty()) {
    return IOStatus::IOError(to, "not empty");
  }
  if (auto status = CountLocked(); !status.ok()) return status;
  if (from_folder == to_folder) {
    from_folder->Do({{from_name, nullptr}, {to_name, node}});
  } else {
    to_folder->Do({{to_name, node}});
    from_folder->Do({{from_name, nullptr}});
  }
  return IOStatus::OK();
}
IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to,
                                   const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  const NodePtr node = FindLocked(from);
  const auto [folder, name] = ParentLocked(to);
  if (!node || node->is_folder || !folder) return IOStatus::PathNotFound(from);
  if (folder->children.contains(name)) return IOStatus::IOError(to, "exists");
  if (auto status = CountLocked(); !status.ok()) return status;
  folder->Do({{name, node}});
  return IOStatus::OK();
}
IOStatus FaultFileSystem::LockFile(const std::string& path, const IOOptions& /*options*/,
                                   rocksdb::FileLock** lock, IODebugContext* /*debug*/) {
  MutexLock guard(&mutex_);
  NodePtr node;
  if (auto status = CreateLocked(path, false, true, &node); !status.ok()) return status;
  if (!locks_.insert(path).second) return IOStatus::IOError(path, "lock held by current process");
  *lock = new NamedLock(path);
  return IOStatus::OK();
}
IOStatus FaultFileSystem::UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                                     IODebugContext* /*debug*/) {
  MutexLock guard(&mutex_);
  locks_.erase(static_cast<NamedLock*>(lock)->path);
  delete static_cast<NamedLock*>(lock);
  return IOStatus::OK();
}
IOStatus FaultFileSystem::GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                                           IODebugContext* /*debug*/) {
  *path = "/test";
  return IOStatus::OK();
}
IOStatus FaultFileSystem::NewLogger(const std::string& /*path*/, const IOOptions& /*options*/,
                                    std::shared_ptr<rocksdb::Logger>* result,
                                    IODebugContext* /*debug*/) {
  *result = std::make_shared<Silence>();
  return IOStatus::OK();
}
IOStatus FaultFileSystem::GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                                          std::string* result, IODebugContext* /*debug*/) {
  *result = path;
  return IOStatus::OK();
}
IOStatus FaultFileSystem::GetFreeSpace(const std::string& /*path*/, const IOOptions& /*options*/,
                                       std::uint64_t* bytes, IODebugContext* /*debug*/) {
  *bytes = std::numeric_limits<std::uint32_t>::max();
  return IOStatus::OK();
}
IOStatus FaultFileSystem::IsDirectory(const std::string& path, const IOOptions& /*options*/,
                                      bool* is_directory, IODebugContext* /*debug*/) {
  MutexLock lock(&mutex_);
  const auto node = FindLocked(path);
  if (!node) return IOStatus::NotFound(path);
  *is_directory = node->is_folder;
  return IOStatus::OK();
}

}  // namespace dfs::testing
