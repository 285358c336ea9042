#include "server/leader/chunk_collector.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/gossip_txn.h"
#include "common/mutant.h"
#include "server/leader/leader_operations.h"

namespace dfs::leader {
namespace {

// Of which the catalog is asked at once.
constexpr std::size_t kChunksPerLook = ReplicaCatalog::kChunksMax;
// Reports of one pass; the rest follows in the next.
constexpr std::size_t kReportsMax = 10;

// The kinds that a mistaken leader could give for what is needed (rule R20).
bool IsDoubtful(const rpc::VerdictAnswer& answer) {
  switch (answer.verdict()) {
    case rpc::VerdictAnswer::DEAD:
      return answer.ground() != rpc::VerdictAnswer::PURGED &&
             answer.ground() != rpc::VerdictAnswer::CLOSED;
    case rpc::VerdictAnswer::EXCESS:
      return answer.ground() != rpc::VerdictAnswer::RELEASED ||
             DFS_MUTANT(1004, "what the log moved away blows the fuse (rule R20)");
    default:
      return false;
  }
}

}  // namespace

ChunkCollector::~ChunkCollector() { Stop(); }

void ChunkCollector::Start() {
  executor_ = std::make_unique<ThreadExecutor>("collector", *parts_.clock);
  Loop();
}

void ChunkCollector::Stop() {
  if (executor_ != nullptr) executor_->Stop();
}

void ChunkCollector::Loop() {
  executor_->PostAt(parts_.clock->Now() + parts_.options.interval, [this] {
    RunOnce();
    Loop();
  });
}

void ChunkCollector::CollectSoon() {
  if (executor_ == nullptr || is_asked_.exchange(true)) return;
  executor_->Post([this] {
    is_asked_ = false;
    RunOnce();
  });
}

void ChunkCollector::Confirm() {
  MutexLock lock(&mutex_);
  LOG_IF(WARNING, fuse_.is_blown()) << "collection: " << fuse_.withheld_bytes()
                                    << " bytes that were withheld may go, an operator says";
  fuse_.Confirm();
}

api::CollectStatus ChunkCollector::GetStatus() const {
  MutexLock lock(&mutex_);
  api::CollectStatus status = status_;
  status.set_is_stopped(fuse_.is_blown());
  status.set_withheld_bytes(fuse_.withheld_bytes());
  status.set_limit_bytes(fuse_.limit_bytes());
  return status;
}

void ChunkCollector::BeginWalk() {
  walk_ = Walk();
  const std::uint64_t stored_bytes = parts_.store->GetSpace().stored_bytes;
  MutexLock lock(&mutex_);
  fuse_.BeginWalk(stored_bytes);
}

void ChunkCollector::EndWalk() {
  MutexLock lock(&mutex_);
  fuse_.EndWalk();
  status_.set_trash_chunks(walk_.trash_chunks);
  status_.set_trash_bytes(walk_.trash_bytes);
  status_.set_finished_us(absl::ToUnixMicros(parts_.clock->WallNow()));
}

bool ChunkCollector::FuseAllows(const std::vector<Suspect>& doubtful) {
  std::uint64_t bytes = 0;
  for (const Suspect& suspect : doubtful) bytes += suspect.is_trashed ? 0 : suspect.bytes;
  MutexLock lock(&mutex_);
  const bool was_blown = fuse_.is_blown();
  const bool is_allowed = fuse_.Allow(bytes);
  LOG_IF(ERROR, fuse_.is_blown() && !was_blown)
      << "COLLECTION STOPPED: verdicts would take " << fuse_.withheld_bytes()
      << " bytes at once, more than " << fuse_.limit_bytes()
      << ". If that is right (many puts broke off, say): dfs-cli gc --confirm";
  return is_allowed;
}

ChunkCollector::PassCounts ChunkCollector::RunOnce() {
  PassCounts counts;
  if (!cursor_) BeginWalk();
  const std::vector<Suspect> suspects = FindSuspects(counts);
  std::vector<Suspect> doubtful;
  const bool has_leader = AskAll(suspects, &doubtful, counts);
  const std::size_t asked = counts.asked;
  if (FuseAllows(doubtful)) {
    AskAll(doubtful, nullptr, counts);
    counts.asked = asked;  // the same ones again
  } else {
    counts.withheld = doubtful.size();
  }
  walk_.is_whole = walk_.is_whole && has_leader;
  if (!cursor_ && walk_.is_whole) EndWalk();
  ReportGone(counts);
  if (counts.trashed + counts.removed + counts.reported + counts.withheld > 0) {
    LOG(INFO) << "collection: looked at " << counts.looked_at << " chunks, asked about "
              << counts.asked << ", " << counts.trashed << " to the trash, " << counts.removed
              << " removed, " << counts.withheld << " withheld, " << counts.reported
              << " reported as gone";
  }
  return counts;
}

bool ChunkCollector::AskAll(const std::vector<Suspect>& suspects, std::vector<Suspect>* doubtful,
                            PassCounts& counts) {
  for (std::size_t i = 0; i < suspects.size(); i += kQuestionsPerRequestMax) {
    const std::size_t end = std::min<std::size_t>(suspects.size(), i + kQuestionsPerRequestMax);
    const std::vector<Suspect> batch(suspects.begin() + static_cast<std::ptrdiff_t>(i),
                                     suspects.begin() + static_cast<std::ptrdiff_t>(end));
    if (!Ask(batch, doubtful, counts)) return false;
  }
  return true;
}

std::vector<ChunkCollector::Suspect> ChunkCollector::FindSuspects(PassCounts& counts) {
  std::vector<Suspect> suspects;
  bool is_end = false;
  while (!is_end && counts.looked_at < parts_.options.looked_at_max && suspects.size() < parts_.options.questions_max) {
    Look look = LookOn(std::min(parts_.options.looked_at_max - counts.looked_at, kChunksPerLook),
                       parts_.options.questions_max - suspects.size());
    std::vector<ChunkId> due;
    for (const Suspect& chunk : look.due) due.push_back(chunk.chunk);
    const auto are_named = parts_.catalog->AreNamed(parts_.self, due);
    if (!are_named.ok()) {
      LOG(INFO) << "collection waits: " << are_named.status();
      walk_.is_whole = false;
      return suspects;
    }
    for (std::size_t i = 0; i < due.size(); ++i) {
      if (!(*are_named)[i]) suspects.push_back(look.due[i]);
    }
    counts.looked_at += look.looked_at;
    walk_.trash_chunks += look.trash_chunks;
    walk_.trash_bytes += look.trash_bytes;
    cursor_ = look.last;
    is_end = look.is_end;
  }
  if (is_end) cursor_.reset();
  return suspects;
}

// The next chunks behind the cursor.
ChunkCollector::Look ChunkCollector::LookOn(std::size_t chunks_max, std::size_t due_max) const {
  const absl::Time now = parts_.clock->WallNow();
  Look look;
  look.last = cursor_;
  parts_.store->ForEach(cursor_, [&](const chunk::HeldChunk& held) {
    if (look.looked_at == chunks_max || look.due.size() == due_max) {
      look.is_end = false;
      return false;
    }
    ++look.looked_at;
    look.last = held.info.id;
    // Those of gossip buckets are their host's: no leader knows them.
    if (IsGossip(held.info.id.txn) && !DFS_MUTANT(1091, "chunks of gossip buckets are asked about")) return true;
    if (held.is_trashed) {
      ++look.trash_chunks;
      look.trash_bytes += held.info.size;
    }
    const bool is_due = held.is_trashed ? now - held.trashed >= parts_.options.trash_time
                                        : now - held.touched >= parts_.options.question_age;
    if (is_due) look.due.push_back({held.info.id, held.info.size, held.is_trashed});
    return true;
  });
  return look;
}

bool ChunkCollector::Ask(const std::vector<Suspect>& suspects, std::vector<Suspect>* doubtful,
                         PassCounts& counts) {
  rpc::VerdictsRequest request;
  *request.mutable_node() = parts_.own_ack();
  std::map<ChunkId, const Suspect*> by_chunk;
  for (const auto& suspect : suspects) {
    const auto nonce = parts_.store->OpenQuestion(suspect.chunk);
    if (!nonce) continue;
    rpc::VerdictQuestion& question = *request.add_questions();
    *question.mutable_chunk() = ToWire(suspect.chunk);
    question.set_nonce(*nonce);
    by_chunk[suspect.chunk] = &suspect;
  }
  if (request.questions_size() == 0) return true;
  const auto answers = parts_.leader->AskVerdicts(request, parts_.options.ask_timeout);
  if (!answers.ok()) {
    LOG(INFO) << "no verdicts: " << answers.status();
    return false;
  }
  counts.asked += static_cast<std::size_t>(request.questions_size());
  for (const auto& answer : *answers) {
    const auto found = by_chunk.find(FromWire(answer.chunk()));
    if (found == by_chunk.end()) continue;
    if (doubtful != nullptr && IsDoubtful(answer)) {
      doubtful->push_back(*found->second);
    } else {
      Act(*found->second, answer, counts);
    }
  }
  return true;
}

void ChunkCollector::Act(const Suspect& suspect, const rpc::VerdictAnswer& answer,
                         PassCounts& counts) {
  if (answer.verdict() != rpc::VerdictAnswer::DEAD &&
      answer.verdict() != rpc::VerdictAnswer::EXCESS) {
    return;
  }
  const absl::Status status = suspect.is_trashed
                                  ? parts_.store->Remove(suspect.chunk, answer.nonce())
                                  : parts_.store->Trash(suspect.chunk, answer.nonce());
  if (!status.ok()) {
    // kAborted: it counts again since the question.
    LOG(INFO) << "chunk " << suspect.chunk << " stays: " << status;
    return;
  }
  ++(suspect.is_trashed ? counts.removed : counts.trashed);
  if (!suspect.is_trashed) return;
  MutexLock lock(&mutex_);
  status_.set_removed_chunks(status_.removed_chunks() + 1);
  status_.set_removed_bytes(status_.removed_bytes() + suspect.bytes);
}

// Chunks that the log wants unlinked here, or has let go, and that are not here (any more).
void ChunkCollector::ReportGone(PassCounts& counts) {
  std::vector<ChunkId> gone;
  const auto note = [&](const ChunkId& chunk) {
    if (!parts_.store->OpenQuestion(chunk)) gone.push_back(chunk);
    return gone.size() < kReportsMax * kUnlinkedPerReportMax;
  };
  if (const absl::Status status = parts_.catalog->ListLetGo(parts_.self, note); !status.ok()) {
    LOG(INFO) << "what the log has let go is not known: " << status;
  }
  for (std::size_t i = 0; i < gone.size(); i += kUnlinkedPerReportMax) {
    rpc::ReportUnlinkedRequest request;
    *request.mutable_node() = parts_.own_ack();
    const std::size_t end = std::min<std::size_t>(gone.size(), i + kUnlinkedPerReportMax);
    for (std::size_t k = i; k < end; ++k) *request.add_chunks() = ToWire(gone[k]);
    const absl::Status status = parts_.leader->ReportUnlinked(request, parts_.options.ask_timeout);
    if (!status.ok()) {
      LOG(INFO) << "unlinked chunks not reported: " << status;
      return;
    }
    counts.reported += end - i;
  }
}

}  // namespace dfs::leader
