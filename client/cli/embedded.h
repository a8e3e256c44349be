#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/child_process.h"
#include "client/cli/private_folder.h"
#include "client/lib/endpoint.h"

namespace somafit {

struct EmbeddedOptions {
  std::string database;  // absolute path
  int workers = 1;
  int threads = 1;  // of each worker
  bool keep = false;
  bool allow_scripts = false;  // TorchScript modules, which the trainer runs
};

// A coordinator on a unix socket in a private folder, and workers: the programs
// of an installation, found beside this one, for as long as this object lives.
class Embedded {
 public:
  // Returns when the coordinator answers. Call it from the main thread, before
  // there is another, with SIGINT and SIGTERM blocked: Cancelled if one comes.
  // If a program fails, the message has the end of its log.
  static absl::StatusOr<std::unique_ptr<Embedded>> Start(
      const EmbeddedOptions& options);
  // Stops all children and removes the folder, unless it is to be kept.
  ~Embedded();

  const KnownEndpoint& endpoint() const { return endpoint_; }
  const std::string& folder() const { return folder_->path(); }

  // What went wrong, with the end of the log, if a program ended by itself.
  absl::Status Health();

 private:
  explicit Embedded(std::unique_ptr<PrivateFolder> folder)
      : folder_(std::move(folder)) {}
  absl::Status StartServer(const EmbeddedOptions& options);
  absl::Status StartWorkers(const EmbeddedOptions& options);

  std::unique_ptr<PrivateFolder> folder_;
  KnownEndpoint endpoint_;
  std::optional<ChildProcess> server_;
  std::vector<ChildProcess> workers_;
};

}  // namespace somafit
