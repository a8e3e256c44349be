#include "worker/core/lang/type_check.h"

#include "absl/strings/str_cat.h"

namespace somafit {

void CheckType(const Expression& expression, ValueType found,
               const std::string& name, ValueType declared,
               const std::string& what, const Source& source,
               Diagnostics& diagnostics) {
  const Span span = expression.nodes[expression.root].span;
  const std::string subject = Quoted(name);
  if (declared == ValueType::kBoolean && found != ValueType::kBoolean) {
    diagnostics.Error(
        "E_TYPE", source, span,
        absl::StrCat(subject, " is boolean, but its ", what, " is a number"),
        "compare it with something, e.g. `!= 0`");
  } else if (declared == ValueType::kInteger && found == ValueType::kFloat) {
    diagnostics.Add(Severity::kWarning, "W_TRUNC", source, span,
                    absl::StrCat("the ", what, " of the integer ", subject,
                                 " is cut off to an integer"),
                    "int(...) says so");
  } else if (declared == ValueType::kFloat && found == ValueType::kBoolean) {
    diagnostics.Add(Severity::kWarning, "W_BOOLARITH", source, span,
                    absl::StrCat("the ", what, " of ", subject,
                                 " is a truth value, it counts as 0 or 1"),
                    "int(...) says so");
  }
}

}  // namespace somafit
