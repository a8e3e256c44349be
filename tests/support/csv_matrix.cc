#include "tests/support/csv_matrix.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

absl::StatusOr<std::string> ReadPacked(const std::string& path) {
  if (path.find('\'') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("a quote in ", path));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      popen(absl::StrCat("bzip2 -dc '", path, "'").c_str(), "r"), &pclose);
  if (pipe == nullptr) return absl::UnavailableError("bzip2 does not start");
  std::string text;
  char buffer[65536];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe.get())) {
    text.append(buffer, n);
  }
  return text;
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("no file ", path));
  if (absl::EndsWith(path, ".bz2")) return ReadPacked(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

absl::StatusOr<CsvMatrix> ReadCsv(const std::string& path) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  CsvMatrix matrix;
  bool first = true;
  for (const absl::string_view line :
       absl::StrSplit(text, absl::ByAnyChar("\r\n"), absl::SkipEmpty())) {
    std::vector<double> row;
    bool numbers = true;
    for (const absl::string_view cell : absl::StrSplit(line, ',')) {
      const auto number = ReadNumber({cell.data(), cell.size()});
      numbers = numbers && number.has_value();
      row.push_back(number.value_or(0));
    }
    if (!numbers && first) {
      first = false;
      continue;
    }
    first = false;
    if (!numbers || (matrix.columns != 0 && row.size() != matrix.columns)) {
      return absl::DataLossError(
          absl::StrCat(path, " has a line that is no row: ", line));
    }
    matrix.columns = row.size();
    matrix.values.insert(matrix.values.end(), row.begin(), row.end());
  }
  if (matrix.columns == 0) {
    return absl::DataLossError(absl::StrCat(path, " holds no numbers"));
  }
  return matrix;
}

}  // namespace somafit
