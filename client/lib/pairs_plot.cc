#include "client/lib/pairs_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/lib/display.h"
#include "client/lib/svg.h"

namespace somafit {
namespace {

constexpr double kPanel = 160, kGap = 12;
constexpr double kLeft = 24, kTop = 44, kBottom = 56;
constexpr int kShades = 24;
constexpr char kLine[] = "#1f4e79";
constexpr char kPointColors[][8] = {"#d62728", "#ff7f0e", "#2ca02c", "#9467bd"};

class Svg {
 public:
  explicit Svg(const PairsPlot& plot)
      : plot_(plot), n_(static_cast<int>(plot.axes.size())) {}

  std::string Draw() {
    const double size = n_ * kPanel + (n_ - 1) * kGap;
    const double width = kLeft + size + kLeft;
    const double height = kTop + size + kBottom;
    text_ = SvgBegin(width, height, plot_.title, kLeft);
    size_t pair = 0;
    for (int i = 0; i < n_; ++i) {
      Diagonal(i);
      for (int j = i + 1; j < n_; ++j) Pair(i, j, plot_.pairs[pair++]);
    }
    return absl::StrCat(text_, "</svg>\n");
  }

 private:
  static double Corner(int i, double margin) {
    return margin + i * (kPanel + kGap);
  }
  // Within a panel, of a value of an axis: 0 to kPanel from the lower limit.
  double Place(int axis, double value) const {
    const Limits& limits = plot_.axes[axis].limits;
    return (value - limits.lower) / (limits.upper - limits.lower) * kPanel;
  }

  void Begin(int row, int column, absl::string_view name) {
    absl::StrAppend(&text_, "<g id=\"", SvgText(name),
                    "\" transform=\"translate(",
                    SvgNumber(Corner(column, kLeft)), " ",
                    SvgNumber(Corner(row, kTop)), ")\">\n");
  }
  void End() {
    absl::StrAppend(&text_, "<rect width=\"", SvgNumber(kPanel), "\" height=\"",
                    SvgNumber(kPanel),
                    "\" fill=\"none\" stroke=\"#888\"/>\n</g>\n");
  }

  void Diagonal(int i) {
    const PairsPlot::Curve& curve = plot_.diagonal[i];
    Begin(i, i, absl::StrCat("p-", plot_.axes[i].variable.name()));
    double most = 0;
    for (const double y : curve.y) most = std::max(most, y);
    if (most > 0) {
      std::string path;
      for (size_t k = 0; k < curve.x.size(); ++k) {
        const double x = std::clamp(Place(i, curve.x[k]), 0.0, kPanel);
        const double y = kPanel - 0.94 * kPanel * curve.y[k] / most;
        absl::StrAppend(&path, k == 0 ? "M" : "L", SvgNumber(x), " ",
                        SvgNumber(y));
      }
      absl::StrAppend(&text_, "<path d=\"", path, "\" fill=\"none\" stroke=\"",
                      kLine, "\"/>\n");
    }
    for (size_t p = 0; p < plot_.points.size(); ++p) {
      const double x = Place(i, plot_.points[p][i]);
      if (!(x >= 0 && x <= kPanel)) continue;
      absl::StrAppend(&text_, "<line class=\"point\" x1=\"", SvgNumber(x),
                      "\" x2=\"", SvgNumber(x), "\" y1=\"0\" y2=\"",
                      SvgNumber(kPanel), "\" stroke=\"",
                      kPointColors[p % std::size(kPointColors)], "\"/>\n");
    }
    Ticks(i);
    End();
  }

  void Ticks(int i) {
    const v1::Variable& variable = plot_.axes[i].variable;
    const double scale = DisplayScale(variable);
    const Limits shown = {plot_.axes[i].limits.lower / scale,
                          plot_.axes[i].limits.upper / scale};
    for (const double tick : TicksOf(shown)) {
      const std::string x = SvgNumber(Place(i, tick * scale));
      absl::StrAppend(&text_, "<line x1=\"", x, "\" x2=\"", x, "\" y1=\"",
                      SvgNumber(kPanel), "\" y2=\"", SvgNumber(kPanel + 4),
                      "\" stroke=\"#888\"/>\n<text x=\"", x, "\" y=\"",
                      SvgNumber(kPanel + 16),
                      "\" font-size=\"10\" text-anchor=\"middle\">",
                      SvgText(NumberText(tick)), "</text>\n");
    }
    absl::StrAppend(&text_, "<text x=\"", SvgNumber(kPanel / 2), "\" y=\"",
                    SvgNumber(kPanel + 32), "\" text-anchor=\"middle\">",
                    SvgText(AxisLabel(variable)), "</text>\n");
  }

  void Pair(int i, int j, const Grid& grid) {
    Begin(i, j,
          absl::StrCat("p-", plot_.axes[i].variable.name(), "-",
                       plot_.axes[j].variable.name()));
    if (plot_.show_cells) Cells(grid);
    if (!plot_.masses.empty()) Contours(grid);
    for (size_t p = 0; p < plot_.points.size(); ++p) {
      const double x = Place(j, plot_.points[p][j]);
      const double y = kPanel - Place(i, plot_.points[p][i]);
      if (!(x >= 0 && x <= kPanel && y >= 0 && y <= kPanel)) continue;
      absl::StrAppend(&text_, "<circle class=\"point\" cx=\"", SvgNumber(x),
                      "\" cy=\"", SvgNumber(y), "\" r=\"3.5\" fill=\"",
                      kPointColors[p % std::size(kPointColors)], "\"/>\n");
    }
    End();
  }

  // Cells of about the same density are one path.
  void Cells(const Grid& grid) {
    const double most = *std::max_element(grid.cells.begin(), grid.cells.end());
    if (!(most > 0)) return;
    const double w = kPanel / grid.columns, h = kPanel / grid.rows;
    std::vector<std::string> paths(kShades + 1);
    const auto shade = [&](int row, int column) {
      return static_cast<int>(
          std::ceil(grid.At(row, column) / most * kShades - 1e-9));
    };
    for (int row = 0; row < grid.rows; ++row) {
      for (int begin = 0; begin < grid.columns;) {
        const int of = shade(row, begin);
        int end = begin + 1;
        while (end < grid.columns && shade(row, end) == of) ++end;
        if (of > 0) {
          absl::StrAppend(&paths[of], "M", SvgNumber(begin * w), " ",
                          SvgNumber(kPanel - (row + 1) * h), "h",
                          SvgNumber((end - begin) * w), "v", SvgNumber(h), "h-",
                          SvgNumber((end - begin) * w), "z");
        }
        begin = end;
      }
    }
    for (int of = 1; of <= kShades; ++of) {
      if (paths[of].empty()) continue;
      // From nearly white to a dark blue.
      const double share = static_cast<double>(of) / kShades;
      const auto mix = [&](int from, int to) {
        return static_cast<int>(std::lround(from + share * (to - from)));
      };
      absl::StrAppendFormat(&text_, "<path fill=\"#%02x%02x%02x\" d=\"%s\"/>\n",
                            mix(0xee, 0x08), mix(0xf4, 0x30), mix(0xfb, 0x6b),
                            paths[of]);
    }
  }

  void Contours(const Grid& grid) {
    const Grid smooth = plot_.smooth_contours ? Smoothed(grid) : grid;
    for (const double mass : plot_.masses) {
      const std::vector<double> lines =
          ContourLines(smooth, HighestDensityThreshold(smooth, mass));
      if (lines.empty()) continue;
      std::string path;
      for (size_t k = 0; k + 3 < lines.size(); k += 4) {
        const auto x = [&](double v) {
          return SvgNumber(v / grid.columns * kPanel);
        };
        const auto y = [&](double v) {
          return SvgNumber(kPanel - v / grid.rows * kPanel);
        };
        absl::StrAppend(&path, "M", x(lines[k]), " ", y(lines[k + 1]), "L",
                        x(lines[k + 2]), " ", y(lines[k + 3]));
      }
      absl::StrAppend(&text_, "<path class=\"contour\" d=\"", path,
                      "\" fill=\"none\" stroke=\"#333\" stroke-width=\"0.8\"",
                      mass < 0.8 ? "" : " stroke-dasharray=\"3 2\"", "><title>",
                      absl::StrFormat("%.0f %%", 100 * mass),
                      "</title></path>\n");
    }
  }

  const PairsPlot& plot_;
  const int n_;
  std::string text_;
};

std::vector<double> Column(const std::vector<double>& draws, size_t n_axes,
                           size_t axis) {
  std::vector<double> column;
  for (size_t at = 0; at + n_axes <= draws.size(); at += n_axes) {
    column.push_back(draws[at + axis]);
  }
  return column;
}

}  // namespace

std::vector<double> TicksOf(const Limits& limits) {
  const double range = limits.upper - limits.lower;
  if (!(range > 0) || !std::isfinite(range)) return {limits.lower};
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (range / step < 5) break;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(limits.lower / step); k * step <= limits.upper;
       ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

std::vector<Limits> LimitsOfDraws(
    size_t n_axes, const std::vector<double>& draws,
    const std::vector<std::vector<double>>& points) {
  std::vector<Limits> limits;
  for (size_t i = 0; i < n_axes; ++i) {
    std::vector<double> column = Column(draws, n_axes, i);
    for (const std::vector<double>& point : points) column.push_back(point[i]);
    limits.push_back(LimitsOf(column));
  }
  return limits;
}

PairsPlot PlotOfDraws(const std::vector<v1::Variable>& variables,
                      const std::vector<double>& draws,
                      const std::vector<Limits>& limits) {
  PairsPlot plot;
  const size_t n = variables.size();
  std::vector<double> finite;
  for (size_t at = 0; at + n <= draws.size(); at += n) {
    const bool good =
        std::all_of(draws.begin() + static_cast<std::ptrdiff_t>(at),
                    draws.begin() + static_cast<std::ptrdiff_t>(at + n),
                    [](double value) { return std::isfinite(value); });
    if (!good) continue;
    for (size_t i = 0; i < n; ++i) finite.push_back(draws[at + i]);
  }
  std::vector<std::vector<double>> columns;
  for (size_t i = 0; i < n; ++i) {
    columns.push_back(Column(finite, n, i));
    plot.axes.push_back({variables[i], limits[i]});
    const Histogram histogram = HistogramOf(columns[i], limits[i]);
    PairsPlot::Curve curve;
    for (size_t bin = 0; bin < histogram.counts.size(); ++bin) {
      for (const size_t edge : {bin, bin + 1}) {
        curve.x.push_back(histogram.lower +
                          static_cast<double>(edge) * histogram.width);
        curve.y.push_back(static_cast<double>(histogram.counts[bin]));
      }
    }
    plot.diagonal.push_back(std::move(curve));
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      plot.pairs.push_back(
          Histogram2d(columns[j], columns[i], limits[j], limits[i]));
    }
  }
  plot.masses = {0.68, 0.95};
  return plot;
}

absl::Status CheckConditional(size_t n, const v1::PosteriorAnswer& answer) {
  const auto singles = static_cast<size_t>(answer.singles_size());
  const size_t resolution = n == 0 ? 0 : singles / n;
  const size_t pairs = n * (n - 1) / 2;
  if (n > 0 && resolution > 1 && singles == n * resolution &&
      static_cast<size_t>(answer.pairs_size()) ==
          pairs * resolution * resolution &&
      static_cast<size_t>(answer.lower_size()) == n &&
      static_cast<size_t>(answer.upper_size()) == n) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      "the trainer's conditional densities do not match what was asked for; "
      "update somafit");
}

PairsPlot PlotOfConditional(const std::vector<v1::Variable>& variables,
                            const v1::PosteriorAnswer& answer) {
  PairsPlot plot;
  const int n = static_cast<int>(variables.size());
  const int resolution = answer.singles_size() / n;
  for (int i = 0; i < n; ++i) {
    plot.axes.push_back({variables[i], {answer.lower(i), answer.upper(i)}});
    PairsPlot::Curve curve;
    for (int k = 0; k < resolution; ++k) {
      curve.x.push_back(answer.lower(i) + (answer.upper(i) - answer.lower(i)) *
                                              k / (resolution - 1));
      curve.y.push_back(answer.singles(i * resolution + k));
    }
    plot.diagonal.push_back(std::move(curve));
  }
  int pair = 0;
  for (int i = 0; i < n; ++i) {
    for (int j = i + 1; j < n; ++j, ++pair) {
      Grid grid{resolution, resolution, {}};
      // On the wire j is in rows.
      const int first = pair * resolution * resolution;
      for (int row = 0; row < resolution; ++row) {
        for (int column = 0; column < resolution; ++column) {
          grid.cells.push_back(answer.pairs(first + column * resolution + row));
        }
      }
      plot.pairs.push_back(std::move(grid));
    }
  }
  plot.smooth_contours = false;
  return plot;
}

std::string SvgOf(const PairsPlot& plot) { return Svg(plot).Draw(); }

}  // namespace somafit
