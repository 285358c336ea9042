#include "client/list_progress.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace dfs::client {
namespace {

absl::Status TooOld(const std::string& what) {
  return absl::UnimplementedError(absl::StrCat("the node that answers is of an older version: it does not ", what,
                                               ". Ask a newer one (--endpoints), or bring it to the version of the others"));
}

}  // namespace

void ListProgress::BeginCall() {
  is_cut_ = false;
  began_after_ = request_.after();
  began_after_version_ = request_.after_version();
}

absl::Status ListProgress::Take(const v1::ListResponse& response, absl::FunctionRef<bool(const v1::FileInfo&)> take) {
  if (!request_.pattern().empty() && !response.is_by_pattern()) {
    return TooOld("know patterns");
  }
  if (request_.trash() && !response.is_trash()) {
    return TooOld("list the trash");
  }
  std::uint64_t taken = 0;
  for (const auto& file : response.files()) {
    if (!take(file)) {
      is_stopped_ = true;
      return absl::OkStatus();
    }
    if (!file.is_old()) ++taken;
  }
  if (response.files_size() > 0) {
    const v1::FileInfo& last = *response.files().rbegin();
    request_.set_after(last.name());
    if (request_.trash()) request_.set_after_version(last.version());
  }
  if (!response.looked_through().empty()) {
    request_.set_after(response.looked_through());
    request_.set_after_version(response.looked_through_version());
  }
  if (response.is_cut() && request_.after() == began_after_ && request_.after_version() == began_after_version_) {
    return absl::InternalError("the list is cut where the call began");
  }
  is_cut_ = response.is_cut();
  if (request_.limit() > 0) {
    has_all_ = taken >= request_.limit();
    if (!has_all_) request_.set_limit(request_.limit() - taken);
  }
  return absl::OkStatus();
}

}  // namespace dfs::client
