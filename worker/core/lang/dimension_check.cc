#include "worker/core/lang/dimension_check.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/units/unit.h"

namespace somafit {

std::string HintForMismatch(const std::string& left, const Dimension& a,
                            const std::string& right, const Dimension& b) {
  if (a.IsNone() || b.IsNone()) {
    const std::string& plain = a.IsNone() ? left : right;
    const std::string unit = UnitFormula(a.IsNone() ? b : a);
    return absl::StrCat("a plain number, 0 included, has no unit: multiply ",
                        plain, " by one, e.g. `*", unit, "`");
  }
  if (a == b * kTimeDimension || b == a * kTimeDimension) {
    return "did you forget to divide by a time constant?";
  }
  return "";
}

bool CheckDimension(const Expression& expression, const Dimension& found,
                    const Dimension& wanted, const std::string& subject,
                    const Source& source, Diagnostics& diagnostics) {
  if (found == wanted) return true;
  const std::string text = Quoted(PrintExpression(expression));
  std::string hint = HintForMismatch(text, found, subject, wanted);
  if (found == wanted * kTimeDimension) {
    hint = "did you forget to divide by a time constant?";
  } else if (wanted.IsNone()) {
    hint =
        absl::StrCat("divide by the unit, e.g. `/(", UnitFormula(found), ")`");
  }
  diagnostics.Error(
      "E_DIM", source, expression.nodes[expression.root].span,
      absl::StrCat(text, " has the unit ", ReadableDimension(found), " but ",
                   subject, " needs ", ReadableDimension(wanted)),
      std::move(hint));
  return false;
}

}  // namespace somafit
