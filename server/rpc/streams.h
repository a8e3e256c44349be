#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <grpcpp/support/server_callback.h>

#include "server/rpc/dataset_shelf.h"
#include "server/rpc/executor.h"
#include "somafit/v1/fit_service.pb.h"
#include "somafit/v1/worker_service.pb.h"

namespace somafit {

inline constexpr size_t kMaxChunk = size_t{1} << 20;

// Receives a dataset, checks and stores it. All uploads together hold at most
// 4 GiB.
class UploadStream : public grpc::ServerReadReactor<v1::UploadDatasetRequest> {
 public:
  UploadStream(DatasetShelf& shelf, Executor& slow, std::atomic<size_t>& held,
               grpc::CallbackServerContext* context,
               v1::UploadDatasetResponse* response);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  void FinishWith(const absl::Status& status);
  // What is wrong with the message just read.
  absl::Status Take();

  DatasetShelf& shelf_;
  Executor& slow_;
  std::atomic<size_t>& held_;
  grpc::CallbackServerContext* context_;
  v1::UploadDatasetResponse* response_;
  const std::chrono::steady_clock::time_point begin_;
  v1::UploadDatasetRequest message_;
  std::string bytes_;
  size_t counted_ = 0;  // of held_
};

// Sends a dataset in chunks; one is in flight at a time.
class DownloadStream : public grpc::ServerWriteReactor<v1::DatasetChunk> {
 public:
  DownloadStream(DatasetShelf& shelf, Executor& slow, std::string hash);

  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void SendNext();
  void FinishWith(const absl::Status& status);

  const std::string hash_;
  const std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<const std::string> bytes_;
  size_t sent_ = 0;
  v1::DatasetChunk chunk_;
};

// Streams that are refused before they begin.
template <typename Request>
class RefusedReader : public grpc::ServerReadReactor<Request> {
 public:
  explicit RefusedReader(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};
template <typename Response>
class RefusedWriter : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedWriter(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace somafit
