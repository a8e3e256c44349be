#include "worker/core/data/evaluation.h"

namespace somafit {

std::string_view SampleStatusName(SampleStatus status) {
  switch (status) {
    case SampleStatus::kDrawn:
      return "drawn";
    case SampleStatus::kOk:
      return "ok";
    case SampleStatus::kNonfinite:
      return "nonfinite";
    case SampleStatus::kFailed:
      return "failed";
    case SampleStatus::kCancelled:
      return "cancelled";
    case SampleStatus::kAbandoned:
      return "abandoned";
  }
  return "unknown";
}

}  // namespace somafit
