#include "client/lib/parameter_value.h"

#include <cmath>
#include <filesystem>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/lib/csv.h"
#include "client/lib/npy.h"
#include "client/lib/text_file.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/quantity.h"

namespace somafit {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 20;

// The numbers of a text; false at the first that is none.
bool ParseNumbers(absl::string_view text, std::vector<double>* numbers) {
  CsvReader reader(text);
  CsvRow row;
  bool first = true;
  while (reader.Next(&row)) {
    std::vector<double> found;
    for (const CsvCell& cell : row.cells) {
      const std::optional<double> value = ReadNumber(cell);
      if (!value && first) {
        found.clear();  // a header
        break;
      }
      if (!value) return false;
      found.push_back(*value);
    }
    numbers->insert(numbers->end(), found.begin(), found.end());
    first = false;
  }
  return true;
}

}  // namespace

absl::StatusOr<double> ParseParameterValue(absl::string_view text,
                                           const v1::Variable& variable,
                                           absl::string_view what) {
  if (const std::optional<double> plain = ReadNumber(std::string(text))) {
    if (std::isfinite(*plain)) return *plain;
  }
  Diagnostics diagnostics;
  const std::optional<Quantity> quantity =
      EvaluateQuantity({std::string(what), std::string(text)}, {}, diagnostics);
  if (!quantity || !std::isfinite(quantity->value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": \"", text, "\" is no finite quantity; write one like 10*nS"));
  }
  Diagnostics ignored;  // Products such as "m^2 kg" are not of the language.
  const std::optional<Quantity> own = EvaluateQuantity(
      {"unit", variable.si_unit().empty() ? "1" : variable.si_unit()}, {},
      ignored);
  if (own && !(own->dimension == quantity->dimension)) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": \"", variable.name(), "\" is in ",
        variable.si_unit().empty() ? "plain numbers" : variable.si_unit(),
        ", \"", text, "\" is not"));
  }
  return quantity->value;
}

absl::StatusOr<std::pair<int, std::string>> ParseAssignment(
    absl::string_view text, const std::vector<v1::Variable>& variables,
    absl::string_view what) {
  std::vector<std::string> names;
  for (const v1::Variable& each : variables) names.push_back(each.name());
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " \"", text, "\" is no assignment; write ",
                     names.empty() ? "NAME" : names[0], "=VALUE"));
  }
  const absl::string_view name =
      absl::StripAsciiWhitespace(text.substr(0, equals));
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != name) continue;
    return std::pair(
        static_cast<int>(i),
        std::string(absl::StripAsciiWhitespace(text.substr(equals + 1))));
  }
  const std::string nearest = NearestWord(std::string(name), names);
  return absl::InvalidArgumentError(absl::StrCat(
      what, " \"", text, "\": there is no parameter \"", name, "\"",
      nearest.empty() ? "" : absl::StrCat(", did you mean \"", nearest, "\"?"),
      nearest.empty() ? "; they are: " : " They are: ",
      absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<double>> ReadNumbers(const std::string& text_or_path,
                                                int size,
                                                absl::string_view what) {
  std::vector<double> numbers;
  bool readable = ParseNumbers(text_or_path, &numbers) && !numbers.empty();
  if (!readable) {
    numbers.clear();
    if (!std::filesystem::exists(text_or_path)) {
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": \"", text_or_path,
          "\" is neither numbers, like 1.5,2, nor a file that there is"));
    }
    SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                             ReadFile(text_or_path, kMaxBytes));
    if (absl::EndsWith(text_or_path, ".npy")) {
      SOMAFIT_ASSIGN_OR_RETURN(const auto rows, ParseNpy(text, text_or_path));
      for (const std::vector<double>& row : rows) {
        numbers.insert(numbers.end(), row.begin(), row.end());
      }
    } else if (!ParseNumbers(text, &numbers)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": ", text_or_path,
                       " has something in it that is no number; give numbers, "
                       "with a comma between them or one a line"));
    }
  }
  if (static_cast<int>(numbers.size()) != size) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", numbers.size(), " numbers, but there are ",
                     size, " features; see: somafit posterior"));
  }
  for (const double number : numbers) {
    if (!std::isfinite(number)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has a number that is not finite"));
    }
  }
  return numbers;
}

}  // namespace somafit
