#include "client/lib/points_file.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "client/lib/csv.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/quantity.h"

namespace somafit {
namespace {

constexpr size_t kMaxErrors = 10;
constexpr size_t kMaxQuoted = 40;

struct Column {
  int parameter = -1;
  double scale = 1;
};

class PointsParser {
 public:
  // Columns for the fit's parameters, then for `others`, which may lack
  // numbers.
  PointsParser(const std::string& path, const v1::Fit& fit,
               const std::vector<std::string>& others)
      : path_(path), fit_(fit) {
    for (const v1::Variable& each : fit.parameters()) {
      names_.push_back(each.name());
    }
    names_.insert(names_.end(), others.begin(), others.end());
  }

  absl::StatusOr<Points> Parse(absl::string_view text) {
    CsvReader reader(text);
    CsvRow row;
    if (!reader.Next(&row)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_,
          " is empty; its first line must be: ", absl::StrJoin(names_, ",")));
    }
    ReadHeader(row);
    while (errors_.empty() && reader.Next(&row)) ReadRow(row);
    if (errors_.empty() && points_.values.empty()) {
      errors_.push_back(absl::StrCat(path_,
                                     ": there is no point below the "
                                     "header; add one a line"));
    }
    if (!errors_.empty()) {
      return absl::InvalidArgumentError(absl::StrJoin(errors_, "\n"));
    }
    points_.parameters = names_;
    return std::move(points_);
  }

 private:
  void ReadHeader(const CsvRow& row) {
    std::vector<bool> seen(names_.size());
    for (const CsvCell& cell : row.cells) {
      absl::string_view name = cell.text;
      absl::string_view unit;
      const size_t bracket = name.find('[');
      if (bracket != absl::string_view::npos) {
        unit = name.substr(bracket + 1);
        name = absl::StripAsciiWhitespace(name.substr(0, bracket));
        if (!absl::ConsumeSuffix(&unit, "]")) {
          Error(row, cell,
                absl::StrCat("\"", cell.text, "\" has no closing \"]\""));
          continue;
        }
      }
      Column column;
      for (size_t i = 0; i < names_.size(); ++i) {
        if (names_[i] == name) column.parameter = static_cast<int>(i);
      }
      if (column.parameter < 0) {
        const std::string nearest = NearestWord(std::string(name), names_);
        Error(row, cell,
              absl::StrCat("\"", name.substr(0, kMaxQuoted),
                           std::cmp_equal(names_.size(), fit_.parameters_size())
                               ? "\" is not a parameter of "
                               : "\" is no parameter or feature of ",
                           fit_.name(),
                           nearest.empty() ? ""
                                           : absl::StrCat(", did you mean \"",
                                                          nearest, "\"?"),
                           nearest.empty() ? "; they are: " : " They are: ",
                           absl::StrJoin(names_, ", ")));
        continue;
      }
      if (seen[column.parameter]) {
        Error(row, cell, absl::StrCat("\"", name, "\" is there twice"));
      }
      seen[column.parameter] = true;
      if (bracket != absl::string_view::npos) {
        ReadUnit(row, cell, unit, &column);
      }
      columns_.push_back(column);
    }
    for (size_t i = 0; errors_.empty() && i < names_.size(); ++i) {
      if (!seen[i]) {
        Error(
            row, row.cells[0],
            absl::StrCat(IsParameter({static_cast<int>(i)}) ? "the parameter \""
                                                            : "the feature \"",
                         names_[i], "\" has no column; the header must name: ",
                         absl::StrJoin(names_, ", ")));
      }
    }
  }

  bool IsParameter(const Column& column) const {
    return column.parameter < fit_.parameters_size();
  }

  void ReadUnit(const CsvRow& row, const CsvCell& cell, absl::string_view unit,
                Column* column) {
    if (!IsParameter(*column)) {
      Error(row, cell,
            absl::StrCat("\"", names_[column->parameter],
                         "\" has no unit: leave out the brackets"));
      return;
    }
    const v1::Variable& parameter = fit_.parameters(column->parameter);
    Diagnostics diagnostics;
    const std::optional<Quantity> quantity =
        EvaluateQuantity({"unit", std::string(unit)}, {}, diagnostics);
    if (!quantity || !std::isfinite(quantity->value) || quantity->value == 0) {
      Error(row, cell,
            absl::StrCat("\"", unit.substr(0, kMaxQuoted),
                         "\" is not a unit; write one like nS"));
      return;
    }
    column->scale = quantity->value;
    Diagnostics ignored;  // Products such as "m^2 kg" are not of the language.
    const std::optional<Quantity> own =
        EvaluateQuantity({"unit", parameter.si_unit()}, {}, ignored);
    if (own && !(own->dimension == quantity->dimension)) {
      Error(row, cell,
            absl::StrCat("\"", parameter.name(), "\" is in ",
                         parameter.si_unit(), ", \"", unit, "\" is not"));
    }
  }

  void ReadRow(const CsvRow& row) {
    if (row.cells.size() != columns_.size()) {
      Error(row, row.cells[0],
            absl::StrCat("this row has ", row.cells.size(),
                         " cells, the header has ", columns_.size()));
      return;
    }
    const size_t start = points_.values.size();
    points_.values.resize(start + names_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      const CsvCell& cell = row.cells[i];
      std::optional<double> value = ReadNumber(cell);
      const bool must_be = IsParameter(columns_[i]);
      if (!must_be && cell.text.empty()) {
        value = std::numeric_limits<double>::quiet_NaN();
      }
      if (!value || (must_be && !std::isfinite(*value))) {
        Error(row, cell,
              absl::StrCat("\"", cell.text.substr(0, kMaxQuoted),
                           must_be ? "\" is not a finite number"
                                   : "\" is not a number"));
      }
      points_.values[start + columns_[i].parameter] =
          value.value_or(0) * columns_[i].scale;
    }
  }

  void Error(const CsvRow& row, const CsvCell& cell,
             absl::string_view message) {
    if (errors_.size() == kMaxErrors) return;
    errors_.push_back(
        absl::StrCat(path_, ":", row.line, ":", cell.column, ": ", message));
  }

  const std::string& path_;
  const v1::Fit& fit_;
  std::vector<std::string> names_;
  std::vector<Column> columns_;
  Points points_;
  std::vector<std::string> errors_;
};

}  // namespace

absl::StatusOr<Points> ParsePoints(absl::string_view text,
                                   const std::string& path,
                                   const v1::Fit& fit) {
  return PointsParser(path, fit, {}).Parse(text);
}

absl::StatusOr<SimulationTable> ParseSimulations(
    absl::string_view text, const std::string& path, const v1::Fit& fit,
    const std::vector<std::string>& features) {
  SOMAFIT_ASSIGN_OR_RETURN(Points all,
                           PointsParser(path, fit, features).Parse(text));
  const size_t n_parameters = fit.parameters_size();
  const size_t width = n_parameters + features.size();
  SimulationTable table;
  all.parameters.resize(n_parameters);
  table.theta.parameters = std::move(all.parameters);
  for (size_t i = 0; i < all.values.size(); ++i) {
    (i % width < n_parameters ? table.theta.values : table.x)
        .push_back(all.values[i]);
  }
  return table;
}

}  // namespace somafit
