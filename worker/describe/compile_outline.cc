#include "worker/describe/compile_outline.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/ir/recording.h"
#include "worker/core/lang/definition_unit.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/objective/terms.h"
#include "worker/describe/text_columns.h"

namespace somafit {
namespace {

// In place of one with a mistake, so that the rest can be checked.
constexpr double kAnyTimeStep = 1e-4;  // [s]

// A name that a user chose, as part of a field's.
std::string Shown(const std::string& name) {
  const std::string quoted = Quoted(name);
  return quoted.substr(1, quoted.size() - 2);
}

class OutlineCompiler {
 public:
  OutlineCompiler(const ExperimentOutline& outline, Diagnostics& diagnostics)
      : outline_(outline), diagnostics_(diagnostics) {}

  std::optional<CompiledOutline> Compile(const ProgramObserver& observer) {
    CompiledOutline result;
    if (OneLineOfCode(outline_.model.equations).empty()) {
      diagnostics_.FieldError("E_MISSING", "model.equations",
                              "the model has no equations",
                              "give at least one, e.g. dv/dt = -v/tau : volt");
    }
    const std::optional<double> dt = ReadTimeStep();
    const std::vector<Channel> inputs = ReadInputs();
    result.outputs = ReadOutputs();
    const std::vector<ErrorExpression> expressions =
        ErrorExpressions(outline_.metrics, diagnostics_);
    Dataset shape;
    shape.outputs = result.outputs;
    const std::vector<Channel> observed =
        Observed(shape, expressions, diagnostics_);
    std::optional<Model> model = Check(
        WithErrorExpressions(outline_.model, expressions), inputs, observed);
    result.metrics = CheckMetrics(result.outputs);
    if (!model) return std::nullopt;
    result.parameters =
        ReadParameters(outline_.parameters, *model, diagnostics_).parameters;
    std::vector<std::string> names;
    for (const Channel& output : observed) names.push_back(output.name);
    size_t n_stages = 0;
    std::optional<Program> program =
        CompileProgram(*model, dt.value_or(kAnyTimeStep), names, diagnostics_,
                       [&](std::string_view stage, const Program& shown) {
                         // What follows "lowered" bears the method's name.
                         if (++n_stages == 2) result.method = stage;
                         if (observer) observer(stage, shown);
                       });
    if (program) CheckPenalty(*model, dt.value_or(kAnyTimeStep), names);
    if (!program || diagnostics_.HasErrors()) return std::nullopt;
    if (model->methods.empty() && result.method != "exact") {
      result.why_not_exact = WhyNotExact(*model, *dt, names);
    }
    result.outline = outline_;
    result.model = *std::move(model);
    result.dt = *dt;
    result.program = *std::move(program);
    return result;
  }

 private:
  static std::string WhyNotExact(Model model, double dt,
                                 const std::vector<std::string>& outputs) {
    model.methods = {"exact"};
    Diagnostics why;
    const bool applies = CompileProgram(model, dt, outputs, why).has_value();
    return applies || why.empty() ? "" : why.all().front().message;
  }

  std::optional<double> ReadTimeStep() {
    if (outline_.dt.empty()) {
      diagnostics_.FieldError("E_MISSING", "dt", "dt is missing",
                              "give the time between samples, e.g. 0.01*ms");
      return std::nullopt;
    }
    const Source source{"dt", outline_.dt};
    const std::optional<double> dt =
        EvaluateQuantityOf(source, kTimeDimension, diagnostics_);
    if (!dt || (*dt > 0 && std::isfinite(*dt))) return dt;
    diagnostics_.Error("E_RANGE", source, {0, source.text.size()},
                       absl::StrCat("dt is ", ShortestText(*dt),
                                    " in SI; it must be finite and above 0"));
    return std::nullopt;
  }

  std::vector<Channel> ReadInputs() {
    std::vector<Channel> inputs;
    for (const ChannelOutline& input : outline_.inputs) {
      const std::string field =
          absl::StrCat("data.inputs.", Shown(input.name), ".unit");
      Channel channel{input.name, kNoDimension};
      if (input.unit.empty()) {
        diagnostics_.FieldError(
            "E_INPUT", field,
            absl::StrCat("the input ", Quoted(input.name), " has no unit"),
            "add unit: followed by that of the numbers in the file, like nA");
        dimensions_known_ = false;
      } else {
        ReadUnit({field, input.unit}, channel);
      }
      inputs.push_back(std::move(channel));
    }
    return inputs;
  }

  std::vector<Channel> ReadOutputs() {
    std::vector<ChannelOutline> wanted = outline_.outputs;
    if (wanted.empty()) {
      std::set<std::string> seen;
      for (const MetricSpec& metric : outline_.metrics) {
        for (const std::string& output : ComparedBy(metric)) {
          if (seen.insert(output).second) wanted.push_back({output, ""});
        }
      }
    }
    std::vector<Channel> outputs;
    std::set<std::string> seen;
    for (const ChannelOutline& output : wanted) {
      const std::string field =
          absl::StrCat("data.outputs.", Shown(output.name));
      if (!seen.insert(output.name).second) {
        diagnostics_.FieldError(
            "E_INPUT", field,
            absl::StrCat("the output ", Quoted(output.name), " is there twice"),
            "remove one of them");
        continue;
      }
      Channel channel{output.name, kNoDimension};
      if (output.name == kSpikes) {
        // The unit is that of their times.
      } else if (output.unit.empty()) {
        channel.dimension = DefinedDimension(output.name);
      } else {
        ReadUnit({absl::StrCat(field, ".unit"), output.unit}, channel);
      }
      outputs.push_back(std::move(channel));
    }
    return outputs;
  }

  void ReadUnit(const Source& source, Channel& channel) {
    const std::optional<Quantity> unit =
        EvaluateQuantity(source, {}, diagnostics_);
    if (!unit) {
      dimensions_known_ = false;
      return;
    }
    channel.dimension = unit->dimension;
    if (std::isfinite(unit->value) && unit->value != 0) return;
    diagnostics_.Error("E_VALUE", source, {0, source.text.size()},
                       absl::StrCat(Quoted(source.text), " is not a unit"),
                       "write one like mV or nA");
  }

  // None where the definition is missing or has a mistake: then the model's
  // compilation says so.
  Dimension DefinedDimension(const std::string& name) const {
    const Source source{"model.equations", outline_.model.equations};
    Diagnostics said_by_the_model;
    const EquationBlock block = ParseEquations(source, said_by_the_model);
    for (const Definition& definition : block.definitions) {
      if (definition.name != name) continue;
      const auto unit =
          ReadDefinitionUnit(source, definition, said_by_the_model);
      return unit ? unit->dimension : kNoDimension;
    }
    return kNoDimension;
  }

  std::optional<Model> Check(const ModelSource& source,
                             const std::vector<Channel>& inputs,
                             const std::vector<Channel>& outputs) {
    Diagnostics found;
    std::optional<Model> model = CompileModel(source, inputs, outputs, found);
    for (const Diagnostic& each : found.all()) {
      // Where the data's unit could not be read, a dimension that does not
      // fit may be no mistake of the model.
      if (dimensions_known_ || each.code != "E_DIM") diagnostics_.Keep(each);
    }
    return model;
  }

  // The terms of the error, with the code that compares. Where the data's units
  // could not be read, nothing can be said of them.
  std::vector<MetricSpec> CheckMetrics(const std::vector<Channel>& outputs) {
    std::vector<MetricSpec> metrics = outline_.metrics;
    if (!dimensions_known_) return metrics;
    Dataset shape;
    shape.outputs = outputs;
    MakeTerms(metrics, shape, kAnyTimeStep, diagnostics_);
    return metrics;
  }

  void CheckPenalty(const Model& model, double dt,
                    const std::vector<std::string>& outputs) {
    if (outline_.penalty.empty() || diagnostics_.HasErrors()) return;
    Diagnostics mistakes;
    CompileObservation(model, dt, outputs, {outline_.penalty}, mistakes);
    for (Diagnostic mistake : mistakes.all()) {
      if (mistake.severity != Severity::kError) continue;
      if (mistake.field == "outputs") mistake.field = "penalty";
      diagnostics_.Keep(std::move(mistake));
    }
  }

  const ExperimentOutline& outline_;
  Diagnostics& diagnostics_;
  bool dimensions_known_ = true;
};

}  // namespace

std::optional<CompiledOutline> CompileOutline(const ExperimentOutline& outline,
                                              Diagnostics& diagnostics,
                                              const ProgramObserver& observer) {
  return OutlineCompiler(outline, diagnostics).Compile(observer);
}

}  // namespace somafit
