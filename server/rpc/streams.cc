#include "server/rpc/streams.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"
#include "server/rpc/call.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxHeld = size_t{4} << 30;

}  // namespace

UploadStream::UploadStream(DatasetShelf& shelf, Executor& slow,
                           std::atomic<size_t>& held,
                           grpc::CallbackServerContext* context,
                           v1::UploadDatasetResponse* response)
    : shelf_(shelf),
      slow_(slow),
      held_(held),
      context_(context),
      response_(response),
      begin_(std::chrono::steady_clock::now()) {
  StartRead(&message_);
}

absl::Status UploadStream::Take() {
  const size_t size = message_.chunk().size();
  if (size > kMaxChunk) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "chunk: has ", size, " bytes; send at most ",
                          kMaxChunk, " in one message")),
                      "CHUNK_TOO_LARGE", {{"chunk", "has more than 1 MiB"}});
  }
  if (bytes_.size() + size > kMaxDatasetBytes) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "the dataset has more than ", kMaxDatasetBytes,
                          " bytes; split it or sample it more coarsely")),
                      "DATASET_TOO_LARGE",
                      {{"chunk", "the dataset is too large"}});
  }
  if (held_.fetch_add(size) + size > kMaxHeld) {
    held_.fetch_sub(size);
    return WithReason(
        absl::ResourceExhaustedError(
            "too many uploads at once for the server's memory; try again when "
            "others have ended"),
        "UPLOADS_FULL");
  }
  counted_ += size;
  bytes_ += message_.chunk();
  return absl::OkStatus();
}

void UploadStream::OnReadDone(bool ok) {
  if (ok) {
    if (const absl::Status status = Take(); !status.ok()) {
      return FinishWith(status);
    }
    return StartRead(&message_);
  }
  if (context_->IsCancelled()) {
    return FinishWith(absl::CancelledError("the upload was cancelled"));
  }
  slow_.Post([this] {
    absl::StatusOr<std::string> hash = shelf_.Put(std::move(bytes_));
    if (hash.ok()) response_->set_dataset(absl::StrCat("datasets/", *hash));
    FinishWith(hash.status());
  });
}

void UploadStream::FinishWith(const absl::Status& status) {
  LogCall("UploadDataset", "", status, begin_);
  Finish(Sendable(status));
}

void UploadStream::OnDone() {
  held_.fetch_sub(counted_);
  delete this;
}

DownloadStream::DownloadStream(DatasetShelf& shelf, Executor& slow,
                               std::string hash)
    : hash_(std::move(hash)), begin_(std::chrono::steady_clock::now()) {
  slow.Post([this, &shelf] {
    absl::StatusOr<std::shared_ptr<const std::string>> bytes =
        shelf.Bytes(hash_);
    if (!bytes.ok()) return FinishWith(bytes.status());
    bytes_ = *std::move(bytes);
    SendNext();
  });
}

void DownloadStream::SendNext() {
  if (sent_ == bytes_->size()) return FinishWith(absl::OkStatus());
  const size_t size = std::min(kMaxChunk, bytes_->size() - sent_);
  chunk_.set_chunk(bytes_->data() + sent_, size);
  sent_ += size;
  StartWrite(&chunk_);
}

void DownloadStream::OnWriteDone(bool ok) {
  if (!ok) return FinishWith(absl::CancelledError("the client is gone"));
  SendNext();
}

void DownloadStream::FinishWith(const absl::Status& status) {
  LogCall("GetDataset", "", status, begin_);
  Finish(Sendable(status));
}

void DownloadStream::OnDone() { delete this; }

}  // namespace somafit
