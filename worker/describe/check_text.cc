#include "worker/describe/check_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/number.h"
#include "worker/core/ir/method.h"
#include "worker/core/lang/periodic.h"
#include "worker/core/objective/terms.h"
#include "worker/core/units/unit.h"
#include "worker/describe/text_columns.h"

namespace somafit {
namespace {

// Of numbers in SI: enough to tell any two constants apart, without the dust of
// 200*pF = 1.9999999999999998e-10.
constexpr int kDigits = 12;

std::string NumberText(double si) { return RoundedText(si, kDigits); }

std::string QuantityText(double si, const Dimension& dimension) {
  if (dimension.IsNone()) return NumberText(si);
  return absl::StrCat(NumberText(si), " ", ReadableDimension(dimension));
}

class CheckPrinter {
 public:
  CheckPrinter(const CompiledOutline& compiled, const Diagnostics& warnings)
      : compiled_(compiled),
        outline_(compiled.outline),
        model_(compiled.model),
        warnings_(warnings) {}

  std::string Print() {
    AddSection("Variables", Variables());
    AddSection("Constants", Constants());
    AddSection("Initial values", InitialValues());
    AddSection("Spikes", Spikes());
    AddSection("Periodic code", Periodic());
    AddSection("Bounds", Bounds());
    AddSection("Simulation", Simulation());
    AddWarnings();
    return std::move(text_);
  }

 private:
  // Without rows below the heads there is nothing to say.
  void AddSection(std::string_view name, const std::vector<TextRow>& rows) {
    if (rows.size() < 2) return;
    absl::StrAppend(&text_, text_.empty() ? "" : "\n", std::string(name), "\n",
                    TextColumns(rows));
  }

  std::string Written(const Expression& expression, const Source& source) {
    const Span span = expression.nodes[expression.root].span;
    return OneLineOfCode(std::string_view(source.text)
                             .substr(span.begin, span.end - span.begin));
  }

  // In the order of the text.
  void AddKind(std::string_view kind, const std::vector<ModelVariable>& list,
               std::vector<TextRow>& rows) {
    std::vector<const ModelVariable*> ordered;
    for (const ModelVariable& each : list) ordered.push_back(&each);
    std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) {
      return a->name_span.begin < b->name_span.begin;
    });
    for (const ModelVariable* each : ordered) {
      std::string definition = "to be fitted";
      if (each->right_side.valid()) {
        definition = Written(each->right_side, model_.equations);
        if (&list == &model_.states) {
          definition = absl::StrCat(
              "d", each->name, "/dt = ", definition,
              each->unless_refractory ? " (unless refractory)" : "");
        }
      }
      rows.push_back(
          {std::string(kind), each->name, UnitOf(*each), definition});
    }
  }

  static std::string UnitOf(const ModelVariable& variable) {
    switch (variable.type) {
      case ValueType::kBoolean:
        return "boolean";
      case ValueType::kInteger:
        return "integer";
      case ValueType::kFloat:
        break;
    }
    return ReadableDimension(variable.dimension);
  }

  std::vector<TextRow> Variables() {
    std::vector<TextRow> rows = {{"kind", "name", "unit", "definition"}};
    AddKind("state", model_.states, rows);
    AddKind("subexpression", model_.subexpressions, rows);
    for (const ModelVariable& each : model_.variables) {
      rows.push_back({"variable", each.name, UnitOf(each), Carried(each.name)});
    }
    AddKind("parameter", model_.parameters, rows);
    for (const std::string& noise : model_.noises) {
      rows.push_back({"noise", noise,
                      ReadableDimension(model_.Resolve(noise)->dimension),
                      "white, one for all its uses"});
    }
    for (const TimedArray& each : model_.timed_arrays) {
      rows.push_back({"timed array", each.name,
                      ReadableDimension(each.dimension), Stairs(each)});
    }
    for (const Channel& input : model_.inputs) {
      rows.push_back({"input", input.name, ReadableDimension(input.dimension),
                      "as recorded"});
    }
    for (const Channel& output : compiled_.outputs) {
      rows.push_back({"output", output.name,
                      ReadableDimension(output.dimension),
                      absl::StrCat("compared with its target by ",
                                   MetricOf(output.name))});
    }
    return rows;
  }

  // What a variable without a formula holds.
  std::string Carried(const std::string& name) const {
    if (model_.is_refractory()) {
      if (name == kNotRefractory) return "whether it can spike";
      if (name == kLastSpike) return "when it spiked last";
      if (name == kRefractoryTime) return "drawn at each spike";
    }
    for (const ModelVariable& each : model_.parameters) {
      if (each.name == name) return "assigned to, begins as fitted";
    }
    return "kept from step to step";
  }

  static std::string Stairs(const TimedArray& array) {
    const Unit unit = DisplayUnit(kTimeDimension, array.dt);
    return absl::StrCat(
        array.rows(), array.rows() == 1 ? " row" : " rows",
        array.columns > 0 ? absl::StrCat(" of ", array.columns) : "",
        ", each for ", RoundedText(array.dt / unit.scale, 6), " ", unit.name);
  }

  std::vector<TextRow> Spikes() {
    std::vector<TextRow> rows = {{"event", "definition"}};
    if (model_.threshold.valid()) {
      rows.push_back(
          {"threshold", Written(model_.threshold, model_.threshold_source)});
    }
    AddStatements({"reset"}, model_.reset, rows);
    const Refractory& refractory = model_.refractory;
    if (model_.is_refractory()) {
      const bool time = refractory.form == Refractory::Form::kTime;
      rows.push_back(
          {"refractory",
           absl::StrCat(time ? "for " : "while ",
                        Written(refractory.expression, refractory.source),
                        refractory.sampled ? ", drawn at each spike" : "")});
    }
    return rows;
  }

  std::vector<TextRow> Periodic() {
    std::vector<TextRow> rows = {{"slot", "every", "code"}};
    for (const PeriodicCode& each : model_.periodic) {
      std::string period = "step";
      if (each.dt > 0) {
        const Unit unit = DisplayUnit(kTimeDimension, each.dt);
        period =
            absl::StrCat(RoundedText(each.dt / unit.scale, 6), " ", unit.name);
      }
      AddStatements({std::string(SlotName(each.slot)), period}, each.code,
                    rows);
    }
    return rows;
  }

  // A row each, the first one behind `head`.
  static void AddStatements(TextRow head, const Code& code,
                            std::vector<TextRow>& rows) {
    for (const Statement& each : code.statements) {
      TextRow row = head;
      row.push_back(absl::StrCat(each.name, " = ", PrintExpression(each.value),
                                 each.temporary ? " (temporary)" : ""));
      rows.push_back(std::move(row));
      head.assign(head.size(), "");
    }
  }

  std::string MetricOf(const std::string& output) const {
    std::vector<std::string> names;
    for (const MetricSpec& metric : compiled_.metrics) {
      const std::vector<std::string> compared = ComparedBy(metric);
      if (std::find(compared.begin(), compared.end(), output) ==
          compared.end()) {
        continue;
      }
      names.push_back(
          metric.output == output
              ? metric.metric
              : absl::StrCat(metric.metric, " (", metric.output, ")"));
    }
    return absl::StrJoin(names, ", ");
  }

  std::vector<TextRow> Constants() {
    std::vector<TextRow> rows = {{"name", "as given", "in SI"}};
    for (const NamedText& given : outline_.model.constants) {
      const auto constant = model_.constants.find(given.name);
      if (constant == model_.constants.end()) continue;
      rows.push_back(
          {given.name, OneLineOfCode(given.text),
           QuantityText(constant->second.value, constant->second.dimension)});
    }
    return rows;
  }

  std::vector<TextRow> InitialValues() {
    std::vector<TextRow> rows = {{"name", "as given", "in SI"}};
    const size_t n_states = model_.states.size();
    for (size_t i = 0; i < n_states + model_.variables.size(); ++i) {
      const ModelVariable& each =
          i < n_states ? model_.states[i] : model_.variables[i - n_states];
      std::string given = "not given";
      for (const InitialValue& initial : model_.initial_values) {
        if (initial.state == i) given = OneLineOfCode(initial.source.text);
      }
      rows.push_back({each.name, given, InitialText(each)});
    }
    return rows;
  }

  std::string InitialText(const ModelVariable& variable) const {
    const Program& program = compiled_.program;
    const auto state =
        std::find(program.states.begin(), program.states.end(), variable.name);
    if (state == program.states.end()) return "has no effect";
    const Value& value =
        program.values[program.initial[state - program.states.begin()]];
    if (value.op == Op::kConstant) {
      return QuantityText(value.constant, variable.dimension);
    }
    return "depends on parameters";
  }

  std::vector<TextRow> Bounds() {
    std::vector<TextRow> rows = {{"parameter", "as given", "in SI"}};
    for (size_t i = 0; i < model_.parameters.size(); ++i) {
      const ModelVariable& parameter = model_.parameters[i];
      if (!compiled_.parameters[i]) {
        rows.push_back({parameter.name, "not given", "a fit needs them"});
        continue;
      }
      std::string given;
      for (const ParameterSpec& each : outline_.parameters) {
        if (each.name != parameter.name) continue;
        given = OneLineOfCode(each.fixed.empty() ? each.bounds : each.fixed);
      }
      const Parameter& known = *compiled_.parameters[i];
      const std::string upper = QuantityText(known.upper, parameter.dimension);
      rows.push_back({parameter.name, given,
                      known.fixed()
                          ? absl::StrCat(upper, ", fixed")
                          : absl::StrCat(NumberText(known.lower), " to ", upper,
                                         known.log ? ", log scale" : "")});
    }
    return rows;
  }

  std::vector<TextRow> Simulation() {
    std::vector<TextRow> rows = {
        {"time step", absl::StrCat(OneLineOfCode(outline_.dt), " = ",
                                   QuantityText(compiled_.dt, kTimeDimension))},
        {"traces", Traces()},
        {"method", Method()}};
    if (compiled_.program.integration) {
      rows.push_back({"tolerance", Tolerance()});
    }
    return rows;
  }

  std::string Tolerance() const {
    const SolverOptions& options = compiled_.program.integration->options;
    if (!options.adaptable_timestep) {
      return "none: one step of the method a time step";
    }
    std::string text = absl::StrCat(RoundedText(options.relative_error, 6),
                                    " of a state, and besides ");
    for (size_t i = 0; i < model_.states.size(); ++i) {
      absl::StrAppend(
          &text, i == 0 ? "" : ", ", model_.states[i].name, " ",
          QuantityText(options.absolute_errors[i], model_.states[i].dimension));
    }
    return absl::StrCat(text, "; at most ", options.max_steps,
                        " tries a time step");
  }

  std::string Traces() const {
    const std::vector<int64_t>& steps = outline_.trace_steps;
    if (steps.empty()) {
      return outline_.recordings_problem.empty() ? "none are named"
                                                 : "not read, see below";
    }
    const auto [least, most] = std::minmax_element(steps.begin(), steps.end());
    std::string text = absl::StrCat(steps.size(), " of ", *least);
    if (*most != *least) absl::StrAppend(&text, " to ", *most);
    const double seconds = static_cast<double>(*most) * compiled_.dt;
    const Unit unit = DisplayUnit(kTimeDimension, seconds);
    return absl::StrCat(text, " steps, ", *most != *least ? "up to " : "",
                        RoundedText(seconds / unit.scale, 6), " ", unit.name,
                        steps.size() > 1 ? " each" : "");
  }

  std::string Method() const {
    const bool asked = !model_.methods.empty();
    std::string text = absl::StrCat(compiled_.method,
                                    asked ? ", as the model asks" : ", chosen");
    if (model_.states.empty()) return text;
    if (!compiled_.why_not_exact.empty()) {
      absl::StrAppend(&text, ", because ", compiled_.why_not_exact);
    }
    if (compiled_.method == "exact") {
      return absl::StrCat(text,
                          ": every equation is linear, with factors that hold "
                          "over a step");
    }
    if (compiled_.method != "exponential_euler") {
      const MethodEntry* const method = FindMethod(compiled_.method);
      return absl::StrCat(text, ": ", std::string(method->summary),
                          ", of order ", method->order);
    }
    const bool frozen =
        std::any_of(warnings_.all().begin(), warnings_.all().end(),
                    [](const Diagnostic& each) {
                      return each.code == "W_FROZEN_NONLINEAR";
                    });
    return absl::StrCat(
        text,
        frozen ? ": every equation has a part that is linear in its own "
                 "variable; the rest is held over a step, see below"
               : ": every equation is linear in its own variable, so each is "
                 "solved exactly while the others are held over a step");
  }

  void AddWarnings() {
    absl::StrAppend(&text_, "\nWarnings\n");
    std::string all = warnings_.Render();
    for (const auto line :
         absl::StrSplit(outline_.recordings_problem, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&all, "the recordings cannot be read: ",
                      OneLine(std::string(line)), "\n");
    }
    if (all.empty()) all = "none\n";
    for (const auto line : absl::StrSplit(all, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&text_, "  ", line, "\n");
    }
  }

  const CompiledOutline& compiled_;
  const ExperimentOutline& outline_;
  const Model& model_;
  const Diagnostics& warnings_;
  std::string text_;
};

}  // namespace

std::string CheckText(const CompiledOutline& compiled,
                      const Diagnostics& warnings) {
  return CheckPrinter(compiled, warnings).Print();
}

}  // namespace somafit
