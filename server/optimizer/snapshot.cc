#include "server/optimizer/snapshot.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr std::string_view kMagic = "SOMAOPTS";
constexpr size_t kSumBytes = 8;

// FNV-1a.
uint64_t Sum(std::string_view bytes) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return sum;
}

std::string Header(std::string_view name, uint32_t version,
                   const OptimizerConfig& config) {
  ByteWriter writer;
  writer.Bytes(kMagic);
  writer.Text(name);
  writer.U32(version);
  writer.U64(config.dimensions);
  writer.U64(config.options.size());
  for (const auto& [option, value] : config.options) {
    writer.Text(option);
    writer.F64(value);
  }
  return writer.Take();
}

}  // namespace

std::string SealSnapshot(std::string_view name, uint32_t version,
                         const OptimizerConfig& config,
                         std::string_view state) {
  ByteWriter writer;
  writer.Bytes(Header(name, version, config));
  writer.Text(state);
  writer.U64(Sum(writer.bytes()));
  return writer.Take();
}

absl::StatusOr<std::string_view> OpenSnapshot(std::string_view name,
                                              uint32_t version,
                                              const OptimizerConfig& config,
                                              std::string_view snapshot) {
  const auto refuse = [name](const char* why) {
    return absl::DataLossError(absl::StrCat("snapshot of optimizer \"",
                                            std::string(name), "\" ", why));
  };
  const std::string header = Header(name, version, config);
  if (snapshot.size() < header.size() + 8 + kSumBytes) {
    return refuse("is cut short");
  }
  if (snapshot.substr(0, header.size()) != header) {
    return refuse("was written by another optimizer, version or configuration");
  }
  ByteReader sum_reader(snapshot.substr(snapshot.size() - kSumBytes));
  uint64_t sum = 0;
  if (!sum_reader.U64(sum) ||
      sum != Sum(snapshot.substr(0, snapshot.size() - kSumBytes))) {
    return refuse("is damaged");
  }
  ByteReader reader(snapshot.substr(
      header.size(), snapshot.size() - header.size() - kSumBytes));
  uint64_t size = 0;
  std::string_view state;
  if (!reader.U64(size) || !reader.Bytes(size, state) || reader.rest() > 0) {
    return refuse("is damaged");
  }
  return state;
}

}  // namespace somafit
