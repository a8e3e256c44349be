#include "worker/core/lang/method.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

constexpr std::string_view kAvailable[] = {
    "exact", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein"};

// Those of the language's section 3.2 that are still to come.
constexpr std::string_view kFuture[] = {"gsl",     "gsl_rkf45", "gsl_rk2",
                                        "gsl_rk4", "gsl_rkck",  "gsl_rk8pd"};

template <size_t n>
bool Contains(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

std::string ReadMethod(const std::string& text, Diagnostics& diagnostics) {
  constexpr char kField[] = "model.method";
  std::string name =
      absl::AsciiStrToLower(std::string(absl::StripAsciiWhitespace(text)));
  if (name == "linear") name = "exact";
  if (name.empty() || Contains(kAvailable, name)) return name;
  const std::vector<std::string> names(std::begin(kAvailable),
                                       std::end(kAvailable));
  const std::string known = absl::StrCat("known: ", absl::StrJoin(names, ", "));
  if (Contains(kFuture, name)) {
    diagnostics.FieldError(
        "E_METHOD", kField,
        absl::StrCat("the method ", Quoted(name), " is not available yet"),
        known);
  } else if (name == "independent") {
    diagnostics.FieldError("E_METHOD", kField,
                           "the method `independent` is deprecated",
                           "use exact");
  } else {
    const std::string nearest = NearestWord(name, names);
    diagnostics.FieldError(
        "E_METHOD", kField,
        absl::StrCat("the method ", Quoted(text), " is unknown"),
        nearest.empty() ? known
                        : absl::StrCat("did you mean `", nearest, "`?"));
  }
  return "";
}

void CheckMethodOptions(const std::vector<NamedText>& options,
                        const std::string& method, Diagnostics& diagnostics) {
  const std::string whose = method.empty()
                                ? "a method that is chosen"
                                : absl::StrCat("the method ", Quoted(method));
  for (const NamedText& option : options) {
    // Of Brian's symbolic solver; there is nothing to simplify here.
    if (method == "exact" && option.name == "simplify") continue;
    diagnostics.FieldError(
        "E_OPTION",
        absl::StrCat("model.method_options.", ShownName(option.name)),
        absl::StrCat(whose, " has no option ", Quoted(option.name)),
        "remove it");
  }
}

}  // namespace somafit
