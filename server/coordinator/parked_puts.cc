#include "server/coordinator/parked_puts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "proto/error_detail.h"

namespace dfs::coordinator {
namespace {

absl::Status CheckToken(const std::string& token) {
  if (token.size() == ParkedPuts::kTokenBytes) return absl::OkStatus();
  return absl::InvalidArgumentError("resume_token must be 16 bytes");
}

absl::Status NotHere() {
  return ErrorWithReason(absl::StatusCode::kNotFound, "this node has no such put to go on with",
                         api::ErrorDetail::REASON_UNSPECIFIED);
}

absl::Status IsUnderWay() {
  return ErrorWithReason(absl::StatusCode::kAborted, "another stream is sending this put now",
                         api::ErrorDetail::REASON_UNSPECIFIED);
}

bool IsSamePut(const api::PutHeader& a, const api::PutHeader& b) {
  return a.bucket() == b.bucket() && a.name() == b.name() && a.has_size() == b.has_size() && a.size() == b.size() &&
         a.request_id().session() == b.request_id().session() &&
         a.request_id().sequence() == b.request_id().sequence();
}

std::string OwnerOf(const std::string& owner) {
  if (DFS_MUTANT(1222, "a token of another client goes on with a put")) return "";
  return owner;
}

}  // namespace

ParkedPuts::ParkedPuts(const ParkLimits& limits, const Clock* clock, Executor* executor)
    : limits_(limits), clock_(clock), executor_(executor) {}

ParkedPuts::~ParkedPuts() { Stop(); }

absl::StatusOr<ParkedPuts::Ticket> ParkedPuts::Begin(const std::string& owner, const api::PutHeader& header) {
  if (const absl::Status token = CheckToken(header.resume_token()); !token.ok()) return token;
  std::unique_ptr<PutOperation> replaced;
  const Key key{OwnerOf(owner), header.resume_token()};
  MutexLock lock(&mutex_);
  if (is_stopped_ || limits_.window <= absl::ZeroDuration()) return Ticket();
  const auto [entry, is_new] = entries_.try_emplace(key);
  if (!is_new && entry->second.put == nullptr) return IsUnderWay();
  replaced = std::move(entry->second.put);
  if (replaced != nullptr) --counts_.parked;
  return Ticket(this, key);
}

absl::StatusOr<ParkedPuts::Resumed> ParkedPuts::Resume(const std::string& owner, const api::PutHeader& header) {
  if (const absl::Status token = CheckToken(header.resume_token()); !token.ok()) return token;
  const Key key{OwnerOf(owner), header.resume_token()};
  MutexLock lock(&mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return NotHere();
  PutOperation* const put = entry->second.put.get();
  if (put == nullptr) return IsUnderWay();
  if (!IsSamePut(put->header(), header)) return NotHere();
  const bool is_gap = header.resume_offset() != put->received_bytes();
  if (is_gap && !DFS_MUTANT(1220, "a put goes on wherever the client says")) {
    return absl::InvalidArgumentError(absl::StrCat("resume_offset is ", header.resume_offset(), "; there are ",
                                                   put->received_bytes(), " bytes"));
  }
  ++counts_.resumed;
  --counts_.parked;
  counts_.resumed_bytes += put->received_bytes();
  return Resumed{Ticket(this, key), std::move(entry->second.put)};
}

bool ParkedPuts::Park(Ticket ticket, std::unique_ptr<PutOperation> put) {
  if (ticket.puts_ == nullptr || !put->is_large() || put->received_bytes() < kBytesMin) return false;
  // Whatever it did for the stream is over.
  put->MeasureWith(nullptr);
  Doomed doomed;  // destroyed after the lock
  MutexLock lock(&mutex_);
  if (is_stopped_) {
    doomed.push_back(std::move(put));
    return false;  // and the ticket forgets the entry
  }
  if (put->queued_bytes() > limits_.queued_bytes_max || limits_.puts_max == 0) {
    // No room that others could make is enough for it.
    doomed.push_back(std::move(put));
    return false;
  }
  Entry& entry = entries_.at(ticket.key_);
  entry.put = std::move(put);
  entry.until = clock_->Now() + limits_.window;
  ticket.puts_ = nullptr;
  ++counts_.parked;
  DisplaceLocked(&doomed);
  ArmLocked();
  return true;
}

// The put that was parked first; end() if there is none.
ParkedPuts::Entries::iterator ParkedPuts::OldestLocked() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.put == nullptr) continue;
    if (oldest == entries_.end() || it->second.until < oldest->second.until) oldest = it;
  }
  return oldest;
}

void ParkedPuts::DisplaceLocked(Doomed* doomed) {
  std::size_t queued_bytes = 0;
  for (const auto& [key, entry] : entries_) {
    if (entry.put != nullptr) queued_bytes += entry.put->queued_bytes();
  }
  while (counts_.parked > limits_.puts_max || (queued_bytes > limits_.queued_bytes_max && counts_.parked > 0)) {
    const auto oldest = OldestLocked();
    queued_bytes -= std::min(queued_bytes, oldest->second.put->queued_bytes());
    doomed->push_back(std::move(oldest->second.put));
    entries_.erase(oldest);
    --counts_.parked;
    ++counts_.displaced;
  }
}

void ParkedPuts::ArmLocked() {
  const auto oldest = OldestLocked();
  if (is_armed_ || oldest == entries_.end()) return;
  is_armed_ = true;
  executor_->PostAt(oldest->second.until, [this] { Expire(); });
}

void ParkedPuts::Expire() {
  Doomed doomed;
  MutexLock lock(&mutex_);
  is_armed_ = false;
  if (DFS_MUTANT(1221, "a parked put is never aborted")) return;
  for (auto oldest = OldestLocked(); oldest != entries_.end() && oldest->second.until <= clock_->Now();
       oldest = OldestLocked()) {
    doomed.push_back(std::move(oldest->second.put));
    entries_.erase(oldest);
    --counts_.parked;
    ++counts_.expired;
  }
  ArmLocked();
}

absl::StatusOr<api::PutProgressResponse> ParkedPuts::Find(const std::string& owner,
                                                          const api::PutProgressRequest& request) const {
  if (const absl::Status token = CheckToken(request.resume_token()); !token.ok()) return token;
  MutexLock lock(&mutex_);
  const auto entry = entries_.find(Key{OwnerOf(owner), request.resume_token()});
  if (entry == entries_.end()) return NotHere();
  api::PutProgressResponse response;
  const PutOperation* const put = entry->second.put.get();
  if (put == nullptr) {
    response.set_is_open(true);
    return response;
  }
  if (put->header().bucket() != request.bucket() || put->header().name() != request.name()) return NotHere();
  response.set_size(put->received_bytes());
  response.set_crc32c(put->received_crc());
  return response;
}

void ParkedPuts::Forget(const Key& key) {
  MutexLock lock(&mutex_);
  entries_.erase(key);
}

void ParkedPuts::Stop() {
  Doomed doomed;
  MutexLock lock(&mutex_);
  is_stopped_ = true;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.put == nullptr) {
      ++it;
      continue;
    }
    doomed.push_back(std::move(it->second.put));
    it = entries_.erase(it);
  }
  counts_.parked = 0;
}

ParkCounts ParkedPuts::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

}  // namespace dfs::coordinator
