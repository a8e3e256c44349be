#include "worker/core/lang/definition_unit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

constexpr double kMaxExponent = 100;

// unit = [ "1" "/" ] power { ("*" | "/") power } ; power = NAME [ "**" NUMBER ]
class UnitReader {
 public:
  UnitReader(const Source& source, const Definition& definition,
             Diagnostics& diagnostics)
      : source_(source), definition_(definition), diagnostics_(diagnostics) {
    token_ = LexToken(source_.text, definition.unit_span.begin,
                      definition.unit_span.end);
  }

  std::optional<Dimension> Read() {
    Dimension result;
    bool divide = false;
    if (token_.kind == Token::Kind::kNumber && token_.text == "1") {
      Take();
      if (!token_.Is("/")) {
        Fail("a unit has no factor");
        return std::nullopt;
      }
      divide = true;
      Take();
    }
    while (true) {
      const std::optional<Dimension> factor = ReadPower();
      if (!factor) return std::nullopt;
      result = divide ? result / *factor : result * *factor;
      if (token_.kind == Token::Kind::kEnd) return result;
      divide = token_.Is("/");
      if (!divide && !token_.Is("*")) {
        Fail(absl::StrCat(Quoted(token_.text), " cannot stand here"));
        return std::nullopt;
      }
      Take();
    }
  }

 private:
  void Take() {
    token_ = LexToken(source_.text, token_.span.end, definition_.unit_span.end);
  }

  void Fail(std::string reason) {
    const bool at_end = token_.kind == Token::Kind::kEnd;
    diagnostics_.Error(
        "E_UNITSPEC", source_, at_end ? definition_.unit_span : token_.span,
        absl::StrCat(Quoted(definition_.unit_text), " is no unit for ",
                     Quoted(definition_.name), ": ", reason),
        "a unit is a product of powers of unit names, e.g. "
        "`siemens/metre**2`, or `1` for a plain number");
  }

  std::optional<Dimension> ReadPower() {
    if (!token_.IsName()) {
      Fail(token_.kind == Token::Kind::kEnd ? "it ends too early"
           : token_.kind == Token::Kind::kNumber
               ? "a unit has no factor"
               : absl::StrCat("a unit name is expected, not ",
                              Quoted(token_.text)));
      return std::nullopt;
    }
    const std::optional<Dimension> base = ReadName();
    if (!base) return std::nullopt;
    Take();
    if (!token_.Is("**")) return base;
    Take();
    const bool minus = token_.Is("-");
    if (minus) Take();
    if (token_.kind != Token::Kind::kNumber || token_.value > kMaxExponent) {
      Fail("the exponent must be a number of at most 100");
      return std::nullopt;
    }
    const double exponent = minus ? -token_.value : token_.value;
    Take();
    return base->Power(exponent);
  }

  std::optional<Dimension> ReadName() {
    const std::string name(token_.text);
    const std::vector<std::string>& allowed = DefinitionUnitNames();
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) {
      return FindUnit(name)->dimension;
    }
    const std::string instead = DefinitionUnitFor(name);
    if (!instead.empty()) {
      diagnostics_.Error(
          "E_UNITSPEC", source_, token_.span,
          absl::StrCat(Quoted(name), " is a scaled unit, the definition of ",
                       Quoted(definition_.name), " needs one without a scale"),
          absl::StrCat("use `", instead, "`"));
      return std::nullopt;
    }
    std::vector<std::string> known = allowed;
    known.insert(known.end(), {"boolean", "integer"});
    const std::string nearest = NearestWord(name, known);
    diagnostics_.Error(
        "E_UNITSPEC", source_, token_.span,
        absl::StrCat(Quoted(name), " is no unit, in the definition of ",
                     Quoted(definition_.name)),
        absl::StrCat(nearest.empty() ? "" : "did you mean `", nearest,
                     nearest.empty() ? "" : "`? ",
                     "There are: 1, boolean, integer, ",
                     absl::StrJoin(allowed, ", ")));
    return std::nullopt;
  }

  const Source& source_;
  const Definition& definition_;
  Diagnostics& diagnostics_;
  Token token_;
};

}  // namespace

std::optional<DefinitionUnit> ReadDefinitionUnit(const Source& source,
                                                 const Definition& definition,
                                                 Diagnostics& diagnostics) {
  const std::string& text = definition.unit_text;
  if (text.empty()) return std::nullopt;
  if (text == "1") return DefinitionUnit{};
  if (text == "boolean") return DefinitionUnit{ValueType::kBoolean, {}};
  if (text == "integer") return DefinitionUnit{ValueType::kInteger, {}};
  if (text == "bool") {
    diagnostics.Error("E_UNITSPEC", source, definition.unit_span,
                      absl::StrCat("`bool` is no unit, in the definition of ",
                                   Quoted(definition.name)),
                      "use `boolean`");
    return std::nullopt;
  }
  const auto dimension = UnitReader(source, definition, diagnostics).Read();
  if (!dimension) return std::nullopt;
  return DefinitionUnit{ValueType::kFloat, *dimension};
}

}  // namespace somafit
