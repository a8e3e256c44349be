#include "client/lib/trace_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "client/lib/npz.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr size_t kMaxShown = 10;
constexpr size_t kFlush = 1 << 16;
// No coordinator sends more of one point.
constexpr int64_t kMaxNumbers = int64_t{1} << 28;

static_assert(std::endian::native == std::endian::little);

std::string ColumnName(const std::string& variable) {
  const bool taken = variable == "point" || variable == "trace";
  return taken ? absl::StrCat(variable, "_") : variable;
}

}  // namespace

absl::StatusOr<TraceFormat> TraceFormatOf(const std::string& path) {
  const std::string lower = absl::AsciiStrToLower(path);
  if (absl::EndsWith(lower, ".csv")) return TraceFormat::kCsv;
  if (absl::EndsWith(lower, ".npy")) return TraceFormat::kNpy;
  if (absl::EndsWith(lower, ".svg")) return TraceFormat::kSvg;
  return absl::InvalidArgumentError(
      absl::StrCat("cannot write traces to ", path,
                   ": give a file that ends in .csv, .npy or .svg"));
}

absl::StatusOr<RecordingShape> ShapeOf(const v1::TraceHeader& header) {
  if (header.steps().empty() || header.outputs().empty() ||
      header.points() < 1) {
    return absl::InternalError(
        "the coordinator announces no traces at all; update somafit");
  }
  std::vector<size_t> steps;
  int64_t left = kMaxNumbers / header.outputs_size();
  for (const int64_t n : header.steps()) {
    if (n < 1 || n > left) {
      return absl::InternalError(
          absl::StrCat("the coordinator announces a trace of ", n,
                       " steps; update somafit"));
    }
    left -= n;
    steps.push_back(static_cast<size_t>(n));
  }
  return RecordingShape(static_cast<size_t>(header.outputs_size()),
                        std::move(steps));
}

TraceWriter::TraceWriter(TraceFormat format, const v1::TraceHeader& header,
                         Sink sink)
    : format_(format),
      header_(header),
      sink_(std::move(sink)),
      shape_(*ShapeOf(header)) {
  for (size_t i = 0; i < shape_.n_traces(); ++i) {
    most_steps_ = std::max(most_steps_, shape_.steps(i));
  }
}

bool TraceWriter::padded() const {
  return shape_.size() < shape_.n_traces() * shape_.n_outputs() * most_steps_;
}

void TraceWriter::Begin() {
  if (format_ == TraceFormat::kNpy) {
    return sink_(NpyHeader(
        "<f8", absl::StrCat(header_.points(), ", ", shape_.n_traces(), ", ",
                            header_.outputs_size(), ", ", most_steps_)));
  }
  for (size_t step = 0; step < most_steps_; ++step) {
    times_.push_back(ShortestText(static_cast<double>(step) * header_.dt()));
  }
  std::string text = "point,trace,t";
  for (const v1::Variable& each : header_.outputs()) {
    absl::StrAppend(&text, ",", ColumnName(each.name()));
  }
  sink_(absl::StrCat(text, "\n"));
}

void TraceWriter::Add(const Recording& recording) {
  if (!std::all_of(recording.begin(), recording.end(),
                   [](double x) { return std::isfinite(x); })) {
    ++n_diverged_;
    if (diverged_.size() < kMaxShown) diverged_.push_back(point_);
  }
  if (format_ == TraceFormat::kCsv) {
    AddCsv(recording);
  } else {
    AddNpy(recording);
  }
  ++point_;
}

void TraceWriter::AddCsv(const Recording& recording) {
  for (size_t trace = 0; trace < shape_.n_traces(); ++trace) {
    const std::string begin = absl::StrCat(point_, ",", trace, ",");
    std::string lines;
    for (size_t step = 0; step < shape_.steps(trace); ++step) {
      absl::StrAppend(&lines, begin, times_[step]);
      for (size_t output = 0; output < shape_.n_outputs(); ++output) {
        lines += ',';
        lines += ShortestText(shape_.Series(recording, trace, output)[step]);
      }
      lines += '\n';
      if (lines.size() >= kFlush) {
        sink_(lines);
        lines.clear();
      }
    }
    sink_(lines);
  }
}

void TraceWriter::AddNpy(const Recording& recording) {
  const std::vector<double> nothing(most_steps_,
                                    std::numeric_limits<double>::quiet_NaN());
  const auto write = [this](std::span<const double> numbers) {
    sink_(absl::string_view(reinterpret_cast<const char*>(numbers.data()),
                            numbers.size_bytes()));
  };
  for (size_t trace = 0; trace < shape_.n_traces(); ++trace) {
    for (size_t output = 0; output < shape_.n_outputs(); ++output) {
      write(shape_.Series(recording, trace, output));
      write(std::span(nothing).subspan(shape_.steps(trace)));
    }
  }
}

}  // namespace somafit
