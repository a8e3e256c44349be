#include "worker/core/lang/flags.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/random.h"

namespace somafit {
namespace {

struct FlagRow {
  std::string_view name;
  bool on_parameter, on_subexpression, on_differential;
};

constexpr FlagRow kFlags[] = {
    {"constant", true, false, false},
    {"shared", true, true, false},
    {"constant over dt", false, true, false},
    {"unless refractory", false, false, true},
    // Known, to say why they are refused.
    {"linked", false, false, false},
    {"event-driven", false, false, false},
    {"clock-driven", false, false, false},
    {"summed", false, false, false},
};

bool Allowed(const FlagRow& row, Definition::Kind kind) {
  switch (kind) {
    case Definition::Kind::kParameter:
      return row.on_parameter;
    case Definition::Kind::kSubexpression:
      return row.on_subexpression;
    case Definition::Kind::kDifferential:
      return row.on_differential;
  }
  return false;
}

std::string KindText(Definition::Kind kind) {
  switch (kind) {
    case Definition::Kind::kParameter:
      return "a parameter";
    case Definition::Kind::kSubexpression:
      return "a subexpression";
    case Definition::Kind::kDifferential:
      return "a differential equation";
  }
  return "";
}

std::string WhyRefused(const FlagRow& row, Definition::Kind kind) {
  if (row.name == "linked") return "is not supported in single-neuron models";
  if (!row.on_parameter && !row.on_subexpression && !row.on_differential) {
    return "belongs to synapses only";
  }
  return absl::StrCat("cannot stand on ", KindText(kind));
}

}  // namespace

void CheckFlags(const Definition& definition, bool refractory,
                const Source& source, Diagnostics& diagnostics) {
  for (size_t i = 0; i < definition.flags.size(); ++i) {
    const std::string& flag = definition.flags[i];
    const Span span = definition.flag_spans[i];
    const std::string subject = absl::StrCat("the flag ", Quoted(flag), " of ",
                                             Quoted(definition.name));
    const auto row = std::find_if(
        std::begin(kFlags), std::end(kFlags),
        [&flag](const FlagRow& each) { return each.name == flag; });
    if (row == std::end(kFlags)) {
      std::vector<std::string> known;
      for (const FlagRow& each : kFlags) known.emplace_back(each.name);
      const std::string nearest = NearestWord(flag, known);
      diagnostics.Error(
          "E_FLAG", source, span, absl::StrCat(subject, " is unknown"),
          nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?"));
    } else if (!Allowed(*row, definition.kind)) {
      diagnostics.Error(
          "E_FLAG", source, span,
          absl::StrCat(subject, " ", WhyRefused(*row, definition.kind)));
    } else if (flag == "unless refractory" && !refractory) {
      diagnostics.Add(
          Severity::kWarning, "W_NO_REFRACTORY", source, span,
          absl::StrCat(subject,
                       " has no effect, the model has no refractory period"));
    }
  }
}

void CheckShared(const Definition& definition,
                 const std::function<bool(const std::string&)>& is_shared,
                 const Source& source, Diagnostics& diagnostics) {
  if (definition.kind != Definition::Kind::kSubexpression ||
      !HasFlag(definition, "shared")) {
    return;
  }
  for (const Node& node : definition.right_side.nodes) {
    if (IsRandom(node)) {
      diagnostics.Error("E_SHARED", source, node.span,
                        absl::StrCat("the shared ", Quoted(definition.name),
                                     " uses random numbers, which are not "
                                     "shared"),
                        "remove the flag `shared`");
    }
    const auto* const name = std::get_if<Name>(&node.form);
    if (name == nullptr || is_shared(name->name)) continue;
    diagnostics.Error(
        "E_SHARED", source, node.span,
        absl::StrCat("the shared ", Quoted(definition.name), " uses ",
                     Quoted(name->name), ", which is not shared"),
        absl::StrCat("flag ", Quoted(name->name), " as `shared`, or ",
                     Quoted(definition.name), " not"));
  }
}

void CheckStateful(const Definition& definition, const Source& source,
                   Diagnostics& diagnostics) {
  // What is shared can have none at all.
  if (definition.kind != Definition::Kind::kSubexpression ||
      HasFlag(definition, "constant over dt") ||
      HasFlag(definition, "shared")) {
    return;
  }
  const Node* const random = FindRandom(definition.right_side);
  if (random == nullptr) return;
  diagnostics.Error(
      "E_STATEFUL", source, random->span,
      absl::StrCat("the subexpression ", Quoted(definition.name),
                   " uses random numbers, so each of its uses would see "
                   "another value"),
      "flag it as `constant over dt`: one value for each step");
}

bool HasFlag(const Definition& definition, std::string_view flag) {
  return std::find(definition.flags.begin(), definition.flags.end(), flag) !=
         definition.flags.end();
}

}  // namespace somafit
