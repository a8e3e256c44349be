#include "worker/core/lang/initial_values.h"

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/type_check.h"

namespace somafit {
namespace {

class InitialValueReader {
 public:
  InitialValueReader(SymbolTable& symbols, Model& model,
                     Diagnostics& diagnostics)
      : symbols_(symbols), model_(model), diagnostics_(diagnostics) {
    for (const ModelVariable& state : model_.states) Add(state.name);
    for (const ModelVariable& variable : model_.variables) {
      Add(variable.name);
    }
  }

  void Read(const NamedText& text) {
    InitialValue result;
    result.source = {
        absl::StrCat("model.initial_values.", ShownName(text.name)), text.text};
    if (!assigned_.insert(text.name).second) {
      diagnostics_.FieldError(
          "E_DUP", result.source.field,
          absl::StrCat("the initial value of ", Quoted(text.name),
                       " is given twice"),
          "remove one of them");
    }
    // What is kept for the refractory period itself is nobody's to set.
    const auto index = text.name == kRefractoryTime ? indices_.end()
                                                    : indices_.find(text.name);
    if (index == indices_.end()) {
      ReportNoVariable(text.name, result.source.field);
    } else {
      result.state = index->second;
    }
    ReadValue(text.name, result);
    if (index != indices_.end()) {
      model_.initial_values.push_back(std::move(result));
    }
  }

 private:
  void Add(const std::string& name) { indices_.emplace(name, indices_.size()); }

  Binding Find(const std::string& name) {
    Binding binding = symbols_.FindWithoutNoise(name);
    const bool stated = binding.kind == Binding::Kind::kKnown ||
                        binding.kind == Binding::Kind::kUnknownDimension;
    if ((stated && (binding.meaning.kind == Meaning::Kind::kInput ||
                    binding.meaning.kind == Meaning::Kind::kSubexpression)) ||
        binding.kind == Binding::Kind::kTimedArray) {
      binding.kind = Binding::Kind::kNotAvailable;
      binding.reason =
          "is not available there, only parameters, constants, variables and "
          "t are";
    }
    return symbols_.SayOnce(name, std::move(binding));
  }

  void ReadValue(const std::string& name, InitialValue& result) {
    result.value = ParseExpression(result.source, diagnostics_);
    const std::string subject =
        absl::StrCat("the initial value of ", Quoted(name));
    const Scope scope{result.source, absl::StrCat("in ", subject),
                      [this](const std::string& word) { return Find(word); },
                      [this] { return symbols_.Candidates(); }};
    Checked checked = CheckExpression(result.value, scope, diagnostics_);
    result.value.types = std::move(checked.types);
    const auto variable = symbols_.variables.find(name);
    if (!checked.dimension || variable == symbols_.variables.end() ||
        !variable->second.known) {
      return;
    }
    const Meaning& meaning = variable->second.meaning;
    if (CheckDimension(result.value, *checked.dimension, meaning.dimension,
                       subject, result.source, diagnostics_)) {
      CheckType(result.value, checked.type, name, meaning.type, "initial value",
                result.source, diagnostics_);
    }
  }

  void ReportNoVariable(const std::string& name, const std::string& field) {
    const auto found = symbols_.variables.find(name);
    if (found != symbols_.variables.end()) {
      diagnostics_.FieldError(
          "E_WRITE", field,
          absl::StrCat(Quoted(name), " is ",
                       found->second.meaning.kind == Meaning::Kind::kInput
                           ? "an input"
                           : "a subexpression",
                       " and has no initial value"),
          "only states and variables without a formula have one");
      return;
    }
    if (!symbols_.complete) return;
    std::vector<std::string> names;
    for (const auto* const list : {&model_.states, &model_.parameters}) {
      for (const ModelVariable& each : *list) names.push_back(each.name);
    }
    const std::string nearest = NearestWord(name, names);
    diagnostics_.FieldError(
        "E_UNRESOLVED", field,
        absl::StrCat("the model has no variable ", Quoted(name)),
        nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?"));
  }

  SymbolTable& symbols_;
  Model& model_;
  Diagnostics& diagnostics_;
  std::unordered_map<std::string, size_t> indices_;  // of InitialValue::state
  std::unordered_set<std::string> assigned_;
};

}  // namespace

void ReadInitialValues(const std::vector<NamedText>& texts,
                       SymbolTable& symbols, Model& model,
                       Diagnostics& diagnostics) {
  if (texts.size() > kMaxDefinitions) {
    diagnostics.FieldError(
        "E_PARSE", "model.initial_values",
        absl::StrCat("there are ", texts.size(), " entries, at most ",
                     kMaxDefinitions, " are read"));
    return;
  }
  InitialValueReader reader(symbols, model, diagnostics);
  for (const NamedText& text : texts) reader.Read(text);
}

}  // namespace somafit
