#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include <ATen/ATen.h>

#include "server/inference/estimator_spec.h"
#include "server/inference/scaling.h"
#include "worker/core/data/byte_codec.h"

namespace somafit {

// FNV-1a: shows damage, not malice.
uint64_t ByteSum(std::string_view bytes, uint64_t sum = 0xcbf29ce484222325);

// A mark of 8 bytes, a version, the payload, and a sum over all of it.
std::string Seal(std::string_view mark, uint32_t version,
                 std::string_view payload);
// The payload; DataLoss, which says what `kind` of thing is wrong, for bytes
// that Seal did not write with this mark and version.
absl::StatusOr<std::string_view> Unseal(std::string_view kind,
                                        std::string_view mark, uint32_t version,
                                        std::string_view bytes);

void WriteSpec(ByteWriter& writer, const EstimatorSpec& spec);
// False where the bytes run out or a count is out of bounds. What comes out has
// yet to pass CheckEstimatorSpec.
bool ReadSpec(ByteReader& reader, EstimatorSpec& spec);

// Shifts and scales; finite, and scales above 0.
void WriteScales(ByteWriter& writer, const ThetaMap& theta_map,
                 const DataMap& data_map);
bool ReadScales(ByteReader& reader, const EstimatorSpec& spec,
                ThetaMap& theta_map, DataMap& data_map);

// float32 numbers; their count is known to the reader: `tensor`'s size.
void WriteFloats(ByteWriter& writer, const at::Tensor& tensor);
bool ReadFloats(ByteReader& reader, at::Tensor& tensor);

}  // namespace somafit
