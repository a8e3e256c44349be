#include "worker/core/lang/code.h"

#include <algorithm>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/flags.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/random.h"
#include "worker/core/lang/type_check.h"

namespace somafit {
namespace {

class CodeChecker {
 public:
  CodeChecker(CodeKind kind, SymbolTable& symbols, Code& code,
              Diagnostics& diagnostics)
      : kind_(kind),
        place_(kind == CodeKind::kReset ? "in the reset"
                                        : "in the periodic code"),
        symbols_(symbols),
        code_(code),
        diagnostics_(diagnostics) {}

  void Run() {
    for (Statement& statement : code_.statements) {
      if (diagnostics_.full()) return;
      const Scope scope{code_.source, place_,
                        [this](const std::string& name) { return Find(name); },
                        [this] { return Candidates(); }};
      Checked checked = CheckExpression(statement.value, scope, diagnostics_);
      statement.value.types = std::move(checked.types);
      const auto variable = symbols_.variables.find(statement.name);
      if (variable != symbols_.variables.end()) {
        WriteVariable(statement, variable->second, checked);
      } else if (const std::string what = WhatIsNoVariable(statement.name);
                 !what.empty()) {
        Refuse(statement, what, "choose another name");
      } else {
        WriteTemporary(statement, checked);
      }
    }
    for (const auto& [name, temporary] : temporaries_) {
      if (!temporary.read) WarnUnused(name, temporary);
    }
  }

 private:
  struct Temporary {
    std::optional<Dimension> dimension;  // nullopt: there is a mistake in it
    ValueType type = ValueType::kFloat;  // of the last value
    bool shared = false;
    bool read = false;
    Span first;
  };

  Binding Find(const std::string& name) {
    const auto found = temporaries_.find(name);
    if (found == temporaries_.end()) {
      return symbols_.SayOnce(name, symbols_.FindWithoutNoise(name));
    }
    found->second.read = true;
    Binding binding;
    binding.meaning.kind = Meaning::Kind::kVariable;
    binding.meaning.type = found->second.type;
    binding.kind = Binding::Kind::kUnknownDimension;
    if (found->second.dimension) {
      binding.kind = Binding::Kind::kKnown;
      binding.meaning.dimension = *found->second.dimension;
    }
    return binding;
  }

  std::vector<std::string> Candidates() const {
    std::vector<std::string> names = symbols_.Candidates();
    for (const auto& [name, temporary] : temporaries_) names.push_back(name);
    return names;
  }

  void Refuse(const Statement& statement, const std::string& what,
              std::string hint) {
    diagnostics_.Error("E_WRITE", code_.source, statement.name_span,
                       absl::StrCat(Quoted(statement.name), " ", what,
                                    " and cannot be assigned to, ", place_),
                       std::move(hint));
  }

  // What a name is that can be no temporary; "" if it can.
  std::string WhatIsNoVariable(const std::string& name) const {
    if (symbols_.timed_arrays.count(name) > 0) return "is a function of time";
    if (IsNoiseName(name)) return "stands for noise";
    if (FindSymbol(name)) return "is a symbol of the language";
    if (FindFunction(name) != nullptr) return "is a function";
    if (name == kNotRefractory) {
      return "belongs to the refractory period, which the model has not";
    }
    return "";
  }

  void WriteVariable(Statement& statement,
                     const SymbolTable::Variable& variable,
                     const Checked& checked) {
    statement.type = variable.meaning.type;
    const Definition* const definition = variable.definition;
    switch (variable.meaning.kind) {
      case Meaning::Kind::kSubexpression:
        return Refuse(statement, "is a subexpression",
                      "assign to what it is made of");
      case Meaning::Kind::kInput:
        return Refuse(statement, "is an input of the dataset", "");
      default:
        break;
    }
    if (definition != nullptr && HasFlag(*definition, "constant")) {
      return Refuse(statement, "is flagged as `constant`", "remove the flag");
    }
    const bool shared = definition != nullptr && HasFlag(*definition, "shared");
    if (shared && kind_ == CodeKind::kReset) {
      return Refuse(statement, "is one value for all (`shared`)",
                    "remove the flag `shared`");
    }
    CheckOrder(statement, shared);
    if (shared) CheckShared(statement);
    if (!checked.dimension || !variable.known) return;
    if (CheckDimension(statement.value, *checked.dimension,
                       variable.meaning.dimension,
                       absl::StrCat("the variable ", Quoted(statement.name)),
                       code_.source, diagnostics_)) {
      CheckType(statement.value, checked.type, statement.name,
                variable.meaning.type, "new value", code_.source, diagnostics_);
    }
  }

  // Shared variables first: what is computed once cannot wait for the lanes.
  void CheckOrder(const Statement& statement, bool shared) {
    if (!shared) {
      if (own_.empty()) own_ = statement.name;
      return;
    }
    if (own_.empty()) return;
    diagnostics_.Error("E_SHARED", code_.source, statement.name_span,
                       absl::StrCat("the shared ", Quoted(statement.name),
                                    " is assigned to after ", Quoted(own_),
                                    ", which is not shared"),
                       "assign to shared variables first");
  }

  bool IsShared(const Node& node) const {
    if (const auto* const name = std::get_if<Name>(&node.form)) {
      const auto found = temporaries_.find(name->name);
      return found != temporaries_.end() ? found->second.shared
                                         : symbols_.IsShared(name->name);
    }
    return !IsRandom(node);
  }

  void CheckShared(const Statement& statement) {
    for (const Node& node : statement.value.nodes) {
      if (IsShared(node)) continue;
      diagnostics_.Error(
          "E_SHARED", code_.source, node.span,
          absl::StrCat("the shared ", Quoted(statement.name),
                       " is assigned a value of ",
                       IsRandom(node) ? "random numbers" : Text(node),
                       ", which is not shared"),
          absl::StrCat("remove the flag `shared` from ",
                       Quoted(statement.name)));
      return;
    }
  }

  std::string Text(const Node& node) const {
    return Quoted(
        std::string_view(code_.source.text)
            .substr(node.span.begin, node.span.end - node.span.begin));
  }

  void WriteTemporary(Statement& statement, const Checked& checked) {
    statement.temporary = true;
    statement.type = checked.type;
    const bool shared =
        std::all_of(statement.value.nodes.begin(), statement.value.nodes.end(),
                    [this](const Node& node) { return IsShared(node); });
    const auto [found, added] = temporaries_.emplace(
        statement.name, Temporary{checked.dimension, checked.type, shared,
                                  false, statement.name_span});
    Temporary& temporary = found->second;
    if (added) return WarnOfShadow(statement);
    temporary.type = checked.type;
    temporary.shared = shared;
    if (!checked.dimension) return;
    if (!temporary.dimension) {
      temporary.dimension = checked.dimension;
      return;
    }
    CheckDimension(statement.value, *checked.dimension, *temporary.dimension,
                   absl::StrCat("the temporary ", Quoted(statement.name)),
                   code_.source, diagnostics_);
  }

  void WarnOfShadow(const Statement& statement) {
    if (!FindDefaultConstant(statement.name)) return;
    diagnostics_.Add(Severity::kWarning, "W_SHADOW", code_.source,
                     statement.name_span,
                     absl::StrCat("the temporary ", Quoted(statement.name),
                                  " hides the unit or constant of this name"));
  }

  void WarnUnused(const std::string& name, const Temporary& temporary) {
    if (!symbols_.complete || diagnostics_.warnings_full()) return;
    std::vector<std::string> writable;
    for (const auto& [each, variable] : symbols_.variables) {
      writable.push_back(each);
    }
    std::sort(writable.begin(), writable.end());
    const std::string nearest = NearestWord(name, writable);
    diagnostics_.Add(
        Severity::kWarning, "W_UNUSED_TEMP", code_.source, temporary.first,
        absl::StrCat("the temporary ", Quoted(name),
                     " is never used: the model has no variable of this name"),
        nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?"));
  }

  CodeKind kind_;
  std::string place_;
  SymbolTable& symbols_;
  Code& code_;
  Diagnostics& diagnostics_;
  std::map<std::string, Temporary> temporaries_;
  std::string own_;  // the first variable assigned to that is not shared
};

}  // namespace

void CheckCode(CodeKind kind, SymbolTable& symbols, Code& code,
               Diagnostics& diagnostics) {
  CodeChecker(kind, symbols, code, diagnostics).Run();
}

}  // namespace somafit
