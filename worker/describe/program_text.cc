#include "worker/describe/program_text.h"

#include <array>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "worker/describe/text_columns.h"

namespace somafit {
namespace {

using Counts = std::array<size_t, 3>;  // per Rate

TextRow RowOf(std::string_view name, const Counts& counts) {
  TextRow row{std::string(name)};
  for (const size_t count : counts) row.push_back(absl::StrCat(count));
  return row;
}

}  // namespace

std::string ProgramCounts(const Program& program) {
  const std::vector<Rate> rates = Rates(program);
  Counts all{};
  std::map<Op, Counts> by_operation;
  for (size_t id = 0; id < program.values.size(); ++id) {
    const auto rate = static_cast<size_t>(rates[id]);
    ++all[rate];
    ++by_operation[program.values[id].op][rate];
  }
  std::vector<TextRow> rows = {{"", "once", "per lane", "per step"},
                               RowOf("values", all)};
  for (const auto& [op, counts] : by_operation) {
    rows.push_back(RowOf(OpName(op), counts));
  }
  std::string text;
  const std::string table = TextColumns(rows, {1, 2, 3});
  for (const auto line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&text, "#", line.substr(1), "\n");
  }
  return text;
}

}  // namespace somafit
