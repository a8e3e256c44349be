#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace somafit {

enum class SampleStatus : uint8_t {
  kDrawn = 0,  // recorded, not yet simulated
  kOk = 1,
  kNonfinite = 2,  // simulated; an error is NaN or infinite
  kFailed = 3,     // could not be simulated, see `reason`
  kCancelled = 4,  // its fit was cancelled first
  // Not simulated to its end: its error is above what could matter.
  kAbandoned = 5,
};
std::string_view SampleStatusName(SampleStatus status);  // "drawn", "ok", ...

// What a simulation found for one sample. Errors are NaN where there is no
// number.
struct Evaluation {
  SampleStatus status = SampleStatus::kDrawn;
  double total_error = 0;  // what the optimizer sees: normalized, with penalty
  std::vector<double> output_errors;  // per output, in its own SI units
  std::vector<double> output_errors_normalized;  // per output
  std::vector<double> trace_errors;    // [output][trace], own SI units
  std::optional<double> penalty = {};  // of fits with one
  std::string reason;  // why it failed, or where it diverged; else empty
  // Of an inference from raw traces all columns of x; NaN where there is no
  // number, empty where nothing could be simulated.
  std::vector<float> raw_x = {};
};

}  // namespace somafit
