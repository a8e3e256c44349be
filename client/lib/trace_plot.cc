#include "client/lib/trace_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/lib/display.h"
#include "client/lib/histogram.h"
#include "client/lib/pairs_plot.h"
#include "client/lib/svg.h"
#include "client/lib/trace_writer.h"

namespace somafit {
namespace {

constexpr int kMostPanels = 60;
constexpr double kWidth = 320, kHeight = 160, kGap = 20;
constexpr double kLeft = 64, kTop = 44, kBottom = 44, kRight = 16;
// Steps that a panel can tell apart.
constexpr size_t kMostSteps = 1200;
constexpr char kBands[][8] = {"#d6e4f2", "#9dbfdf"};
constexpr char kMedian[] = "#1f4e79", kRecorded[] = "#d62728";

// Of a variable on a trace, over points: one series for each share.
constexpr double kShares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
struct Panel {
  std::vector<double> times;      // [s]
  std::vector<double> shares[5];  // [step]
  std::vector<double> recorded;   // empty: nothing is
};

// The line through (times, values), in pieces where numbers are missing.
template <typename X, typename Y>
std::string PathOf(const std::vector<double>& times,
                   const std::vector<double>& values, const X& x, const Y& y) {
  std::string path;
  bool pen_down = false;
  for (size_t i = 0; i < times.size(); ++i) {
    if (!std::isfinite(values[i])) {
      pen_down = false;
      continue;
    }
    absl::StrAppend(&path, pen_down ? "L" : "M", SvgNumber(x(times[i])), " ",
                    SvgNumber(y(values[i])));
    pen_down = true;
  }
  return path;
}

class Painter {
 public:
  Painter(const v1::TraceHeader& header, size_t n_traces)
      : header_(header), n_traces_(n_traces) {}

  void Paint(size_t row, size_t column, const Panel& panel,
             const Limits& limits) {
    const double left =
        kLeft + static_cast<double>(column) * (kWidth + kGap + kLeft / 2);
    const double top = kTop + static_cast<double>(row) * (kHeight + kBottom);
    const double end = std::max(panel.times.back(), header_.dt());
    const auto x = [&](double t) { return t / end * kWidth; };
    const auto y = [&](double value) {
      return (limits.upper - value) / (limits.upper - limits.lower) * kHeight;
    };
    absl::StrAppend(&text_, "<g transform=\"translate(", SvgNumber(left), " ",
                    SvgNumber(top), ")\">\n");
    for (int band = 0; band < 2; ++band) {
      Band(panel.times, panel.shares[band], panel.shares[4 - band], x, y,
           kBands[band]);
    }
    Line(PathOf(panel.times,
                panel.recorded.empty()
                    ? std::vector<double>(panel.times.size(), std::nan(""))
                    : panel.recorded,
                x, y),
         kRecorded, 0.8);
    Line(PathOf(panel.times, panel.shares[2], x, y), kMedian, 1.2);
    const v1::Variable& variable = header_.outputs(static_cast<int>(row));
    const double scale = DisplayScale(variable);
    for (const double tick :
         TicksOf({limits.lower / scale, limits.upper / scale})) {
      absl::StrAppend(&text_, "<text x=\"-6\" y=\"",
                      SvgNumber(y(tick * scale) + 4), "\" text-anchor=\"end\">",
                      NumberText(tick), "</text>\n");
    }
    for (const double tick : TicksOf({0, end * 1e3})) {
      absl::StrAppend(&text_, "<text x=\"", SvgNumber(x(tick * 1e-3)),
                      "\" y=\"", SvgNumber(kHeight + 16),
                      "\" text-anchor=\"middle\">", NumberText(tick),
                      "</text>\n");
    }
    absl::StrAppend(&text_, "<rect width=\"", SvgNumber(kWidth), "\" height=\"",
                    SvgNumber(kHeight), "\" fill=\"none\" stroke=\"#888\"/>\n",
                    "<text x=\"4\" y=\"-4\">", SvgText(AxisLabel(variable)),
                    n_traces_ > 1 ? absl::StrCat(", trace ", column) : "",
                    "</text>\n", "<text x=\"", SvgNumber(kWidth), "\" y=\"",
                    SvgNumber(kHeight + 32),
                    "\" text-anchor=\"end\">t [ms]</text>\n</g>\n");
  }

  std::string text_;

 private:
  template <typename X, typename Y>
  void Band(const std::vector<double>& times, const std::vector<double>& lower,
            const std::vector<double>& upper, const X& x, const Y& y,
            const char* color) {
    std::string there, back;
    for (size_t i = 0; i < times.size(); ++i) {
      if (!std::isfinite(lower[i]) || !std::isfinite(upper[i])) continue;
      absl::StrAppend(&there, there.empty() ? "M" : "L", SvgNumber(x(times[i])),
                      " ", SvgNumber(y(upper[i])));
      back = absl::StrCat("L", SvgNumber(x(times[i])), " ",
                          SvgNumber(y(lower[i])), back);
    }
    if (there.empty()) return;
    absl::StrAppend(&text_, "<path fill=\"", color, "\" d=\"", there, back,
                    "Z\"/>\n");
  }
  void Line(const std::string& path, const char* color, double width) {
    if (path.empty()) return;
    absl::StrAppend(&text_, "<path fill=\"none\" stroke=\"", color,
                    "\" stroke-width=\"", SvgNumber(width), "\" d=\"", path,
                    "\"/>\n");
  }

  const v1::TraceHeader& header_;
  const size_t n_traces_;
};

}  // namespace

TracePlot::TracePlot(std::string title, const v1::TraceHeader& header)
    : title_(std::move(title)), header_(header), shape_(*ShapeOf(header)) {}

absl::Status TracePlot::SetRecordings(Dataset recordings) {
  bool same = recordings.traces.size() == shape_.n_traces();
  for (size_t i = 0; same && i < recordings.traces.size(); ++i) {
    same = !recordings.traces[i].targets.empty() &&
           recordings.traces[i].targets[0].size() == shape_.steps(i);
  }
  if (!same) {
    return absl::InvalidArgumentError(
        "the recordings do not have the traces and steps of what was "
        "simulated: give the file that the fit was made of");
  }
  const auto is_shown = [&](const Channel& output) {
    return std::any_of(
        header_.outputs().begin(), header_.outputs().end(),
        [&](const v1::Variable& each) { return each.name() == output.name; });
  };
  if (std::none_of(recordings.outputs.begin(), recordings.outputs.end(),
                   is_shown)) {
    return absl::InvalidArgumentError(
        absl::StrCat("none of the simulated variables was recorded; add "
                     "--output ",
                     recordings.outputs[0].name));
  }
  recordings_ = std::move(recordings);
  return absl::OkStatus();
}

absl::StatusOr<std::string> TracePlot::Svg() const {
  const size_t n_rows = shape_.n_outputs(), n_columns = shape_.n_traces();
  if (n_rows * n_columns > kMostPanels) {
    return absl::InvalidArgumentError(absl::StrCat(
        n_rows, " variables on ", n_columns, " traces are ", n_rows * n_columns,
        " panels; a picture has at most ", kMostPanels,
        ": ask for fewer variables, or write .csv or .npy"));
  }
  Painter painter(header_, n_columns);
  painter.text_ = SvgBegin(
      kLeft + static_cast<double>(n_columns) * (kWidth + kGap + kLeft / 2) +
          kRight,
      kTop + static_cast<double>(n_rows) * (kHeight + kBottom), title_, kLeft);
  for (size_t row = 0; row < n_rows; ++row) {
    std::vector<Panel> panels(n_columns);
    std::vector<double> extent;
    for (size_t column = 0; column < n_columns; ++column) {
      Panel& panel = panels[column];
      const size_t steps = shape_.steps(column);
      const size_t stride = (steps + kMostSteps - 1) / kMostSteps;
      const std::vector<double>* recorded = nullptr;
      for (size_t i = 0; recordings_ && i < recordings_->outputs.size(); ++i) {
        if (recordings_->outputs[i].name ==
            header_.outputs(static_cast<int>(row)).name()) {
          recorded = &recordings_->traces[column].targets[i];
        }
      }
      std::vector<double> values;
      for (size_t step = 0; step < steps; step += stride) {
        panel.times.push_back(static_cast<double>(step) * header_.dt());
        values.clear();
        for (const Recording& point : points_) {
          const double value = shape_.Series(point, column, row)[step];
          if (std::isfinite(value)) values.push_back(value);
        }
        std::sort(values.begin(), values.end());
        for (size_t k = 0; k < std::size(kShares); ++k) {
          panel.shares[k].push_back(
              values.empty() ? std::nan("") : QuantileOf(values, kShares[k]));
        }
        for (const size_t k : {size_t{0}, std::size(kShares) - 1}) {
          if (!values.empty()) extent.push_back(panel.shares[k].back());
        }
        if (recorded == nullptr) continue;
        panel.recorded.push_back((*recorded)[step]);
        if (std::isfinite(panel.recorded.back())) {
          extent.push_back(panel.recorded.back());
        }
      }
    }
    const Limits limits = extent.empty() ? Limits() : LimitsOf(extent);
    for (size_t column = 0; column < n_columns; ++column) {
      painter.Paint(row, column, panels[column], limits);
    }
  }
  return absl::StrCat(painter.text_, "</svg>\n");
}

}  // namespace somafit
