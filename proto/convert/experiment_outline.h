#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "somafit/v1/experiment_outline.pb.h"
#include "worker/core/data/experiment_outline.h"

namespace somafit {

// An outline on its way from one program to another is the JSON of
// v1.ExperimentOutline: people can read it, and nothing else looks like it.

// More is refused.
inline constexpr size_t kMaxOutlineBytes = size_t{16} << 20;

// InvalidArgument for a message that is too large, or that has bytes which are
// not UTF-8.
absl::StatusOr<std::string> EncodeOutline(const v1::ExperimentOutline& message);

// InvalidArgument for anything but such a JSON, for texts beyond the limits of
// fits and for counts that no experiment has.
absl::StatusOr<ExperimentOutline> DecodeOutline(const std::string& json);

}  // namespace somafit
