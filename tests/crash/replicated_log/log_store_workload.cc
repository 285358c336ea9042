#include "tests/crash/replicated_log/log_store_workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/memory_log_store.h"

namespace dfs::replicated_log {
namespace {

constexpr std::uint64_t kRowSlots = 7;

consensus::Configuration Members() {
  consensus::Configuration out;
  out.members[NodeId(1)] = {{1, 2}, "host:1", true};
  out.voters = {NodeId(1)};
  return out;
}

bool IsEqual(const consensus::Entry& a, const consensus::Entry& b) {
  return a.index == b.index && a.term == b.term && *a.command == *b.command;
}

bool IsSameLog(const LogModel& a, const LogModel& b) {
  return a.hard_state == b.hard_state && a.base_index == b.base_index &&
         a.base_term == b.base_term &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(), IsEqual);
}

std::string Describe(const LogModel& m) {
  return absl::StrCat("hard state ", m.hard_state.term.value(), "/", m.hard_state.voted_for.value(),
                      ", base ", m.base_index.value(), "/", m.base_term.value(), ", ",
                      m.entries.size(), " entries, applied ", m.applied, " under ", m.lineage);
}

}  // namespace

bool LogStoreWorkload::Open() {
  rows_failed_ = false;
  auto opened = RocksdbLogStore::Open(
      {"/data", disk_->env(), [this](const absl::Status&) { rows_failed_ = true; }});
  if (!opened.ok()) {
    EXPECT_TRUE(disk_->is_stopped()) << "an honest crash made the store refuse: " << opened.status();
    return false;
  }
  store_ = *std::move(opened);
  const Identity& identity = store_->identity();
  EXPECT_EQ(uuid_.value_or(identity.storage_uuid), identity.storage_uuid);
  EXPECT_GT(identity.boot_epoch, epoch_) << "a boot epoch came twice";
  uuid_ = identity.storage_uuid;
  epoch_ = identity.boot_epoch;
  return true;
}

void LogStoreWorkload::Run(int steps) {
  for (int i = 0; i < steps && !disk_->is_stopped() && !rows_failed_; ++i) Step();
}

void LogStoreWorkload::Step() {
  const std::uint64_t kind = random_.Below(20);
  if (kind < 7) {
    AppendSome();
  } else if (kind < 9) {
    TruncateAndAppend();
  } else if (kind < 10) {
    Vote();
  } else if (kind < 17) {
    ApplySome();
  } else if (kind < 19) {
    CutSome();
  } else {
    InstallSnapshot();
  }
}

consensus::Entry LogStoreWorkload::MakeEntry(LogIndex index, Term term) {
  consensus::Entry entry;
  entry.index = index;
  entry.term = term;
  entry.command = std::make_shared<const std::string>(
      absl::StrCat("command ", random_.Below(1'000'000), std::string(random_.Below(300), 'c')));
  return entry;
}

// A synced write was acknowledged: all that was written before it is durable too.
void LogStoreWorkload::Succeed() { durable_ = current_; }

void LogStoreWorkload::Write(const std::optional<consensus::HardState>& hard_state,
                             std::vector<consensus::Entry> entries) {
  const auto status = store_->Append(hard_state, entries);
  if (hard_state) current_.hard_state = *hard_state;
  if (!entries.empty()) {
    current_.entries.resize(entries.front().index.value() - current_.base_index.value() - 1);
    current_.entries.insert(current_.entries.end(), entries.begin(), entries.end());
  }
  if (status.ok()) Succeed();
}

void LogStoreWorkload::AppendSome() {
  std::optional<consensus::HardState> hard_state;
  if (current_.hard_state.term.is_none()) hard_state = consensus::HardState{Term(1), NodeId()};
  const Term term = hard_state ? hard_state->term : current_.hard_state.term;
  std::vector<consensus::Entry> entries;
  LogIndex index = current_.last_index();
  const std::uint64_t count = 1 + random_.Below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    index = index.Next();
    entries.push_back(MakeEntry(index, term));
  }
  Write(hard_state, std::move(entries));
}

// A new leader's entries replace what is not applied.
void LogStoreWorkload::TruncateAndAppend() {
  const std::uint64_t first = std::max(current_.applied, current_.base_index.value()) + 1;
  const consensus::HardState next{current_.hard_state.term.Next(), NodeId()};
  const std::uint64_t span = current_.last_index().value() + 1 - first;
  const LogIndex at(first + (span == 0 ? 0 : random_.Below(span)));
  Write(next, {MakeEntry(at, next.term)});
}

void LogStoreWorkload::Vote() {
  Write(consensus::HardState{current_.hard_state.term.Next(),
                             NodeId(1 + static_cast<std::uint32_t>(random_.Below(3)))},
        {});
}

std::string LogStoreWorkload::ValueOf(std::uint64_t lineage, std::uint64_t applied) const {
  return absl::StrCat(lineage, ".", applied, std::string(row_bytes_, 'r'));
}

// The whole state once so many entries are applied: each entry changes the applied row and one other.
std::vector<std::pair<std::string, std::string>> LogStoreWorkload::RowsOf(
    std::uint64_t lineage, std::uint64_t applied) const {
  std::map<std::string, std::string> rows;
  if (applied > 0) rows["applied"] = absl::StrCat(lineage, ".", applied);
  for (std::uint64_t i = applied; i > 0 && i + kRowSlots > applied; --i) {
    rows[absl::StrCat("row", i % kRowSlots)] = ValueOf(lineage, i);
  }
  return {rows.begin(), rows.end()};
}

void LogStoreWorkload::ApplySome() {
  const std::uint64_t to =
      std::min(current_.last_index().value(), current_.applied + 1 + random_.Below(6));
  for (std::uint64_t i = current_.applied + 1; i <= to && !rows_failed_; ++i) {
    metadata::RowBatch batch;
    batch.changes.emplace_back("applied", absl::StrCat(current_.lineage, ".", i));
    batch.changes.emplace_back(absl::StrCat("row", i % kRowSlots), ValueOf(current_.lineage, i));
    current_.applied = i;
    store_->state()->Write(batch);
  }
}

void LogStoreWorkload::CutSome() {
  const std::uint64_t base = current_.base_index.value();
  if (current_.applied <= base) return;
  const LogIndex to(base + 1 + random_.Below(current_.applied - base));
  if (!store_->SyncState().ok()) return;
  Succeed();
  const Term term = current_.TermAt(to);
  const auto status = store_->Cut(to, term, Members());
  current_.entries.erase(current_.entries.begin(),
                         current_.entries.begin() + static_cast<std::ptrdiff_t>(to.value() - base));
  current_.base_index = to;
  current_.base_term = term;
  if (status.ok()) Succeed();
}

std::unique_ptr<PreparedState> LogStoreWorkload::Prepare(std::uint64_t lineage,
                                                         std::uint64_t index,
                                                         SnapshotContent* content) {
  testing::MemoryRows rows;
  metadata::RowBatch batch;
  for (auto& [key, value] : RowsOf(lineage, index)) batch.changes.emplace_back(key, value);
  rows.Write(batch);
  const auto files = store_->WriteSnapshot(rows);
  if (!files.ok()) return nullptr;
  *content = (*files)->content();
  auto sink = store_->NewSnapshotSink();
  if (!sink.ok()) return nullptr;
  for (std::size_t file = 0; file < (*files)->count(); ++file) {
    const auto bytes = (*files)->Read(file, 0, std::size_t{16} << 20);
    if (!bytes.ok() || !(*sink)->Append(static_cast<std::uint32_t>(file), *bytes, true).ok()) {
      return nullptr;
    }
  }
  auto prepared = store_->PrepareState(*std::move(sink), *content, nullptr);
  if (!prepared.ok()) return nullptr;
  return *std::move(prepared);
}

void LogStoreWorkload::InstallSnapshot() {
  const std::uint64_t lineage = next_lineage_++;
  // Ahead of the applied index; in the log or behind its end.
  const std::uint64_t index =
      std::max(current_.applied, current_.base_index.value()) + 1 + random_.Below(8);
  SnapshotDescription description;
  description.index = LogIndex(index);
  description.configuration = Members();
  const bool is_in_log = description.index <= current_.last_index();
  const bool keeps_tail = is_in_log && random_.OneIn(1, 2);
  description.term = keeps_tail ? current_.TermAt(description.index)
                                : Term(std::max<std::uint64_t>(1, current_.base_term.value()));
  auto prepared = Prepare(lineage, index, &description.content);
  if (prepared == nullptr) {
    EXPECT_TRUE(disk_->is_stopped());
    return;
  }
  const auto status = store_->InstallState(std::move(prepared), description, keeps_tail);
  if (keeps_tail) {
    current_.entries.erase(
        current_.entries.begin(),
        current_.entries.begin() +
            static_cast<std::ptrdiff_t>(index - current_.base_index.value()));
  } else {
    current_.entries.clear();
  }
  current_.base_index = description.index;
  current_.base_term = description.term;
  current_.applied = index;
  current_.lineage = lineage;
  if (status.ok()) Succeed();
}

void LogStoreWorkload::Check() {
  const auto loaded = store_->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  LogModel found;
  found.hard_state = loaded->hard_state;
  found.base_index = loaded->base_index;
  found.base_term = loaded->base_term;
  found.entries = loaded->entries;
  if (const auto applied = store_->state()->Get("applied")) {
    found.lineage = std::strtoull(applied->c_str(), nullptr, 10);
    found.applied = std::strtoull(applied->c_str() + applied->find('.') + 1, nullptr, 10);
  }
  // The batch under way is there whole or not at all.
  const bool is_before = IsSameLog(found, durable_);
  const bool is_after = IsSameLog(found, current_);
  EXPECT_TRUE(is_before || is_after)
      << "found " << Describe(found) << "\nacknowledged " << Describe(durable_)
      << "\nunder way " << Describe(current_);
  EXPECT_GE(found.hard_state.term, durable_.hard_state.term);
  EXPECT_TRUE(found.lineage == durable_.lineage || found.lineage == current_.lineage);
  if (found.lineage == durable_.lineage) {
    EXPECT_GE(found.applied, durable_.applied) << "synced rows are gone";
  }
  if (found.lineage == current_.lineage) {
    EXPECT_LE(found.applied, current_.applied);
  }
  EXPECT_LE(LogIndex(found.applied), found.last_index()) << "applied what the log does not hold";
  EXPECT_GE(LogIndex(found.applied), found.base_index) << "cut above what is applied";
  std::vector<std::pair<std::string, std::string>> rows;
  store_->state()->Scan("", "", [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return true;
  });
  EXPECT_TRUE(rows == RowsOf(found.lineage, found.applied))
      << "the rows are not those of entry " << found.applied << " under " << found.lineage;
  for (const auto& path : disk_->Files("/data/snapshots")) ADD_FAILURE() << path << " was left";
  durable_ = found;
  current_ = found;
}

}  // namespace dfs::replicated_log
