#include "server/store/checkpoint_files.h"

#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/convert/digest.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kDigest = 64;  // hexadecimal digits, in front of the bytes

std::string PrefixOf(int64_t fit) {
  return absl::StrCat("checkpoint-", fit, "-");
}

std::string PrefixOf(const CheckpointKey& key) {
  return absl::StrCat(PrefixOf(key.fit), key.stage, "-", key.round, "-");
}

std::string NameOf(const CheckpointKey& key) {
  return absl::StrCat(PrefixOf(key), key.member);
}

void Remove(const std::string& folder, const std::string& prefix) {
  std::error_code ignored;  // what stays is harmless
  for (const auto& entry :
       std::filesystem::directory_iterator(folder, ignored)) {
    if (absl::StartsWith(entry.path().filename().string(), prefix)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

absl::Status CheckpointFiles::Write(const CheckpointKey& key,
                                    std::string_view bytes) const {
  return files_.Write(NameOf(key),
                      absl::StrCat(Sha256Hex(bytes), std::string(bytes)));
}

absl::StatusOr<std::string> CheckpointFiles::Read(
    const CheckpointKey& key) const {
  std::ifstream file(absl::StrCat(folder_, "/", NameOf(key)), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)),
                    std::istreambuf_iterator<char>());
  if (bytes.size() < kDigest || Sha256Hex(std::string_view(bytes).substr(
                                    kDigest)) != bytes.substr(0, kDigest)) {
    return absl::NotFoundError("there is no checkpoint");
  }
  return bytes.substr(kDigest);
}

void CheckpointFiles::Drop(const CheckpointKey& round) const {
  Remove(folder_, PrefixOf(round));
}

int CheckpointFiles::Collect(
    const std::function<bool(const CheckpointKey&)>& wanted) const {
  std::error_code ignored;
  std::vector<std::filesystem::path> unwanted;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_, ignored)) {
    CheckpointKey key;
    int end = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(),
                    "checkpoint-%" SCNd64 "-%" SCNd32 "-%" SCNd64 "-%d%n",
                    &key.fit, &key.stage, &key.round, &key.member, &end) == 4 &&
        static_cast<size_t>(end) == name.size() && !wanted(key)) {
      unwanted.push_back(entry.path());
    }
  }
  for (const auto& path : unwanted) std::filesystem::remove(path, ignored);
  return static_cast<int>(unwanted.size());
}

void CheckpointFiles::DropAll(int64_t fit) const {
  Remove(folder_, PrefixOf(fit));
}

}  // namespace somafit
