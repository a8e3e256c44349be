#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/cycles.h"
#include "worker/core/lang/definition_unit.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/flags.h"
#include "worker/core/lang/functions.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/lang/method.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/shadow.h"
#include "worker/core/lang/symbol_table.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

std::string KindName(Definition::Kind kind) {
  switch (kind) {
    case Definition::Kind::kParameter:
      return "a parameter";
    case Definition::Kind::kSubexpression:
      return "a subexpression";
    case Definition::Kind::kDifferential:
      return "a state";
  }
  return "";
}

std::string PlaceOf(const Definition& definition) {
  const bool differential = definition.kind == Definition::Kind::kDifferential;
  return Quoted(differential ? absl::StrCat("d", definition.name, "/dt")
                             : definition.name);
}

class ModelCompiler {
 public:
  ModelCompiler(const ModelSource& source, const std::vector<Channel>& inputs,
                const std::vector<Channel>& outputs, Diagnostics& diagnostics)
      : source_(source),
        inputs_(inputs),
        outputs_(outputs),
        diagnostics_(diagnostics) {
    for (const Channel& output : outputs) output_names_.push_back(output.name);
  }

  // The model is meaningful only if no error was reported.
  Model Compile() {
    model_.equations = {"model.equations", source_.equations};
    block_ = ParseEquations(model_.equations, diagnostics_);
    symbols_.complete = block_.complete;
    ReadConstants();
    Define();
    DefineInputs();
    WarnOfShadows(model_, source_.constants, block_, diagnostics_);
    CheckRightSides();
    CheckOutputs();
    Assemble();
    ReadInitialValues();
    model_.method = ReadMethod(source_.method, diagnostics_);
    return std::move(model_);
  }

 private:
  bool TooMany(size_t count, const std::string& field) {
    if (count <= kMaxDefinitions) return false;
    diagnostics_.FieldError(
        "E_PARSE", field,
        absl::StrCat("there are ", count, " entries, at most ", kMaxDefinitions,
                     " are read"));
    return true;
  }

  void ReadConstants() {
    if (TooMany(source_.constants.size(), "model.constants")) return;
    for (const NamedText& constant : source_.constants) {
      const Source source{
          absl::StrCat("model.constants.", ShownName(constant.name)),
          constant.text};
      if (!IsIdentifier(constant.name) || IsKeyword(constant.name)) {
        diagnostics_.FieldError(
            "E_NAME", source.field,
            absl::StrCat(Quoted(constant.name), " cannot name a constant"),
            "a name has letters, digits and underscores");
        continue;
      }
      const bool first = constant_names_.insert(constant.name).second;
      if (!first) {
        diagnostics_.FieldError(
            "E_DUP", source.field,
            absl::StrCat("the constant ", Quoted(constant.name),
                         " is given twice"),
            "remove one of them");
      }
      const auto quantity =
          EvaluateQuantity(source, model_.constants, diagnostics_);
      if (first && quantity) model_.constants[constant.name] = *quantity;
    }
  }

  // The part of a field's name that a user chose.
  static std::string ShownName(const std::string& name) {
    const std::string quoted = Quoted(name);
    return quoted.substr(1, quoted.size() - 2);
  }

  void Define() {
    units_.resize(block_.definitions.size());
    for (size_t i = 0; i < block_.definitions.size(); ++i) {
      const Definition& definition = block_.definitions[i];
      if (const auto reason = ReasonReserved(definition.name, output_names_)) {
        diagnostics_.Error("E_NAME", model_.equations, definition.name_span,
                           absl::StrCat(Quoted(definition.name), " ", *reason,
                                        ", a model cannot define it"),
                           "choose another name");
      }
      CheckFlags(definition, model_.equations, diagnostics_);
      units_[i] = DefineUnit(definition);

      SymbolTable::Variable variable;
      variable.meaning.kind =
          definition.kind == Definition::Kind::kParameter
              ? Meaning::Kind::kParameter
          : definition.kind == Definition::Kind::kDifferential
              ? Meaning::Kind::kState
              : Meaning::Kind::kSubexpression;
      variable.known = units_[i].has_value();
      if (variable.known) {
        variable.meaning.dimension = units_[i]->dimension;
        variable.meaning.type = units_[i]->type;
      }
      variable.definition = &definition;
      const auto [found, added] =
          symbols_.variables.emplace(definition.name, variable);
      if (added) continue;
      const Span first = found->second.definition->name_span;
      diagnostics_.Error(
          "E_DUP", model_.equations, definition.name_span,
          absl::StrCat(Quoted(definition.name), " is already defined in line ",
                       Locate(model_.equations.text, first.begin).line),
          "remove one of the definitions, or rename it");
    }
  }

  std::optional<DefinitionUnit> DefineUnit(const Definition& definition) {
    const auto unit =
        ReadDefinitionUnit(model_.equations, definition, diagnostics_);
    if (!unit || unit->type == ValueType::kFloat ||
        definition.kind != Definition::Kind::kDifferential) {
      return unit;
    }
    diagnostics_.Error("E_TYPE", model_.equations, definition.unit_span,
                       absl::StrCat(PlaceOf(definition), " cannot be of type ",
                                    definition.unit_text),
                       "a differential equation needs a unit, or `1`");
    return std::nullopt;
  }

  void DefineInputs() {
    std::unordered_set<std::string> used;
    for (const Definition& definition : block_.definitions) {
      for (const Node& node : definition.right_side.nodes) {
        if (const auto* name = std::get_if<Name>(&node.form)) {
          used.insert(name->name);
        }
      }
    }
    for (const Channel& input : inputs_) {
      const std::string field =
          absl::StrCat("dataset.inputs.", ShownName(input.name));
      const std::string name = absl::StrCat("the input ", Quoted(input.name));
      const auto reason = ReasonReserved(input.name, output_names_);
      const auto found = symbols_.variables.find(input.name);
      if (!IsIdentifier(input.name) || reason) {
        diagnostics_.FieldError(
            "E_NAME", field,
            absl::StrCat(name, " cannot have this name",
                         reason ? absl::StrCat(", it ", *reason) : ""),
            "rename it in the dataset");
      } else if (found != symbols_.variables.end() &&
                 found->second.definition == nullptr) {
        diagnostics_.FieldError("E_INPUT", field,
                                absl::StrCat(name, " is there twice"));
      } else if (found != symbols_.variables.end()) {
        diagnostics_.Error(
            "E_INPUT", model_.equations, found->second.definition->name_span,
            absl::StrCat(Quoted(input.name),
                         " is an input of the dataset, the model must not "
                         "define it"),
            "remove its definition, the data take its place");
        continue;
      } else if (used.count(input.name) == 0 && block_.complete) {
        diagnostics_.FieldError(
            "E_INPUT", field,
            absl::StrCat(name, " is not used in the model's equations"),
            "use it, e.g. as `+ I` in a membrane equation");
      }
      symbols_.variables.emplace(
          input.name, SymbolTable::Variable{
                          {Meaning::Kind::kInput, 0, 0, input.dimension}});
      model_.inputs.push_back(input);
    }
    DefineTargets(used);
    model_.uses_iteration = used.count("iteration") > 0;
  }

  // What the model is coupled to (language, section 5.1).
  void DefineTargets(const std::unordered_set<std::string>& used) {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const Channel target{absl::StrCat(outputs_[i].name, "_target"),
                           outputs_[i].dimension};
      if (used.count(target.name) == 0) continue;
      const SymbolTable::Variable variable{
          {Meaning::Kind::kInput, 0, 0, target.dimension}};
      if (!symbols_.variables.emplace(target.name, variable).second) continue;
      model_.inputs.push_back(target);
      model_.targets.push_back(i);
    }
  }

  void CheckRightSides() {
    order_ = OrderByUse(block_, model_.equations, diagnostics_);
    std::unordered_set<std::string> unknown;
    for (size_t i = 0; i < block_.definitions.size(); ++i) {
      Definition& definition = block_.definitions[i];
      if (definition.kind == Definition::Kind::kParameter) continue;
      const std::string place = PlaceOf(definition);
      const Scope scope{
          model_.equations, absl::StrCat("in the definition of ", place),
          [this, &unknown](const std::string& name) {
            Binding binding = symbols_.Find(name);
            // Said once is enough.
            if (binding.kind == Binding::Kind::kUnknown &&
                FindFunction(name) == nullptr && !unknown.insert(name).second) {
              binding.kind = Binding::Kind::kIgnored;
            }
            return binding;
          },
          [this] { return symbols_.Candidates(); }};
      Checked checked =
          CheckExpression(definition.right_side, scope, diagnostics_);
      definition.right_side.types = std::move(checked.types);
      CheckShared(
          definition,
          [this](const std::string& name) -> std::optional<bool> {
            const auto found = symbols_.variables.find(name);
            if (found == symbols_.variables.end()) return std::nullopt;
            const Definition* const used = found->second.definition;
            return used != nullptr && HasFlag(*used, "shared");
          },
          model_.equations, diagnostics_);
      if (!checked.dimension || !units_[i]) continue;
      if (definition.kind == Definition::Kind::kDifferential) {
        CheckDimension(definition.right_side, *checked.dimension,
                       units_[i]->dimension / kTimeDimension,
                       absl::StrCat(place, " of a variable in ",
                                    ReadableDimension(units_[i]->dimension)),
                       model_.equations, diagnostics_);
      } else if (CheckDimension(definition.right_side, *checked.dimension,
                                units_[i]->dimension,
                                absl::StrCat("the definition of ", place),
                                model_.equations, diagnostics_)) {
        CheckType(definition, checked.type, units_[i]->type, model_.equations,
                  diagnostics_);
      }
    }
  }

  void CheckOutputs() {
    for (const Channel& output : outputs_) {
      const std::string field =
          absl::StrCat("dataset.outputs.", ShownName(output.name));
      const auto found = symbols_.variables.find(output.name);
      if (found == symbols_.variables.end() ||
          found->second.definition == nullptr) {
        if (!block_.complete) continue;
        std::vector<std::string> names;
        for (const auto& [name, variable] : symbols_.variables) {
          if (variable.definition != nullptr) names.push_back(name);
        }
        std::sort(names.begin(), names.end());
        const std::string nearest = NearestWord(output.name, names);
        diagnostics_.FieldError(
            "E_INPUT", field,
            absl::StrCat("the output ", Quoted(output.name),
                         " is not defined by the model"),
            nearest.empty() ? "define it in the model, or rename it in the "
                              "dataset"
                            : absl::StrCat("did you mean `", nearest, "`?"));
        continue;
      }
      const SymbolTable::Variable& variable = found->second;
      if (!variable.known || variable.meaning.dimension == output.dimension) {
        continue;
      }
      diagnostics_.Error(
          "E_DIM", model_.equations, variable.definition->name_span,
          absl::StrCat("the model's ", Quoted(output.name), " has the unit ",
                       ReadableDimension(variable.meaning.dimension),
                       " but the data of this output have the unit ",
                       ReadableDimension(output.dimension)));
    }
  }

  void Assemble() {
    const auto variable = [this](size_t i) {
      Definition& definition = block_.definitions[i];
      const DefinitionUnit unit = units_[i].value_or(DefinitionUnit{});
      const bool constant_over_dt = HasFlag(definition, "constant over dt");
      return ModelVariable{definition.name,
                           unit.dimension,
                           definition.name_span,
                           std::move(definition.right_side),
                           unit.type,
                           constant_over_dt};
    };
    for (const size_t i : order_) {
      model_.subexpressions.push_back(variable(i));
    }
    for (size_t i = 0; i < block_.definitions.size(); ++i) {
      switch (block_.definitions[i].kind) {
        case Definition::Kind::kParameter:
          model_.parameters.push_back(variable(i));
          break;
        case Definition::Kind::kDifferential:
          state_index_.emplace(block_.definitions[i].name,
                               model_.states.size());
          model_.states.push_back(variable(i));
          break;
        case Definition::Kind::kSubexpression:
          break;
      }
    }
  }

  void ReadInitialValues() {
    if (TooMany(source_.initial_values.size(), "model.initial_values")) return;
    std::unordered_set<std::string> assigned;
    for (const NamedText& initial : source_.initial_values) {
      InitialValue result;
      result.source = {
          absl::StrCat("model.initial_values.", ShownName(initial.name)),
          initial.text};
      if (!assigned.insert(initial.name).second) {
        diagnostics_.FieldError(
            "E_DUP", result.source.field,
            absl::StrCat("the initial value of ", Quoted(initial.name),
                         " is given twice"),
            "remove one of them");
      }
      const auto state = state_index_.find(initial.name);
      if (state == state_index_.end()) {
        ReportNoState(initial.name, result.source.field);
      } else {
        result.state = state->second;
      }
      ReadInitialValue(initial.name, result);
    }
  }

  void ReadInitialValue(const std::string& name, InitialValue& result) {
    result.value = ParseExpression(result.source, diagnostics_);
    for (const Node& node : result.value.nodes) {
      const auto* const used = std::get_if<Name>(&node.form);
      model_.uses_iteration |= used != nullptr && used->name == "iteration";
    }
    const std::string subject =
        absl::StrCat("the initial value of ", Quoted(name));
    const Scope scope{
        result.source, absl::StrCat("in ", subject),
        [this](const std::string& word) {
          Binding binding = symbols_.Find(word);
          const bool stated = binding.kind == Binding::Kind::kKnown ||
                              binding.kind == Binding::Kind::kUnknownDimension;
          if (stated &&
              (binding.meaning.kind == Meaning::Kind::kInput ||
               binding.meaning.kind == Meaning::Kind::kSubexpression)) {
            binding.kind = Binding::Kind::kNotAvailable;
            binding.reason =
                "is not available there, only parameters, constants, states "
                "and t are";
          }
          return binding;
        },
        [this] { return symbols_.Candidates(); }};
    Checked checked = CheckExpression(result.value, scope, diagnostics_);
    result.value.types = std::move(checked.types);
    const auto variable = symbols_.variables.find(name);
    if (checked.dimension && variable != symbols_.variables.end() &&
        variable->second.known) {
      CheckDimension(result.value, *checked.dimension,
                     variable->second.meaning.dimension, subject, result.source,
                     diagnostics_);
    }
    if (state_index_.count(name) > 0) {
      model_.initial_values.push_back(std::move(result));
    }
  }

  void ReportNoState(const std::string& name, const std::string& field) {
    const auto found = symbols_.variables.find(name);
    if (found != symbols_.variables.end()) {
      const Definition* definition = found->second.definition;
      diagnostics_.FieldError(
          "E_WRITE", field,
          absl::StrCat(Quoted(name), " is ",
                       definition ? KindName(definition->kind) : "an input",
                       " and has no initial value"),
          "only variables with a differential equation have one");
      return;
    }
    if (!block_.complete) return;
    std::vector<std::string> states;
    for (const ModelVariable& state : model_.states) {
      states.push_back(state.name);
    }
    const std::string nearest = NearestWord(name, states);
    diagnostics_.FieldError(
        "E_UNRESOLVED", field,
        absl::StrCat("the model has no variable ", Quoted(name)),
        nearest.empty() ? "" : absl::StrCat("did you mean `", nearest, "`?"));
  }

  const ModelSource& source_;
  const std::vector<Channel>& inputs_;
  const std::vector<Channel>& outputs_;
  Diagnostics& diagnostics_;

  Model model_;
  EquationBlock block_;
  std::set<std::string> constant_names_;  // also of constants with mistakes
  SymbolTable symbols_{model_.constants, constant_names_};
  std::vector<std::optional<DefinitionUnit>> units_;  // of each definition
  std::vector<size_t> order_;  // subexpressions, each after those it uses
  std::vector<std::string> output_names_;
  std::unordered_map<std::string, size_t> state_index_;
};

}  // namespace

std::optional<Model> CompileModel(const ModelSource& source,
                                  const std::vector<Channel>& inputs,
                                  const std::vector<Channel>& outputs,
                                  Diagnostics& diagnostics) {
  Diagnostics found;
  Model model = ModelCompiler(source, inputs, outputs, found).Compile();
  found.SortByPlace();
  diagnostics.Append(found);
  if (found.HasErrors()) return std::nullopt;
  return model;
}

}  // namespace somafit
