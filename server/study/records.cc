#include "server/study/records.h"

namespace somafit {

std::string_view FitStateName(FitState state) {
  switch (state) {
    case FitState::kRunning:
      return "RUNNING";
    case FitState::kGated:
      return "GATED";
    case FitState::kPaused:
      return "PAUSED";
    case FitState::kSucceeded:
      return "SUCCEEDED";
    case FitState::kCancelled:
      return "CANCELLED";
    case FitState::kFailed:
      return "FAILED";
  }
  return "UNKNOWN";
}

bool HasEnded(FitState state) {
  return state == FitState::kSucceeded || state == FitState::kCancelled ||
         state == FitState::kFailed;
}

}  // namespace somafit
