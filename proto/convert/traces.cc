#include "proto/convert/traces.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Of a piece besides its numbers, at most.
constexpr size_t kPieceOverhead = 64;

std::string Place(int64_t point, int64_t trace, int64_t output, int64_t step) {
  return absl::StrCat("point ", point, ", trace ", trace, ", output ", output,
                      ", step ", step);
}

}  // namespace

bool TraceCutter::Cut(TracePieces* pieces, size_t* bytes) {
  while (trace_ < shape_.n_traces() && shape_.n_outputs() > 0) {
    const size_t left = shape_.steps(trace_) - step_;
    if (left > 0) {
      if (*bytes + kPieceOverhead + sizeof(double) > kMaxPieceBytes) {
        return false;
      }
      const size_t room =
          (kMaxPieceBytes - *bytes - kPieceOverhead) / sizeof(double);
      const size_t n = std::min(left, room);
      v1::TracePiece* piece = pieces->Add();
      piece->set_point(point_);
      piece->set_trace(static_cast<int32_t>(trace_));
      piece->set_output(static_cast<int32_t>(output_));
      piece->set_first_step(static_cast<int64_t>(step_));
      const auto values =
          shape_.Series(recording_, trace_, output_).subspan(step_, n);
      piece->mutable_values()->Add(values.begin(), values.end());
      *bytes += kPieceOverhead + n * sizeof(double);
      step_ += n;
      if (n < left) return false;
    }
    step_ = 0;
    if (++output_ == shape_.n_outputs()) {
      output_ = 0;
      ++trace_;
    }
  }
  return true;
}

TraceAssembler::TraceAssembler(RecordingShape shape, int64_t first_point,
                               int64_t n_points)
    : shape_(std::move(shape)),
      point_(first_point),
      end_(first_point + n_points) {}

absl::Status TraceAssembler::Add(const TracePieces& pieces, const Take& take) {
  for (const v1::TracePiece& piece : pieces) {
    SOMAFIT_RETURN_IF_ERROR(AddPiece(piece, take));
  }
  return absl::OkStatus();
}

absl::Status TraceAssembler::AddPiece(const v1::TracePiece& piece,
                                      const Take& take) {
  const std::string got =
      Place(piece.point(), piece.trace(), piece.output(), piece.first_step());
  if (complete()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a piece of ", got, " comes after the last one"));
  }
  if (piece.point() != point_ || !std::cmp_equal(piece.trace(), trace_) ||
      !std::cmp_equal(piece.output(), output_) ||
      !std::cmp_equal(piece.first_step(), step_)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a piece of ", got, " comes where ",
        Place(point_, static_cast<int64_t>(trace_),
              static_cast<int64_t>(output_), static_cast<int64_t>(step_)),
        " should follow"));
  }
  const auto n = static_cast<size_t>(piece.values_size());
  const size_t left = shape_.steps(trace_) - step_;
  if (n == 0 || n > left) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a piece of ", got, " has ", n, " numbers where ", left, " are left"));
  }
  if (recording_.empty()) recording_.resize(shape_.size());
  std::copy(piece.values().begin(), piece.values().end(),
            recording_.begin() +
                static_cast<ptrdiff_t>(shape_.Offset(trace_, output_) + step_));
  step_ += n;
  if (step_ < shape_.steps(trace_)) return absl::OkStatus();
  step_ = 0;
  if (++output_ < shape_.n_outputs()) return absl::OkStatus();
  output_ = 0;
  if (++trace_ < shape_.n_traces()) return absl::OkStatus();
  trace_ = 0;
  return take(point_++, std::exchange(recording_, {}));
}

}  // namespace somafit
