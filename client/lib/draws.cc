#include "client/lib/draws.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/lib/display.h"
#include "client/lib/histogram.h"
#include "client/lib/npz.h"
#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"

namespace somafit {

absl::StatusOr<DrawFormat> DrawFormatOf(const std::string& path) {
  if (path == "-" || absl::EndsWith(path, ".csv")) return DrawFormat::kCsv;
  if (absl::EndsWith(path, ".npy")) return DrawFormat::kNpy;
  if (absl::EndsWith(path, ".npz")) return DrawFormat::kNpz;
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": the name of a file of draws ends in .csv, .npy or .npz"));
}

std::vector<std::string> SiHeaders(
    const std::vector<v1::Variable>& parameters) {
  std::vector<std::string> headers;
  for (const v1::Variable& each : parameters) {
    Diagnostics ignored;
    const bool readable =
        !each.si_unit().empty() && each.si_unit() != "1" &&
        EvaluateQuantity({"unit", each.si_unit()}, {}, ignored).has_value();
    headers.push_back(readable
                          ? absl::StrCat(each.name(), " [", each.si_unit(), "]")
                          : each.name());
  }
  return headers;
}

void WriteDraws(const Draws& draws, DrawFormat format,
                const std::function<void(absl::string_view)>& sink) {
  const size_t columns = draws.parameters.size();
  const bool densities = draws.log_density.size() == draws.size();
  if (format == DrawFormat::kNpz) {
    NpzWriter archive;
    archive.AddMatrix("theta", draws.theta, columns);
    if (densities) archive.Add("log_density", draws.log_density);
    sink(archive.Finish());
    return;
  }
  if (format == DrawFormat::kNpy) {
    sink(NpyHeader("<f8", absl::StrCat(draws.size(), ", ", columns)));
    sink({reinterpret_cast<const char*>(draws.theta.data()),
          draws.size() * columns * sizeof(double)});
    return;
  }
  std::string header = absl::StrJoin(SiHeaders(draws.parameters), ",");
  sink(absl::StrCat(header, densities ? ",log_density\n" : "\n"));
  for (size_t row = 0; row < draws.size(); ++row) {
    std::string line;
    for (size_t i = 0; i < columns; ++i) {
      absl::StrAppend(&line, i > 0 ? "," : "",
                      ShortestText(draws.theta[row * columns + i]));
    }
    if (densities) {
      absl::StrAppend(&line, ",", ShortestText(draws.log_density[row]));
    }
    sink(absl::StrCat(line, "\n"));
  }
}

std::string AlignedTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i > 0 ? "  " : "", i > 0 ? blanks : "", row[i],
                      i > 0 ? "" : blanks);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string SummaryTable(const Draws& draws) {
  std::vector<std::vector<std::string>> rows = {
      {"parameter", "mean", "sd", "2.5 %", "50 %", "97.5 %", "unit"}};
  const size_t columns = draws.parameters.size();
  for (size_t i = 0; i < columns; ++i) {
    const double scale = DisplayScale(draws.parameters[i]);
    std::vector<double> values;
    double sum = 0;
    for (size_t row = 0; row < draws.size(); ++row) {
      values.push_back(draws.theta[row * columns + i] / scale);
      sum += values.back();
    }
    const double n = static_cast<double>(values.size());
    const double mean = values.empty() ? std::nan("") : sum / n;
    double squares = 0;
    for (const double value : values)
      squares += (value - mean) * (value - mean);
    std::sort(values.begin(), values.end());
    rows.push_back(
        {draws.parameters[i].name(), NumberText(mean),
         NumberText(values.size() < 2 ? std::nan("")
                                      : std::sqrt(squares / (n - 1))),
         NumberText(QuantileOf(values, 0.025)),
         NumberText(QuantileOf(values, 0.5)),
         NumberText(QuantileOf(values, 0.975)),
         DisplayUnitText(draws.parameters[i])});
  }
  return AlignedTable(rows);
}

}  // namespace somafit
