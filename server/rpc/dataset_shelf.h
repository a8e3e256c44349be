#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

#include "server/study/store.h"
#include "worker/core/data/dataset.h"

namespace somafit {

// Datasets of the store, encoded and decoded. Keeps the latest ones in memory
// (512 MiB of each kind), and shares those in use however large they are.
//
// Thread-safe; reads block.
class DatasetShelf {
 public:
  explicit DatasetShelf(Store& store) : store_(store) {}

  // NotFound if it was never uploaded.
  absl::StatusOr<std::shared_ptr<const std::string>> Bytes(
      const std::string& hash);
  absl::StatusOr<std::shared_ptr<const Dataset>> Decoded(
      const std::string& hash);

  // Checks and stores; returns the hash.
  absl::StatusOr<std::string> Put(std::string bytes);

 private:
  template <typename T>
  struct Shelf {
    struct Kept {
      std::string hash;
      std::shared_ptr<const T> value;
      size_t bytes;
    };
    std::list<Kept> kept;  // latest first
    size_t kept_bytes = 0;
    std::map<std::string, std::weak_ptr<const T>> in_use;

    std::shared_ptr<const T> Find(const std::string& hash);
    void Keep(const std::string& hash, std::shared_ptr<const T> value,
              size_t bytes);
  };

  Store& store_;
  std::mutex mutex_;
  Shelf<std::string> bytes_;
  Shelf<Dataset> decoded_;
};

}  // namespace somafit
