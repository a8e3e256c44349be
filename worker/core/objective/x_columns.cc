#include "worker/core/objective/x_columns.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"

namespace somafit {

XColumns::XColumns(std::vector<TraceSegment> segments)
    : segments_(std::move(segments)) {
  for (TraceSegment& segment : segments_) {
    segment.column = size_;
    size_ += segment.count;
  }
}

std::string XColumns::NameOf(size_t column) const {
  SOMAFIT_CHECK(column < size_);
  if (!raw()) return names_[column];
  const auto behind =
      std::upper_bound(segments_.begin(), segments_.end(), column,
                       [](size_t wanted, const TraceSegment& segment) {
                         return wanted < segment.column;
                       });
  const TraceSegment& segment = *std::prev(behind);
  return absl::StrCat(segment.name, "[", segment.trace, "][",
                      segment.StepOf(column - segment.column), "]");
}

std::vector<size_t> XColumns::OutputEnds() const {
  std::vector<size_t> ends;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (i + 1 < segments_.size() &&
        segments_[i + 1].output == segments_[i].output) {
      continue;
    }
    ends.push_back(segments_[i].column + segments_[i].count);
  }
  return ends;
}

}  // namespace somafit
