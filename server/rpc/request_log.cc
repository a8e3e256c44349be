#include "server/rpc/request_log.h"

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kRecent = 4096;
constexpr size_t kRecentBytes = size_t{64} << 20;

}  // namespace

absl::StatusOr<std::optional<std::string>> RequestLog::Find(
    const std::string& request_id, const std::string& method,
    const std::string& body_hash) {
  std::optional<RequestRecord> record;
  if (auto it = recent_.find(request_id); it != recent_.end()) {
    record = it->second;
  } else {
    SOMAFIT_ASSIGN_OR_RETURN(record, store_.FindRequest(request_id));
  }
  if (!record) return std::nullopt;
  if (record->method != method || record->body_hash != body_hash) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat(
            "request_id \"", request_id, "\" was used for another request (",
            record->method, "); give every new request a new id")),
        "REQUEST_ID_REUSED", {{"request_id", "was used for another request"}});
  }
  return record->response;
}

void RequestLog::Remember(const RequestRecord& record) {
  if (!recent_.emplace(record.request_id, record).second) return;
  order_.push_back(record.request_id);
  bytes_ += record.response.size();
  // The newest always stays: it may not be on disk yet.
  while (order_.size() > kRecent ||
         (order_.size() > 64 && bytes_ > kRecentBytes)) {
    const auto oldest = recent_.find(order_.front());
    bytes_ -= oldest->second.response.size();
    recent_.erase(oldest);
    order_.pop_front();
  }
}

}  // namespace somafit
