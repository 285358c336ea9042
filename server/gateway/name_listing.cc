#include "server/gateway/name_listing.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace dfs::gateway {

absl::StatusOr<NameListing> NameListing::Make(const api::ListRequest& request, const ListSink& sink) {
  NameListing out(request, sink);
  out.prefix_ = request.prefix();
  if (request.trash() && request.old_versions()) {
    return absl::InvalidArgumentError("older versions that are kept are not in the trash: one or the other");
  }
  out.page_.set_is_trash(request.trash());
  if (request.pattern().empty()) return out;
  DFS_ASSIGN_OR_RETURN(NamePattern pattern, NamePattern::Parse(request.pattern()));
  out.page_.set_is_by_pattern(true);
  if (pattern.prefix().starts_with(request.prefix())) {
    out.prefix_ = pattern.prefix();
  } else if (!request.prefix().starts_with(pattern.prefix())) {
    out.prefix_.reset();
  }
  out.pattern_ = std::move(pattern);
  return out;
}

void NameListing::SetState(LogIndex applied, api::Consistency consistency) {
  page_.set_applied_index(applied.value());
  page_.set_consistency(consistency);
}

NameListing::Choice NameListing::Choose(std::string_view name, std::uint64_t version) {
  if (!pattern_) return Choice::kVisit;
  if (names_ >= kNamesMax || steps_ >= kStepsMax) {
    page_.set_is_cut(true);
    return Choice::kStop;
  }
  // Before this one is looked at: it may be wanted, and is not in the message yet.
  const bool is_due = names_since_message_ >= kNamesPerMessage || page_.files_size() >= page_size_;
  if (is_due && !Send()) return Choice::kStop;
  ++names_;
  ++names_since_message_;
  page_.set_looked_through(name.data(), name.size());
  page_.set_looked_through_version(version);
  const bool is_wanted =
      request_.pattern_above() ? pattern_->MatchesAbove(name, &steps_) : pattern_->Matches(name, &steps_);
  return is_wanted ? Choice::kVisit : Choice::kPass;
}

bool NameListing::Add(api::FileInfo file) {
  // The older versions of a name are in one message with it.
  if (!file.is_old() && page_.files_size() >= page_size_ && !Send()) return false;
  if (!file.is_old()) ++listed_;
  *page_.add_files() = std::move(file);
  return !IsEnough();
}

void NameListing::Finish() {
  if (is_open_ && (page_.files_size() > 0 || page_.is_cut() || !has_sent_)) Send();
}

bool NameListing::Send() {
  is_open_ = is_open_ && sink_(page_);
  has_sent_ = true;
  names_since_message_ = 0;
  page_size_ = std::min(2 * page_size_, kPageSize);
  page_.clear_files();
  return is_open_;
}

}  // namespace dfs::gateway
