#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "worker/core/lang/code.h"
#include "worker/core/lang/cycles.h"
#include "worker/core/lang/definition_unit.h"
#include "worker/core/lang/dimension_check.h"
#include "worker/core/lang/events.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/flags.h"
#include "worker/core/lang/initial_values.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/lang/method.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/noise.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/periodic.h"
#include "worker/core/lang/random.h"
#include "worker/core/lang/shadow.h"
#include "worker/core/lang/symbol_table.h"
#include "worker/core/lang/timed_arrays.h"
#include "worker/core/lang/type_check.h"
#include "worker/core/lang/wiring.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

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
    ParseEvents(source_, model_, diagnostics_);
    model_.periodic = ParsePeriodic(source_.periodic, diagnostics_);
    Define();
    DefineRefractoriness();
    WireInputs(inputs_, outputs_, NamesUsed(), symbols_, model_, diagnostics_);
    ReadTimedArrays(source_.timed_arrays, output_names_, symbols_, model_,
                    diagnostics_);
    WarnOfShadows(model_, source_.constants, block_, diagnostics_);
    model_.noises = FindNoises(block_, model_.equations, diagnostics_);
    CheckRightSides();
    CheckEvents(source_, symbols_, model_, diagnostics_);
    for (PeriodicCode& each : model_.periodic) {
      CheckCode(CodeKind::kPeriodic, symbols_, each.code, diagnostics_);
    }
    CheckOutputs(outputs_, symbols_, model_.equations,
                 !absl::StripAsciiWhitespace(source_.threshold).empty(),
                 diagnostics_);
    Assemble();
    ReadInitialValues(source_.initial_values, symbols_, model_, diagnostics_);
    NoteUses();
    model_.methods = ReadMethods(source_, diagnostics_);
    model_.method_choice = ReadMethodChoice(source_, diagnostics_);
    model_.solver_options =
        ReadMethodOptions(source_, model_.methods, model_.states, diagnostics_);
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
      CheckFlags(definition, model_.is_refractory(), model_.equations,
                 diagnostics_);
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

  // Its variables are there as if they were defined first.
  void DefineRefractoriness() {
    if (!model_.is_refractory()) return;
    const auto add = [this](const char* name, const Dimension& dimension,
                            ValueType type) {
      const SymbolTable::Variable variable{
          {Meaning::Kind::kVariable, 0, 0, dimension, type}};
      const auto [found, added] = symbols_.variables.emplace(name, variable);
      if (added) return;
      // A reserved name is reported already.
      if (!ReasonReserved(name, output_names_)) {
        diagnostics_.Error(
            "E_DUP", model_.equations, found->second.definition->name_span,
            absl::StrCat(Quoted(name),
                         " is there already, as the time of the last spike, "
                         "since the model has a refractory period"),
            "rename it");
      }
      found->second = variable;
    };
    add(kNotRefractory, kNoDimension, ValueType::kBoolean);
    add(kLastSpike, kTimeDimension, ValueType::kFloat);
  }

  // By everything except the initial values, which are read later.
  std::unordered_set<std::string> NamesUsed() const {
    std::unordered_set<std::string> used;
    for (const Definition& definition : block_.definitions) {
      AddNames(definition.right_side, used);
    }
    ForEachOfEvents(model_, [&used](const Expression& expression) {
      AddNames(expression, used);
    });
    return used;
  }

  static void AddNames(const Expression& expression,
                       std::unordered_set<std::string>& used) {
    for (const Node& node : expression.nodes) {
      if (const auto* name = std::get_if<Name>(&node.form)) {
        used.insert(name->name);
      }
    }
  }

  template <typename SomeModel, typename Visit>
  static void ForEachOfEvents(SomeModel& model, const Visit& visit) {
    visit(model.threshold);
    for (auto& statement : model.reset.statements) visit(statement.value);
    visit(model.refractory.expression);
    for (auto& periodic : model.periodic) {
      for (auto& statement : periodic.code.statements) visit(statement.value);
    }
  }

  void CheckRightSides() {
    order_ = OrderByUse(block_, model_.equations, diagnostics_);
    for (size_t i = 0; i < block_.definitions.size(); ++i) {
      Definition& definition = block_.definitions[i];
      if (definition.kind == Definition::Kind::kParameter) continue;
      const std::string place = PlaceOf(definition);
      const bool differential =
          definition.kind == Definition::Kind::kDifferential;
      const Scope scope{
          model_.equations, absl::StrCat("in the definition of ", place),
          [this, differential](const std::string& name) {
            return symbols_.SayOnce(
                name, differential ? symbols_.Find(name)
                                   : symbols_.FindWithoutNoise(name));
          },
          [this] { return symbols_.Candidates(); }};
      Checked checked =
          CheckExpression(definition.right_side, scope, diagnostics_);
      definition.right_side.types = std::move(checked.types);
      CheckShared(
          definition,
          [this](const std::string& name) { return symbols_.IsShared(name); },
          model_.equations, diagnostics_);
      CheckStateful(definition, model_.equations, diagnostics_);
      if (!checked.dimension || !units_[i]) continue;
      if (differential) {
        CheckDimension(definition.right_side, *checked.dimension,
                       units_[i]->dimension / kTimeDimension,
                       absl::StrCat(place, " of a variable in ",
                                    ReadableDimension(units_[i]->dimension)),
                       model_.equations, diagnostics_);
      } else if (CheckDimension(definition.right_side, *checked.dimension,
                                units_[i]->dimension,
                                absl::StrCat("the definition of ", place),
                                model_.equations, diagnostics_)) {
        CheckType(definition.right_side, checked.type, definition.name,
                  units_[i]->type, "definition", model_.equations,
                  diagnostics_);
      }
    }
  }

  // What becomes a variable rather than a parameter, and where.
  void Assemble() {
    const auto variable = [this](size_t i) {
      Definition& definition = block_.definitions[i];
      const DefinitionUnit unit = units_[i].value_or(DefinitionUnit{});
      ModelVariable result{definition.name, unit.dimension,
                           definition.name_span,
                           std::move(definition.right_side), unit.type};
      result.constant_over_dt = HasFlag(definition, "constant over dt");
      result.unless_refractory =
          model_.is_refractory() && HasFlag(definition, "unless refractory");
      return result;
    };
    // Numbered as written, before they are sorted.
    for (Definition& definition : block_.definitions) {
      NumberRandomSites(definition.right_side, model_.n_random_sites);
    }
    for (const Definition& definition : block_.definitions) {
      AddNames(definition.right_side, used_);
    }
    for (const size_t i : order_) {
      model_.subexpressions.push_back(variable(i));
    }
    std::unordered_set<std::string> initial, assigned;
    for (const NamedText& each : source_.initial_values) {
      initial.insert(each.name);
    }
    AddAssigned(model_.reset, assigned);
    for (const PeriodicCode& each : model_.periodic) {
      AddAssigned(each.code, assigned);
    }
    for (size_t i = 0; i < block_.definitions.size(); ++i) {
      const std::string& name = block_.definitions[i].name;
      switch (block_.definitions[i].kind) {
        case Definition::Kind::kParameter:
          if (initial.count(name) == 0) {
            model_.parameters.push_back(variable(i));
          }
          if (initial.count(name) + assigned.count(name) > 0) {
            model_.variables.push_back(variable(i));
          }
          break;
        case Definition::Kind::kDifferential:
          model_.states.push_back(variable(i));
          break;
        case Definition::Kind::kSubexpression:
          break;
      }
    }
    AddRefractoriness();
  }

  static void AddAssigned(const Code& code,
                          std::unordered_set<std::string>& assigned) {
    for (const Statement& statement : code.statements) {
      if (!statement.temporary) assigned.insert(statement.name);
    }
  }

  void AddRefractoriness() {
    if (!model_.is_refractory()) return;
    const auto add = [this](const char* name, const Dimension& dimension,
                            ValueType type) {
      model_.variables.push_back({name, dimension, {}, {}, type});
    };
    add(kNotRefractory, kNoDimension, ValueType::kBoolean);
    add(kLastSpike, kTimeDimension, ValueType::kFloat);
    if (!model_.refractory.sampled) return;
    add(kRefractoryTime, kTimeDimension, ValueType::kFloat);
    if (constant_names_.count(kRefractoryTime) == 0) return;
    diagnostics_.FieldError(
        "E_NAME", absl::StrCat("model.constants.", kRefractoryTime),
        absl::StrCat("the constant ", Quoted(kRefractoryTime),
                     " has the name under which the model keeps the "
                     "refractory period that it draws"),
        "choose another name");
  }

  // Of symbols, and of random numbers behind the definitions.
  void NoteUses() {
    const auto note = [this](Expression& expression) {
      NumberRandomSites(expression, model_.n_random_sites);
      AddNames(expression, used_);
    };
    ForEachOfEvents(model_, note);
    for (InitialValue& initial : model_.initial_values) note(initial.value);
    model_.uses_iteration = used_.count("iteration") > 0;
    model_.uses_lane_number = used_.count("i") > 0;
    model_.uses_lane_count = used_.count("N") > 0;
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
  std::unordered_set<std::string> used_;  // names, by anything
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
