#include "server/rpc/dataset_shelf.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/digest.h"
#include "proto/convert/status.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kKeptBytes = size_t{512} << 20;

}  // namespace

template <typename T>
std::shared_ptr<const T> DatasetShelf::Shelf<T>::Find(const std::string& hash) {
  for (auto it = kept.begin(); it != kept.end(); ++it) {
    if (it->hash != hash) continue;
    kept.splice(kept.begin(), kept, it);
    return kept.front().value;
  }
  const auto it = in_use.find(hash);
  return it == in_use.end() ? nullptr : it->second.lock();
}

template <typename T>
void DatasetShelf::Shelf<T>::Keep(const std::string& hash,
                                  std::shared_ptr<const T> value,
                                  size_t bytes) {
  std::erase_if(in_use,
                [](const auto& entry) { return entry.second.expired(); });
  in_use[hash] = value;
  if (bytes > kKeptBytes) return;
  kept.push_front({hash, std::move(value), bytes});
  kept_bytes += bytes;
  while (kept_bytes > kKeptBytes) {
    kept_bytes -= kept.back().bytes;
    kept.pop_back();
  }
}

absl::StatusOr<std::shared_ptr<const std::string>> DatasetShelf::Bytes(
    const std::string& hash) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = bytes_.Find(hash)) return found;
  }
  absl::StatusOr<std::string> loaded = store_.LoadDataset(hash);
  if (absl::IsNotFound(loaded.status())) {
    return WithReason(
        absl::NotFoundError(
            absl::StrCat("datasets/", hash, " is not stored; upload it first")),
        "DATASET_UNKNOWN");
  }
  SOMAFIT_RETURN_IF_ERROR(loaded.status());
  auto bytes = std::make_shared<const std::string>(*std::move(loaded));
  if (Sha256Hex(*bytes) != hash) {
    return WithReason(
        absl::DataLossError(absl::StrCat(
            "datasets/", hash, " is damaged in the database: its SHA-256 is ",
            Sha256Hex(*bytes), "; upload it again or restore a backup")),
        "DATASET_CORRUPT");
  }
  std::lock_guard lock(mutex_);
  if (auto found = bytes_.Find(hash)) return found;
  bytes_.Keep(hash, bytes, bytes->size());
  return bytes;
}

absl::StatusOr<std::shared_ptr<const Dataset>> DatasetShelf::Decoded(
    const std::string& hash) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = decoded_.Find(hash)) return found;
  }
  SOMAFIT_ASSIGN_OR_RETURN(const auto bytes, Bytes(hash));
  SOMAFIT_ASSIGN_OR_RETURN(Dataset dataset, DecodeDataset(*bytes));
  auto decoded = std::make_shared<const Dataset>(std::move(dataset));
  std::lock_guard lock(mutex_);
  if (auto found = decoded_.Find(hash)) return found;
  decoded_.Keep(hash, decoded, bytes->size());
  return decoded;
}

absl::StatusOr<std::string> DatasetShelf::Put(std::string bytes) {
  absl::StatusOr<Dataset> dataset = DecodeDataset(bytes);
  if (!dataset.ok()) {
    return WithReason(dataset.status(), "BAD_DATASET",
                      {{"chunk", std::string(dataset.status().message())}});
  }
  const std::string hash = Sha256Hex(bytes);
  SOMAFIT_RETURN_IF_ERROR(store_.PutDataset(hash, bytes));
  std::lock_guard lock(mutex_);
  if (!decoded_.Find(hash)) {
    decoded_.Keep(hash, std::make_shared<const Dataset>(*std::move(dataset)),
                  bytes.size());
  }
  return hash;
}

}  // namespace somafit
