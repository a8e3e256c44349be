// Any text as a model: read, checked, and if it is valid compiled and run for a
// few steps.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/model_text.h"
#include "worker/core/base/noise.h"
#include "worker/core/ir/interpreter.h"
#include "worker/core/ir/lower.h"
#include "worker/core/ir/recording.h"
#include "worker/core/lang/lexer.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/parser.h"
#include "worker/core/units/unit.h"
#include "worker/sim/solving_kernel.h"

namespace somafit {
namespace {

constexpr double kDt = 1e-4;
constexpr size_t kLarge = 300;  // values of a program

void Require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n%s\n", what, text.c_str());
  std::abort();
}

// Whether the name is a word of the text; looks at every token on the way.
bool Mentions(const std::string& text, std::string_view name) {
  bool found = false;
  size_t at = 0;
  for (;;) {
    const Token token = LexToken(text, at, text.size());
    Require(token.span.begin >= at && token.span.end <= text.size(),
            "tokens lie in the text, one behind the other", text);
    if (token.kind == Token::Kind::kEnd) return found;
    Require(token.span.end > token.span.begin, "a token has a byte", text);
    found = found || token.IsName(name);
    at = token.span.end;
  }
}

void RequireReadable(const Diagnostics& diagnostics) {
  const std::string text = diagnostics.Render();
  Require(
      std::all_of(text.begin(), text.end(),
                  [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }),
      "messages are plain text", text);
}

void RequirePrintable(const Expression& expression) {
  if (!expression.valid()) return;
  const std::string text = PrintExpression(expression);
  Diagnostics diagnostics;
  const Expression back = ParseExpression({"printed", text}, diagnostics);
  Require(back.valid(), "what is printed can be read",
          text + "\n" + diagnostics.Render());
  const bool same =
      std::equal(expression.nodes.begin(), expression.nodes.end(),
                 back.nodes.begin(), back.nodes.end(),
                 [](const Node& a, const Node& b) { return a.form == b.form; });
  Require(same && back.root == expression.root,
          "what is printed is the same expression", text);
}

void ReadText(const std::string& text) {
  Diagnostics diagnostics;
  const Expression expression = ParseExpression({"text", text}, diagnostics);
  Require(expression.valid() != diagnostics.HasErrors(),
          "an expression is read, or refused with a word", text);
  RequireReadable(diagnostics);
  RequirePrintable(expression);
}

void ReadParts(const ModelSource& source) {
  Diagnostics diagnostics;
  const EquationBlock block =
      ParseEquations({"equations", source.equations}, diagnostics);
  RequireReadable(diagnostics);
  for (const Definition& definition : block.definitions) {
    RequirePrintable(definition.right_side);
  }
  for (const NamedText& each : source.constants) ReadText(each.text);
  for (const NamedText& each : source.initial_values) ReadText(each.text);
  ReadText(source.threshold);
  ReadText(source.refractory);
}

// With few tries, one lane and the interpreter.
void Solve(Program program) {
  constexpr int64_t kSteps = 3;
  program.integration->options.max_steps = 5;
  const auto kernel = MakeSolvingKernel(
      program, KernelVariant::kRecord, 1,
      [](const Program& part, KernelVariant variant, int width) {
        return absl::StatusOr<std::shared_ptr<const Kernel>>(
            MakeReferenceKernel(part, {.variant = variant, .width = width}));
      });
  Require(kernel.ok(), "a solver has a kernel", PrintProgram(program));
  constexpr uint64_t kRealization[] = {0};
  std::vector<double> noise(program.noises.size() * kSteps);
  FillNoise(1, 0, kRealization, program.noises, 0, kSteps, noise.data());
  const std::vector<double> parameters(program.parameters.size(), 1e-3);
  std::vector<double> states(program.states.size());
  std::vector<double> rows(program.outputs.size() * kSteps);
  const double input[kSteps] = {1e-10, -0.0, 1e300};
  const std::vector<const double*> inputs(program.inputs.size(), input);
  std::vector<const double*> arrays;
  for (const auto& array : program.arrays) arrays.push_back(array->data());
  (*kernel)->Start(parameters.data(), states.data(), noise.data());
  KernelCall call;
  call.end = call.n_steps = kSteps;
  call.parameters = parameters.data();
  call.states = states.data();
  call.inputs = inputs.data();
  call.record = rows.data();
  call.noise = noise.data();
  call.arrays = arrays.data();
  (*kernel)->Run(call);
}

void RunSteps(const Program& program) {
  if (program.integration) return Solve(program);
  constexpr size_t kLanes = 3;
  constexpr size_t kSteps = 3;
  // In one lane numbers as they are in SI, in the others as nobody wants them.
  const double numbers[kLanes] = {1e-9, 0, -1e300};
  std::vector<double> parameters;
  for (size_t p = 0; p < program.parameters.size(); ++p) {
    parameters.insert(parameters.end(), std::begin(numbers), std::end(numbers));
  }
  const std::vector<double> input = {1e-10, -0.0, 1e300};
  TraceView trace;
  trace.n_steps = kSteps;
  trace.inputs.assign(program.inputs.size(), input);
  constexpr uint64_t kRealizations[kLanes] = {0, 1, 2};
  const size_t n_draws = program.noises.size() * kLanes;
  std::vector<double> initial_noise(n_draws), noise(n_draws * kSteps);
  FillNoise(1, 0, kRealizations, program.noises, kInitialStep, 0,
            initial_noise.data());
  FillNoise(1, 0, kRealizations, program.noises, 0, kSteps, noise.data());
  trace.noise = noise;
  Interpreter interpreter(program, kLanes, parameters, initial_noise);
  size_t n_seen = 0;
  interpreter.Run(trace, 0, kSteps, [&](size_t, std::span<const double> row) {
    if (row.size() == program.outputs.size() * kLanes) ++n_seen;
  });
  Require(n_seen == kSteps, "every step is observed", PrintProgram(program));
}

void CompileAndRun(const Model& model,
                   const std::vector<std::string>& outputs) {
  Diagnostics diagnostics;
  const auto program = CompileProgram(model, kDt, outputs, diagnostics);
  const auto check = [&diagnostics](const std::optional<Program>& made) {
    RequireReadable(diagnostics);
    Require(made.has_value() != diagnostics.HasErrors(),
            "a model is compiled, or refused with a word",
            diagnostics.Render());
    if (!made) return;
    const absl::Status status = VerifyProgram(*made);
    Require(status.ok(), "programs are sound", status.ToString());
    RunSteps(*made);
  };
  check(program);
  // A large one takes long enough once.
  if (!program || program->values.size() > kLarge) return;
  std::vector<std::string> all;
  for (const Channel& each : RecordableVariables(model)) {
    all.push_back(each.name);
  }
  check(CompileRecording(model, kDt, outputs, all, diagnostics));
}

void TestModel(const ModelSource& source) {
  ReadParts(source);
  // What is not in the text would only be refused.
  std::vector<Channel> inputs, outputs;
  if (Mentions(source.equations, "I")) {
    inputs.push_back({"I", FindUnit("amp")->dimension});
  }
  if (Mentions(source.equations, "v")) {
    outputs.push_back({"v", FindUnit("volt")->dimension});
  }
  Diagnostics diagnostics;
  const auto model = CompileModel(source, inputs, outputs, diagnostics);
  RequireReadable(diagnostics);
  Require(model.has_value() != diagnostics.HasErrors(),
          "a model is accepted, or refused with a word", diagnostics.Render());
  if (!model) return;
  const bool has_content = !model->parameters.empty() ||
                           !model->states.empty() ||
                           !model->subexpressions.empty();
  Require(!has_content || !PrintModel(*model).empty(), "models are printed",
          source.equations);
  std::vector<std::string> names;
  for (const Channel& output : outputs) names.push_back(output.name);
  CompileAndRun(*model, names);
}

}  // namespace
}  // namespace somafit

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  somafit::TestModel(
      somafit::ReadModelText({reinterpret_cast<const char*>(data), size}));
  return 0;
}
