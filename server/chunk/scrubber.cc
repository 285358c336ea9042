#include "server/chunk/scrubber.h"

#include <glog/logging.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace dfs::chunk {
namespace {

// How long clients' calls count as "now".
constexpr absl::Duration kBusyWindow = absl::Seconds(1);
// No longer sleep: clients come and go.
constexpr absl::Duration kTickMax = absl::Minutes(1);

ScrubProgress Loaded(ChunkStore* store) {
  return DecodeScrubProgress(store->LoadScrubProgress()).value_or(ScrubProgress());
}

}  // namespace

Scrubber::Scrubber(Parts parts)
    : parts_(std::move(parts)), core_(parts_.options, Loaded(parts_.store)) {}

Scrubber::~Scrubber() { Stop(); }

void Scrubber::Start() {
  executor_ = std::make_unique<ThreadExecutor>("scrub", *parts_.clock);
  parts_.store->SetDamageListener(
      [this](const ChunkInfo& info) { Post(scrub::Found{{info, false}}); });
  executor_->Post([this] {
    // What is known from before, and what went while nobody looked.
    parts_.store->ForEach(std::nullopt, [this](const HeldChunk& held) {
      if (held.is_damaged) Post(scrub::Found{{held.info, false}});
      return !is_stopping_;
    });
    Do(scrub::BeginPass());
    Tick();
  });
}

void Scrubber::Stop() {
  is_stopping_ = true;
  parts_.store->SetDamageListener(nullptr);
  if (executor_ != nullptr) executor_->Stop();
}

void Scrubber::StartPass() {
  {
    MutexLock lock(&mutex_);
    ++starts_pending_;
  }
  Post(scrub::StartNow());
}

void Scrubber::Post(scrub::Input input) {
  executor_->Post([this, input = std::move(input)] { Step(input); });
}

ScrubStatus Scrubber::GetStatus() {
  const std::uint64_t quarantined = parts_.store->GetDamage().quarantined_objects;
  MutexLock lock(&mutex_);
  ScrubStatus out = status_;
  if (starts_pending_ > 0) out.progress.is_running = true;
  out.quarantined_objects = quarantined;
  return out;
}

void Scrubber::Tick() {
  const MonotonicTime now = parts_.clock->Now();
  if (now - calls_counted_ >= kBusyWindow) {
    const std::uint64_t calls = parts_.store->CallCount();
    is_busy_ = calls != calls_seen_ + own_calls_;
    calls_seen_ = calls;
    own_calls_ = 0;
    calls_counted_ = now;
  }
  Step(scrub::Tick{is_busy_, parts_.store->GetSpace().stored_bytes});
}

void Scrubber::Step(const scrub::Input& input) {
  const ScrubOutput output = core_.Step(parts_.clock->Now(), parts_.clock->WallNow(), input);
  const std::uint64_t stored = parts_.store->GetSpace().stored_bytes;
  {
    MutexLock lock(&mutex_);
    if (std::holds_alternative<scrub::StartNow>(input)) --starts_pending_;
    status_.progress = core_.progress();
    status_.rate_bytes_per_second = core_.Rate();
    status_.stored_bytes = stored;
    status_.bad_chunks = core_.bad_count();
  }
  for (const auto& action : output.actions) {
    if (is_stopping_) return;
    std::visit([this](const auto& what) { Do(what); }, action);
  }
  Arm(output.wake);
}

void Scrubber::Arm(MonotonicTime wake) {
  wake = std::min(wake, parts_.clock->Now() + kTickMax);
  if (armed_ <= wake) return;
  armed_ = wake;
  executor_->PostAt(wake, [this, wake] {
    if (armed_ != wake) return;
    armed_ = absl::InfiniteFuture();
    Tick();
  });
}

void Scrubber::Do(const scrub::FindNext& find) {
  std::optional<ChunkInfo> next;
  parts_.store->ForEach(find.after, [&next](const HeldChunk& held) {
    // A bad one is known, and looked at again by itself.
    if (held.is_damaged) return true;
    next = held.info;
    return false;
  });
  reader_.reset();
  Post(scrub::NextChunk{next});
}

void Scrubber::Do(const scrub::CheckPiece& piece) {
  const scrub::Verdict verdict = Check(piece);
  if (verdict != scrub::Verdict::kGood) reader_.reset();
  Post(scrub::PieceChecked{verdict});
}

scrub::Verdict Scrubber::Check(const scrub::CheckPiece& piece) {
  if (reader_ == nullptr || reader_->info().id != piece.chunk) {
    ++own_calls_;
    auto reader = parts_.store->Open(piece.chunk);
    if (absl::IsDataLoss(reader.status())) return scrub::Verdict::kBad;
    if (absl::IsNotFound(reader.status())) {
      // Removed meanwhile, or found bad as a whole: then the listener was told.
      return scrub::Verdict::kGone;
    }
    if (!reader.ok()) {
      LOG(WARNING) << "scrub: chunk " << piece.chunk << ": " << reader.status();
      return scrub::Verdict::kUnreadable;
    }
    reader_ = *std::move(reader);
  }
  buffer_.resize(static_cast<std::size_t>(piece.length));
  const absl::Status status = reader_->Read(piece.offset, buffer_);
  if (status.ok()) return scrub::Verdict::kGood;
  LOG(WARNING) << "scrub: chunk " << piece.chunk << ": " << status;
  return absl::IsDataLoss(status) ? scrub::Verdict::kBad : scrub::Verdict::kUnreadable;
}

void Scrubber::Do(const scrub::Report& report) {
  LOG(WARNING) << "scrub: chunk " << report.bad.info.id
               << (report.bad.is_missing ? " is missing here" : " is damaged here")
               << "; the leader is told";
  parts_.report(report.bad);
}

void Scrubber::Do(const scrub::LookAgain& look) {
  const bool is_whole = parts_.store->Find(look.chunk).has_value();
  const bool is_wanted = parts_.wanted == nullptr || parts_.wanted->IsWanted(look.chunk);
  if (is_whole) LOG(INFO) << "scrub: chunk " << look.chunk << " is whole again";
  Post(scrub::LookedAt{look.chunk, !is_whole && is_wanted});
}

void Scrubber::Do(const scrub::Save& save) {
  const absl::Status status = parts_.store->SaveScrubProgress(Encode(save.progress));
  LOG_IF(WARNING, !status.ok()) << "scrub: progress is not saved: " << status;
}

void Scrubber::Do(const scrub::BeginPass& /*begin*/) {
  if (parts_.wanted == nullptr) return;
  parts_.wanted->ForEach([this](const ChunkInfo& info) {
    if (is_stopping_) return false;
    if (const auto held = parts_.store->Find(info.id)) {
      if (held->hash != info.hash || held->size != info.size) parts_.store->CompareWith(info);
      return true;
    }
    // Not there, or not to be read; a lack of file descriptors must not count.
    ++own_calls_;
    const auto reader = parts_.store->Open(info.id);
    if (absl::IsNotFound(reader.status()) || absl::IsDataLoss(reader.status())) {
      Post(scrub::Found{{info, absl::IsNotFound(reader.status())}});
    }
    return true;
  });
}

}  // namespace dfs::chunk
