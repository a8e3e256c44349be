#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "server/study/records.h"
#include "worker/core/units/dimension.h"

namespace somafit {

// How values of the domain are written into columns, and read back. Reading
// what writing would not write is DataLoss.

// Little-endian doubles, bit for bit.
std::string_view BytesOf(const std::vector<double>& values);  // these, there
std::string EncodeDoubles(const std::vector<double>& values);
absl::StatusOr<std::vector<double>> DecodeDoubles(std::string_view bytes);

// Seven exponents, "2,1,-3,-1,0,0,0".
std::string EncodeDimension(const Dimension& dimension);
absl::StatusOr<Dimension> DecodeDimension(const std::string& text);

// JSON of somafit.v1.FitSpec and Model.
absl::StatusOr<std::string> EncodeSpec(const FitSpec& spec);
absl::StatusOr<FitSpec> DecodeSpec(const std::string& json);
absl::StatusOr<std::string> EncodeModel(const ModelSource& source);
absl::StatusOr<ModelSource> DecodeModel(const std::string& json);

absl::StatusOr<FitState> DecodeFitState(std::string_view text);
absl::StatusOr<SampleStatus> DecodeSampleStatus(std::string_view text);
std::string_view StageKindName(StageKind kind);
absl::StatusOr<StageKind> DecodeStageKind(std::string_view text);

}  // namespace somafit
