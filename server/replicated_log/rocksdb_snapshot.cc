#include "server/replicated_log/rocksdb_snapshot.h"

#include <glog/logging.h>

#include <array>
#include <utility>

#include <rocksdb/sst_file_writer.h>

#include "absl/strings/str_cat.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "server/replicated_log/rocksdb_database.h"

namespace dfs::replicated_log {
namespace {

constexpr std::uint64_t kFileBytes = std::uint64_t{64} << 20;
constexpr std::uint32_t kFilesMax = 65'536;

std::array<char, 4> LengthOf(std::string_view text) {
  std::array<char, 4> out{};
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(text.size() >> (8 * i));
  return out;
}

class Files final : public SnapshotFiles {
 public:
  Files(std::unique_ptr<RocksdbScratchFolder> folder, SnapshotContent content, std::size_t count)
      : folder_(std::move(folder)), content_(content), count_(count) {}
  [[nodiscard]] const SnapshotContent& content() const override { return content_; }
  [[nodiscard]] std::size_t count() const override { return count_; }
  [[nodiscard]] absl::StatusOr<std::string> Read(std::size_t file, std::uint64_t offset,
                                                 std::size_t bytes_max) override {
    if (file >= count_) return absl::OutOfRangeError("no such file");
    const std::string path = folder_->FilePath(file);
    if (opened_ == nullptr || opened_number_ != file) {
      DFS_RETURN_IF_ERROR(
          FromRocksdb(folder_->env()->NewRandomAccessFile(path, &opened_, {}), path));
      opened_number_ = file;
    }
    std::string bytes(bytes_max, '\0');
    rocksdb::Slice piece;
    DFS_RETURN_IF_ERROR(FromRocksdb(opened_->Read(offset, bytes_max, &piece, bytes.data()), path));
    if (piece.data() != bytes.data()) return std::string(piece.data(), piece.size());
    bytes.resize(piece.size());
    return bytes;
  }

 private:
  const std::unique_ptr<RocksdbScratchFolder> folder_;
  const SnapshotContent content_;
  const std::size_t count_;
  std::unique_ptr<rocksdb::RandomAccessFile> opened_;
  std::size_t opened_number_ = 0;
};

}  // namespace

void SnapshotHasher::Add(std::string_view key, std::string_view value) {
  ++rows_;
  for (const std::string_view part : {key, value}) {
    const auto length = LengthOf(part);
    hash_.Update(length.data(), length.size());
    hash_.Update(part.data(), part.size());
  }
}

SnapshotContent ContentOf(const metadata::RowReader& rows) {
  SnapshotHasher hasher;
  rows.Scan("", "", [&](std::string_view key, std::string_view value) {
    hasher.Add(key, value);
    return true;
  });
  return hasher.content();
}

void RemoveScratch(rocksdb::Env* env, const std::string& path) {
  if (!env->FileExists(path).ok()) return;
  std::vector<std::string> names;
  auto status = env->GetChildren(path, &names);
  for (const auto& name : names) {
    if (name == "." || name == ".." || !status.ok()) continue;
    status = env->DeleteFile(path + "/" + name);
  }
  if (status.ok()) status = env->DeleteDir(path);
  if (!status.ok()) LOG(WARNING) << "removing " << path << ": " << status.ToString();
}

absl::StatusOr<std::unique_ptr<RocksdbScratchFolder>> RocksdbScratchFolder::Make(
    rocksdb::Env* env, std::string path) {
  RemoveScratch(env, path);
  DFS_RETURN_IF_ERROR(FromRocksdb(env->CreateDirIfMissing(path), path));
  return std::unique_ptr<RocksdbScratchFolder>(new RocksdbScratchFolder(env, std::move(path)));
}

RocksdbScratchFolder::~RocksdbScratchFolder() { RemoveScratch(env_, path_); }

std::string RocksdbScratchFolder::FilePath(std::size_t file) const {
  return absl::StrCat(path_, "/", file, ".sst");
}

absl::StatusOr<std::unique_ptr<SnapshotFiles>> WriteSnapshotFiles(
    std::unique_ptr<RocksdbScratchFolder> folder, const metadata::RowReader& rows) {
  const rocksdb::Options options = RocksdbDatabase::FileOptions(folder->env());
  SnapshotHasher hasher;
  std::unique_ptr<rocksdb::SstFileWriter> writer;
  std::size_t count = 0;
  rocksdb::Status status;
  rows.Scan("", "", [&](std::string_view key, std::string_view value) {
    if (writer == nullptr) {
      writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options), options);
      status = writer->Open(folder->FilePath(count++));
    }
    if (status.ok()) {
      status = writer->Put({key.data(), key.size()}, {value.data(), value.size()});
      hasher.Add(key, value);
    }
    if (status.ok() && writer->FileSize() >= kFileBytes) {
      status = writer->Finish();
      writer.reset();
    }
    return status.ok();
  });
  if (status.ok() && writer != nullptr) status = writer->Finish();
  DFS_RETURN_IF_ERROR(FromRocksdb(status, "writing a snapshot"));
  return std::make_unique<Files>(std::move(folder), hasher.content(), count);
}

absl::Status RocksdbSnapshotSink::Append(std::uint32_t file, std::string_view data,
                                         bool is_last_of_file) {
  if (file != complete_ || complete_ >= kFilesMax) {
    return absl::InvalidArgumentError("pieces of a snapshot are out of order");
  }
  const std::string path = folder_->FilePath(file);
  if (file_ == nullptr) {
    DFS_RETURN_IF_ERROR(FromRocksdb(folder_->env()->NewWritableFile(path, &file_, {}), path));
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(file_->Append({data.data(), data.size()}), path));
  if (!is_last_of_file) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(FromRocksdb(file_->Fsync(), path));
  DFS_RETURN_IF_ERROR(FromRocksdb(file_->Close(), path));
  file_.reset();
  ++complete_;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> RocksdbSnapshotSink::Paths() const {
  if (file_ != nullptr) return absl::InvalidArgumentError("the snapshot ends inside a file");
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < complete_; ++i) paths.push_back(folder_->FilePath(i));
  return paths;
}

}  // namespace dfs::replicated_log
