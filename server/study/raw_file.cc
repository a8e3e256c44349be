#include "server/study/raw_file.h"

#include <bit>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

static_assert(std::endian::native == std::endian::little);

void AppendNumber(int64_t number, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

}  // namespace

std::string EncodeRawFile(const RawFileOwner& owner,
                          std::vector<RecordedSample>& samples) {
  constexpr size_t kHead = kRawFileMark.size() + 2 * sizeof(int64_t);
  size_t size = kHead;
  for (const RecordedSample& sample : samples) {
    size += sample.evaluation.raw_x.size() * sizeof(float);
  }
  if (size == kHead) return "";
  std::string bytes;
  bytes.reserve(size);
  bytes += kRawFileMark;
  AppendNumber(owner.fit, bytes);
  AppendNumber(owner.create_time_us, bytes);
  for (RecordedSample& sample : samples) {
    std::vector<float>& x = sample.evaluation.raw_x;
    if (x.empty()) continue;
    sample.raw.offset = static_cast<int64_t>(bytes.size());
    bytes.append(reinterpret_cast<const char*>(x.data()),
                 x.size() * sizeof(float));
    x = {};
  }
  return bytes;
}

absl::StatusOr<std::string_view> RawFloats(std::string_view file,
                                           int64_t offset, size_t n) {
  const size_t size = n * sizeof(float);
  if (offset < 0 || static_cast<uint64_t>(offset) > file.size() ||
      file.size() - static_cast<size_t>(offset) < size) {
    return absl::DataLossError(absl::StrCat(
        "a file of raw traces has ", file.size(), " bytes, but ", size, " at ",
        offset, " are wanted; restore it from a backup"));
  }
  return file.substr(static_cast<size_t>(offset), size);
}

}  // namespace somafit
