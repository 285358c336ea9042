#include "server/metadata/metadata_view.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/mutant.h"
#include "server/metadata/clear_range.h"
#include "server/metadata/directory_rows.h"
#include "server/metadata/machine_cache.h"
#include "server/metadata/purge_bitmap.h"
#include "server/metadata/released_table.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/row_keys.h"
#include "server/metadata/session_table.h"
#include "server/metadata/trash_list.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

// Immutable after construction; rows are read as they are asked for.
class SnapshotView final : public MetadataView {
 public:
  SnapshotView(std::unique_ptr<RowReader> rows, Keeps keeps)
      : rows_(std::move(rows)), applied_(LoadApplied(*rows_)), counters_(LoadCounters(*rows_)) {
    if (keeps == Keeps::kDirectory && !DFS_MUTANT(1258, "a directory vouches for entries that it was not told")) {
      applied_.index = std::min(applied_.index, LoadDirectoryIndex(*rows_));
    }
    if (counters_.pending_clears() > 0) clears_ = LoadClears(*rows_);
  }

  LogIndex applied_index() const override { return applied_.index; }
  std::uint64_t log_time_us() const override { return applied_.log_time_us; }
  std::optional<ClusterId> cluster_id() const override { return LoadCluster(*rows_); }

  std::optional<rpc::BucketRow> FindBucket(std::string_view name) const override {
    const auto id = rows_->Get(BucketNameKey(name));
    if (!id) return std::nullopt;
    return FindBucket(BucketId(ReadBigEndian64(*id, 0)));
  }
  std::optional<rpc::BucketRow> FindBucket(BucketId id) const override {
    return Find<rpc::BucketRow>(BucketKey(id));
  }
  std::vector<rpc::BucketRow> Buckets() const override {
    std::vector<rpc::BucketRow> buckets;
    const std::string first = TableKey(kBucketNameTable);
    rows_->Scan(first, EndOfPrefix(first), [&](std::string_view, std::string_view id) {
      if (auto row = FindBucket(BucketId(ReadBigEndian64(id, 0)))) buckets.push_back(*std::move(row));
      return true;
    });
    return buckets;
  }
  rpc::BucketCountsRow CountsOf(BucketId id) const override {
    return LoadCounts(*rows_, id, counters_);
  }

  std::optional<rpc::VersionRow> FindFile(BucketId bucket, std::string_view name) const override {
    auto version = ReadFile(*rows_, bucket, name);
    if (version && FirstHiding(clears_, *version) != nullptr) return std::nullopt;
    return version;
  }
  std::optional<rpc::VersionRow> FindOld(BucketId bucket, std::string_view name,
                                         std::uint64_t number) const override {
    auto version = ReadOld(*rows_, bucket, name, number);
    if (version && FirstHiding(clears_, *version) != nullptr) return std::nullopt;
    return version;
  }
  std::vector<rpc::VersionRow> FindOlds(BucketId bucket, std::string_view name) const override {
    auto olds = ReadOlds(*rows_, bucket, name);
    std::erase_if(olds, [this](const auto& old) { return FirstHiding(clears_, old) != nullptr; });
    return olds;
  }
  std::optional<rpc::VersionRow> FindVersion(const TxnId& txn) const override {
    auto located = ReadVersion(*rows_, txn);
    if (!located) return std::nullopt;
    return AsSeen(std::move(located->row));
  }

  void ListChosen(BucketId bucket, std::string_view prefix, std::string_view after,
                  const std::function<Choice(std::string_view name)>& choose,
                  const std::function<bool(const rpc::VersionRow&)>& visit) const override {
    const std::string range = FileKey(bucket, prefix);
    const std::string first = std::max(range, FileKey(bucket, after).append(1, '\0'));
    const std::size_t name_at = FileKey(bucket, "").size();
    rows_->Scan(first, EndOfPrefix(range), [&](std::string_view key, std::string_view value) {
      const Choice choice = choose(key.substr(name_at));
      if (choice != Choice::kVisit) return choice == Choice::kPass;
      const auto version = ParseRow<rpc::VersionRow>(key, value);
      return FirstHiding(clears_, version) != nullptr || visit(version);
    });
  }

  void ListTrash(BucketId bucket, std::string_view prefix, const TrashPlace& after,
                 const std::function<Choice(std::string_view name, std::uint64_t number)>& choose,
                 const std::function<bool(const rpc::VersionRow&)>& visit) const override {
    TrashList(*rows_, clears_, bucket, prefix).Visit(after, choose, visit);
  }

  void ListIncomplete(const TxnId& after,
                      const std::function<bool(const rpc::VersionRow&)>& visit) const override {
    const std::string first = IncompleteKey(after).append(1, '\0');
    rows_->Scan(first, EndOfPrefix(TableKey(kIncompleteTable)),
                [&](std::string_view key, std::string_view) {
                  const auto version = FindVersion(TxnAtEnd(key));
                  CHECK(version) << "an incomplete version that does not exist";
                  return visit(*version);
                });
  }

  void ListVersions(const TxnId& after,
                    const std::function<bool(const rpc::VersionRow&)>& visit) const override {
    const std::string first = TxnKey(after).append(1, '\0');
    rows_->Scan(first, EndOfPrefix(TableKey(kTxnTable)),
                [&](std::string_view key, std::string_view) {
                  const auto version = FindVersion(TxnAtEnd(key));
                  CHECK(version) << "a transaction without its version";
                  return visit(*version);
                });
  }

  void ListTrashed(const std::function<bool(const rpc::VersionRow&)>& visit) const override {
    const std::string first = TableKey(kTrashTable);
    rows_->Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view value) {
      return visit(ParseRow<rpc::VersionRow>(key, value));
    });
  }

  void ListPurged(NodeId node, const std::function<bool(const ChunkId&)>& visit) const override {
    ListBitmaps(PurgeKey(node), visit);
  }
  bool IsPurged(NodeId node, const ChunkId& chunk) const override {
    const auto bitmap = rows_->Get(PurgeKey(node, chunk.txn));
    return bitmap && HasChunk(*bitmap, chunk.index);
  }

  void ListReleased(NodeId node, const std::function<bool(const ChunkId&)>& visit) const override {
    ListBitmaps(ReleasedKey(node), visit);
  }
  bool IsReleased(NodeId node, const ChunkId& chunk) const override {
    return metadata::IsReleased(*rows_, node, chunk);
  }

  bool HasPendingClear() const override { return !clears_.empty(); }

  std::vector<rpc::NodeRow> Nodes() const override {
    std::vector<rpc::NodeRow> nodes;
    const std::string first = TableKey(kNodeTable);
    rows_->Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view value) {
      nodes.push_back(ParseRow<rpc::NodeRow>(key, value));
      return true;
    });
    return nodes;
  }
  std::optional<rpc::NodeRow> FindNode(NodeId id) const override {
    return Find<rpc::NodeRow>(NodeKey(id));
  }
  std::optional<rpc::NodeRow> FindNode(const StorageUuid& uuid) const override {
    const auto id = rows_->Get(NodeUuidKey(uuid));
    if (!id) return std::nullopt;
    return FindNode(NodeId(ReadBigEndian32(*id, 0)));
  }
  BucketId next_bucket_id() const override { return BucketId(counters_.next_bucket_id()); }
  NodeId next_node_id() const override {
    return NodeId(std::max(counters_.next_node_id(), std::uint32_t{1}));
  }
  std::uint64_t member_count() const override { return counters_.members(); }

  std::optional<rpc::CommandResult> FindResult(const SessionId& session,
                                               std::uint64_t sequence) const override {
    return ReadResult(*rows_, session, sequence);
  }

  Totals GetTotals() const override {
    Totals totals;
    totals.files = counters_.files();
    totals.bytes = counters_.bytes();
    totals.trashed = counters_.trashed();
    totals.members = counters_.members();
    for (const rpc::CopiesCount& count : counters_.by_copies()) {
      const auto wanted = std::min<std::uint64_t>(count.replicas(), counters_.members());
      if (count.copies() < wanted) totals.under_replicated += count.files();
    }
    return totals;
  }
  StateHash GetStateHash() const override { return {applied_.index, applied_.hash}; }

 private:
  template <class Row>
  std::optional<Row> Find(const std::string& key) const {
    const auto value = rows_->Get(key);
    if (!value) return std::nullopt;
    return ParseRow<Row>(key, *value);
  }

  // Visits the chunks of all rows whose keys begin with `first`.
  void ListBitmaps(const std::string& first,
                   const std::function<bool(const ChunkId&)>& visit) const {
    rows_->Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view bitmap) {
      const TxnId txn = TxnAtEnd(key);
      const auto chunks = static_cast<std::uint32_t>(bitmap.size() * 8);
      for (std::uint32_t k = 0; k < chunks; ++k) {
        if (HasChunk(bitmap, k) && !visit(ChunkId{txn, k})) return false;
      }
      return true;
    });
  }

  // A version that a pending clear hides is trashed, though its row has not moved yet.
  rpc::VersionRow AsSeen(rpc::VersionRow version) const {
    if (version.trashed_index() != 0) return version;
    if (const rpc::ClearRow* hiding = FirstHiding(clears_, version)) TrashBy(*hiding, &version);
    return version;
  }

  const std::unique_ptr<RowReader> rows_;
  AppliedRow applied_;
  const rpc::CountersRow counters_;
  std::vector<rpc::ClearRow> clears_;
};

}  // namespace

std::unique_ptr<MetadataView> MakeView(std::unique_ptr<RowReader> rows, Keeps keeps) {
  return std::make_unique<SnapshotView>(std::move(rows), keeps);
}

}  // namespace dfs::metadata
