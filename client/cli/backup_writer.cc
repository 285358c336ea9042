#include "client/cli/backup_writer.h"

#include <utility>

#include "common/status_macros.h"

namespace dfs::client::cli {

absl::StatusOr<std::unique_ptr<BackupWriter>> BackupWriter::Begin(const std::string& path, const BackupHeader& header) {
  DFS_ASSIGN_OR_RETURN(auto sink, FileSink::Create(path));
  auto writer = std::unique_ptr<BackupWriter>(new BackupWriter(std::move(sink)));
  DFS_RETURN_IF_ERROR(writer->AddLine(LineOf(header)));
  return writer;
}

absl::Status BackupWriter::Add(const v1::FileInfo& file) {
  ++sum_.files;
  sum_.bytes += file.size();
  return AddLine(LineOf(file));
}

absl::Status BackupWriter::AddLine(const std::string& line) {
  constexpr std::size_t kFlushBytes = std::size_t{1} << 20;
  const std::size_t before = buffer_.size();
  buffer_ += line;
  buffer_ += '\n';
  hash_.Update(buffer_.data() + before, buffer_.size() - before);
  return buffer_.size() < kFlushBytes ? absl::OkStatus() : Flush();
}

absl::Status BackupWriter::Flush() { return sink_->Write(Slices::Adopt(std::exchange(buffer_, ""))); }

absl::Status BackupWriter::Commit() {
  buffer_ += EndLineOf(sum_, hash_.Digest()) + "\n";
  DFS_RETURN_IF_ERROR(Flush());
  DFS_RETURN_IF_ERROR(sink_->Sync());
  return sink_->Commit();
}

}  // namespace dfs::client::cli
