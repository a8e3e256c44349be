#include "worker/describe/check_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/number.h"
#include "worker/core/ir/method.h"
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
          definition = absl::StrCat("d", each->name, "/dt = ", definition);
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
    AddKind("parameter", model_.parameters, rows);
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

  std::string MetricOf(const std::string& output) const {
    for (const MetricSpec& metric : outline_.metrics) {
      if (metric.output != output || metric.metric.empty()) continue;
      return metric.metric;
    }
    return "mse";
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
    for (size_t i = 0; i < model_.states.size(); ++i) {
      const ModelVariable& state = model_.states[i];
      std::string given = "not given";
      for (const InitialValue& initial : model_.initial_values) {
        if (initial.state == i) given = OneLineOfCode(initial.source.text);
      }
      const Value& value =
          compiled_.program.values[compiled_.program.initial[i]];
      rows.push_back({state.name, given,
                      value.op == Op::kConstant
                          ? QuantityText(value.constant, state.dimension)
                          : "depends on parameters"});
    }
    return rows;
  }

  std::vector<TextRow> Bounds() {
    std::vector<TextRow> rows = {{"parameter", "as given", "in SI"}};
    for (size_t i = 0; i < model_.parameters.size(); ++i) {
      const ModelVariable& parameter = model_.parameters[i];
      if (!compiled_.bounds[i]) {
        rows.push_back({parameter.name, "not given", "a fit needs them"});
        continue;
      }
      std::string given;
      for (const ParameterSpec& each : outline_.parameters) {
        if (each.name == parameter.name) given = OneLineOfCode(each.bounds);
      }
      const auto [lower, upper] = *compiled_.bounds[i];
      rows.push_back({parameter.name, given,
                      absl::StrCat(NumberText(lower), " to ",
                                   QuantityText(upper, parameter.dimension))});
    }
    return rows;
  }

  std::vector<TextRow> Simulation() {
    return {
        {"time step", absl::StrCat(OneLineOfCode(outline_.dt), " = ",
                                   QuantityText(compiled_.dt, kTimeDimension))},
        {"traces", Traces()},
        {"method", Method()}};
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
    const bool asked = !model_.method.empty();
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
