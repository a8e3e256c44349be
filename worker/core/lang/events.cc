#include "worker/core/lang/events.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "worker/core/lang/code.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/random.h"
#include "worker/core/lang/statements.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

class EventChecker {
 public:
  EventChecker(const ModelSource& source, SymbolTable& symbols, Model& model,
               Diagnostics& diagnostics)
      : source_(source),
        symbols_(symbols),
        model_(model),
        diagnostics_(diagnostics) {}

  void Run() {
    CheckThreshold();
    CheckReset();
    CheckRefractory();
  }

 private:
  Checked Check(Expression& expression, const Source& source,
                const std::string& place) {
    const Scope scope{source, place,
                      [this](const std::string& name) {
                        return symbols_.SayOnce(
                            name, symbols_.FindWithoutNoise(name));
                      },
                      [this] { return symbols_.Candidates(); }};
    Checked checked = CheckExpression(expression, scope, diagnostics_);
    expression.types = std::move(checked.types);
    return checked;
  }

  static Span SpanOf(const Expression& expression) {
    return expression.nodes[expression.root].span;
  }

  void CheckThreshold() {
    Expression& threshold = model_.threshold;
    if (!threshold.valid()) return;
    const Source& source = model_.threshold_source;
    const Checked checked = Check(threshold, source, "in the threshold");
    if (!checked.dimension) return;
    if (checked.type != ValueType::kBoolean) {
      diagnostics_.Error(
          "E_THRESHOLD", source, SpanOf(threshold),
          absl::StrCat("the threshold ", Quoted(PrintExpression(threshold)),
                       " is a number, but must be a condition"),
          "compare it with something, e.g. `v > -20*mV`");
      return;
    }
    const bool draws = std::any_of(
        threshold.nodes.begin(), threshold.nodes.end(), [](const Node& node) {
          const auto* const call = std::get_if<Call>(&node.form);
          return call != nullptr &&
                 (call->function == "rand" || call->function == "randn");
        });
    if (source_.reset || model_.is_refractory() || draws) return;
    diagnostics_.Add(
        Severity::kWarning, "W_ONLY_THRESHOLD", source, SpanOf(threshold),
        "there is neither a reset nor a refractory period, so there is a "
        "spike in every step in which the threshold holds",
        "add one, or an empty reset if this is meant");
  }

  void CheckReset() {
    if (source_.reset && IsBlank(source_.threshold)) {
      diagnostics_.FieldError("E_THRESHOLD", "model.reset",
                              "there is a reset without a threshold",
                              "add a threshold, e.g. `v > -20*mV`");
    }
    CheckCode(CodeKind::kReset, symbols_, model_.reset, diagnostics_);
  }

  void CheckRefractory() {
    Refractory& refractory = model_.refractory;
    if (!refractory.expression.valid()) return;
    const Checked checked = Check(refractory.expression, refractory.source,
                                  "in the refractory period");
    if (!checked.dimension) return;
    if (checked.type == ValueType::kBoolean) {
      refractory.form = Refractory::Form::kCondition;
      return;
    }
    refractory.form = Refractory::Form::kTime;
    const std::string text = Quoted(PrintExpression(refractory.expression));
    if (!(*checked.dimension == kTimeDimension)) {
      diagnostics_.Error(
          "E_REFRACTORY", refractory.source, SpanOf(refractory.expression),
          absl::StrCat("the refractory period ", text, " has the unit ",
                       ReadableDimension(*checked.dimension),
                       ", it must be a time or a condition"),
          checked.dimension->IsNone() ? "give it a unit, e.g. `2*ms`, or "
                                        "compare it, e.g. `v > -40*mV`"
                                      : "write a time, e.g. `2*ms`");
      return;
    }
    if (const Node* const random = FindRandom(refractory.expression)) {
      refractory.sampled = true;
      diagnostics_.Add(
          Severity::kWarning, "W_REFRACTORY_SAMPLED", refractory.source,
          random->span,
          absl::StrCat("the refractory period ", text,
                       " is drawn once at each spike, after the reset"));
    }
  }

  const ModelSource& source_;
  SymbolTable& symbols_;
  Model& model_;
  Diagnostics& diagnostics_;
};

}  // namespace

bool AsksForRefractoriness(const std::string& refractory) {
  const auto text = absl::StripAsciiWhitespace(refractory);
  return text != "False" && text != "false" && !IsBlank(refractory);
}

void ParseEvents(const ModelSource& source, Model& model,
                 Diagnostics& diagnostics) {
  model.threshold_source = {"model.threshold", source.threshold};
  if (!IsBlank(source.threshold)) {
    model.threshold = ParseExpression(model.threshold_source, diagnostics);
  }
  model.reset.source = {"model.reset", source.reset.value_or("")};
  model.reset.statements = ParseStatements(model.reset.source, diagnostics);
  model.refractory.source = {"model.refractory", source.refractory};
  if (AsksForRefractoriness(source.refractory)) {
    model.refractory.form = Refractory::Form::kTime;
    model.refractory.expression =
        ParseExpression(model.refractory.source, diagnostics);
  }
}

void CheckEvents(const ModelSource& source, SymbolTable& symbols, Model& model,
                 Diagnostics& diagnostics) {
  EventChecker(source, symbols, model, diagnostics).Run();
}

}  // namespace somafit
