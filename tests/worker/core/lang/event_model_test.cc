// What is in a Model of threshold, reset, refractoriness, periodic code, noise
// and random numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/lang/model.h"

namespace somafit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Model Compile(const ModelSource& source) {
  Diagnostics diagnostics;
  auto model = CompileModel(source, {}, {}, diagnostics);
  EXPECT_TRUE(model.has_value()) << diagnostics.Render();
  return model ? *std::move(model) : Model{};
}

std::vector<std::string> Names(const std::vector<ModelVariable>& variables) {
  std::vector<std::string> names;
  for (const ModelVariable& each : variables) names.push_back(each.name);
  return names;
}

std::vector<int32_t> Sites(const Expression& expression) {
  std::vector<int32_t> sites;
  for (const Node& node : expression.nodes) {
    const auto* const call = std::get_if<Call>(&node.form);
    if (call != nullptr && call->site >= 0) sites.push_back(call->site);
  }
  return sites;
}

TEST(EventModelTest, TellsVariablesFromParameters) {
  ModelSource source;
  source.equations =
      "fitted : 1\nassigned : 1\ndv/dt = -v/second : volt\nfixed : 1 "
      "(constant)\nboth : integer\nperiodic : boolean";
  source.threshold = "v > 1*volt";
  source.reset = "assigned += 1; both = 2; v = 0*volt";
  source.refractory = "2*ms";
  source.periodic = {{"periodic = v > 0*volt", "", ""}};
  source.initial_values = {{"both", "fitted > 1 and 3 > 2"},
                           {"fixed", "2*fitted"},
                           {"v", "fixed*volt"},
                           {"lastspike", "-1*second"},
                           {"not_refractory", "False"}};
  source.initial_values[0].text = "int(2*fitted)";
  const Model model = Compile(source);
  EXPECT_THAT(Names(model.parameters),
              ElementsAre("fitted", "assigned", "periodic"));
  EXPECT_THAT(Names(model.variables),
              ElementsAre("assigned", "fixed", "both", "periodic",
                          "not_refractory", "lastspike"));
  EXPECT_EQ(model.variables[2].type, ValueType::kInteger);
  EXPECT_EQ(model.variables[4].type, ValueType::kBoolean);
  EXPECT_EQ(model.variables[5].dimension, kTimeDimension);
  // States, then variables.
  std::vector<size_t> assigned;
  for (const InitialValue& each : model.initial_values) {
    assigned.push_back(each.state);
  }
  EXPECT_THAT(assigned, ElementsAre(3, 2, 0, 6, 5));

  using Kind = Meaning::Kind;
  EXPECT_EQ(model.Resolve("fitted")->kind, Kind::kParameter);
  EXPECT_EQ(model.Resolve("assigned")->kind, Kind::kVariable);
  EXPECT_EQ(model.Resolve("both")->kind, Kind::kVariable);
  EXPECT_EQ(model.Resolve("both")->index, 2u);
  EXPECT_EQ(model.Resolve("lastspike")->index, 5u);
  EXPECT_EQ(model.Resolve("i")->kind, Kind::kLaneNumber);
  EXPECT_FALSE(model.Resolve("xi").has_value());
  EXPECT_FALSE(model.uses_lane_number);
}

TEST(EventModelTest, WithoutRefractorinessThereAreNoVariablesOfIt) {
  const Model model =
      Compile({"dv/dt = -v/ms : 1 (unless refractory)", "", {}, {}});
  EXPECT_TRUE(model.variables.empty());
  EXPECT_FALSE(model.is_refractory());
  EXPECT_FALSE(model.states[0].unless_refractory);
  EXPECT_FALSE(model.Resolve("not_refractory").has_value());
}

TEST(EventModelTest, RefractorinessHasThreeForms) {
  ModelSource source;
  source.equations = "dv/dt = -v/ms : 1 (unless refractory)";
  source.threshold = "v > 1";
  using Form = Refractory::Form;
  source.refractory = "2*ms";
  Model model = Compile(source);
  EXPECT_EQ(model.refractory.form, Form::kTime);
  EXPECT_FALSE(model.refractory.sampled);
  EXPECT_TRUE(model.states[0].unless_refractory);
  EXPECT_THAT(Names(model.variables),
              ElementsAre("not_refractory", "lastspike"));
  source.refractory = "v > 0.5";
  EXPECT_EQ(Compile(source).refractory.form, Form::kCondition);
  source.refractory = "(1 + rand())*ms";
  model = Compile(source);
  EXPECT_EQ(model.refractory.form, Form::kTime);
  EXPECT_TRUE(model.refractory.sampled);
  EXPECT_THAT(Names(model.variables),
              ElementsAre("not_refractory", "lastspike", "refractory"));
  // A formula would see the wrong one of two.
  source.constants = {{"refractory", "1*ms"}};
  Diagnostics diagnostics;
  EXPECT_FALSE(CompileModel(source, {}, {}, diagnostics));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("[E_NAME]"));
  source.refractory = "refractory";
  EXPECT_EQ(Compile(source).refractory.form, Form::kTime);
}

TEST(EventModelTest, AppliesOperatorsToTheWholeRightSide) {
  ModelSource source;
  source.equations = "v : 1\nw : 1";
  source.threshold = "v > 1";
  source.reset =
      "v *= 1 + exp(-w, )\nq = 2*v; w -= q # c\nq = w > 1; w = q + 0";
  Diagnostics diagnostics;
  const auto model = CompileModel(source, {}, {}, diagnostics);
  ASSERT_TRUE(model.has_value()) << diagnostics.Render();
  const std::vector<Statement>& reset = model->reset.statements;
  ASSERT_EQ(reset.size(), 5u);
  EXPECT_EQ(PrintExpression(reset[0].value), "v*(1 + exp(-w))");
  EXPECT_EQ(PrintExpression(reset[2].value), "w - q");
  for (const Statement& each : reset) {
    EXPECT_EQ(each.temporary, each.name == "q");
    EXPECT_EQ(each.value.types.size(), each.value.nodes.size());
  }
  // A temporary has the type of the value assigned last.
  EXPECT_EQ(reset[1].type, ValueType::kFloat);
  EXPECT_EQ(reset[3].type, ValueType::kBoolean);
}

TEST(EventModelTest, OrdersPeriodicCodeBySlot) {
  ModelSource source;
  source.equations = "v : 1";
  source.periodic = {{"v = 0", "end", ""},
                     {"v = 1", "", "2*ms"},
                     {"v = 2", "before_start", ""},
                     {"v = 3", "start", ""},
                     {"v = 4", "after_resets", ""}};
  const Model model = Compile(source);
  std::vector<std::string> values;
  for (const PeriodicCode& each : model.periodic) {
    values.push_back(PrintExpression(each.code.statements[0].value));
  }
  EXPECT_THAT(values, ElementsAre("2", "1", "3", "4", "0"));
  EXPECT_EQ(model.periodic[0].slot, Slot::kBeforeStart);
  EXPECT_EQ(model.periodic[1].dt, 2e-3);
  EXPECT_EQ(model.periodic[2].dt, 0);
  EXPECT_EQ(model.periodic[3].slot, Slot::kAfterResets);
  EXPECT_EQ(model.periodic[1].code.source.field, "model.periodic[1].code");
}

TEST(EventModelTest, NumbersRandomNumbersInTheOrderOfTheText) {
  ModelSource source;
  source.equations =
      "dv/dt = (rand() - rand())/ms : 1\n"
      "s = randn() + i : 1 (constant over dt)\nw : 1";
  source.threshold = "rand() < 0.5";
  source.reset = "w = rand(); w *= randn()";
  source.refractory = "rand()*ms";
  source.periodic = {{"w = poisson(2)", "", ""}};
  source.initial_values = {{"v", "rand()/N"}};
  const Model model = Compile(source);
  EXPECT_EQ(model.n_random_sites, 8 + 1);
  EXPECT_THAT(Sites(model.states[0].right_side), ElementsAre(0, 1));
  EXPECT_THAT(Sites(model.subexpressions[0].right_side), ElementsAre(2));
  EXPECT_THAT(Sites(model.threshold), ElementsAre(3));
  EXPECT_THAT(Sites(model.reset.statements[0].value), ElementsAre(4));
  EXPECT_THAT(Sites(model.reset.statements[1].value), ElementsAre(5));
  EXPECT_THAT(Sites(model.refractory.expression), ElementsAre(6));
  EXPECT_THAT(Sites(model.periodic[0].code.statements[0].value),
              ElementsAre(7));
  EXPECT_THAT(Sites(model.initial_values[0].value), ElementsAre(8));
  EXPECT_TRUE(model.uses_lane_number);
  EXPECT_TRUE(model.uses_lane_count);
}

TEST(EventModelTest, ListsNoises) {
  const Model model =
      Compile({"dv/dt = (xi_2 + xi)*sqrt(Hz) : 1\ndw/dt = xi_2*sqrt(Hz) : 1",
               "",
               {},
               {}});
  EXPECT_THAT(model.noises, ElementsAre("xi", "xi_2"));
  EXPECT_EQ(model.Resolve("xi_2")->kind, Meaning::Kind::kNoise);
  EXPECT_EQ(model.Resolve("xi_2")->index, 1u);
  EXPECT_EQ(model.Resolve("xi")->dimension, kTimeDimension.Power(-0.5));
  EXPECT_FALSE(model.Resolve("xi_1").has_value());
}

TEST(EventModelTest, ReadsTimedArraysInSi) {
  ModelSource source;
  source.equations = "y = a(t, 1) : amp";
  source.timed_arrays = {{"a", "2*nA", "0.5*ms", {1, 2, 3, 4, 5, 6}, 2}};
  const Model model = Compile(source);
  ASSERT_EQ(model.timed_arrays.size(), 1u);
  EXPECT_EQ(model.timed_arrays[0].dt, 0.5 * 1e-3);
  EXPECT_EQ(model.timed_arrays[0].rows(), 3);
  EXPECT_EQ(model.timed_arrays[0].values[1], 2 * (2 * 1e-9));
}

TEST(EventModelTest, InputsAndTargetsMayBeUsedByEvents) {
  ModelSource source;
  source.equations = "dv/dt = -v/ms : volt";
  source.threshold = "v > I";
  source.reset = "v = v_target";
  const Channel input{
      "I", Compile(source = {"v : volt", "", {}, {}}).parameters[0].dimension};
  source.equations = "dv/dt = -v/ms : volt";
  source.threshold = "v > I";
  source.reset = "v = v_target";
  source.refractory = "1*ms";
  Diagnostics diagnostics;
  const auto model = CompileModel(
      source, {input}, {{"v", input.dimension}, {"lastspike", kTimeDimension}},
      diagnostics);
  ASSERT_TRUE(model.has_value()) << diagnostics.Render();
  EXPECT_TRUE(diagnostics.empty()) << diagnostics.Render();
  EXPECT_EQ(model->inputs.size(), 2u);
  EXPECT_THAT(model->targets, ElementsAre(0));
}

TEST(EventModelTest, PrintsAll) {
  ModelSource source;
  source.equations =
      "dv/dt = a(t)/ms + xi*Hz**0.5 : 1 (unless refractory)\nw : 1";
  source.threshold = "v > w";
  source.reset = "q = v/2; v = q";
  source.refractory = "rand()*ms";
  source.periodic = {{"w += 1", "end", "1*ms"}};
  source.timed_arrays = {{"a", "", "1*ms", {1, 2}}};
  source.initial_values = {{"w", "3"}};
  EXPECT_EQ(PrintModel(Compile(source)),
            "timed array a(t) : 1 (2 rows, one for 0.001*second)\n"
            "variable w : 1\n"
            "variable not_refractory : boolean\n"
            "variable lastspike : second\n"
            "variable refractory : second\n"
            "noise xi\n"
            "state dv/dt = a(t)/ms + xi*Hz**0.5 : 1 (unless refractory)\n"
            "initial w = 3\n"
            "threshold v > w\n"
            "reset temporary q = v/2\n"
            "reset v = q\n"
            "refractory rand()*ms (drawn at each spike)\n"
            "end every 0.001*second w = w + 1\n");
}

TEST(EventModelTest, ReportsAllMistakesAtOnce) {
  ModelSource source;
  source.equations = "dv/dt = nothing/ms : 1";
  source.threshold = "v";
  source.reset = "t = 1*ms\nv == 2\nv = 1*mV";
  source.refractory = "3";
  source.periodic = {{"v = 1*mV", "strat", "0*ms"}};
  source.method_options = {{"absolute_error", "1"}};
  Diagnostics diagnostics;
  EXPECT_FALSE(CompileModel(source, {}, {}, diagnostics));
  std::vector<std::string> codes;
  for (const Diagnostic& each : diagnostics.all()) codes.push_back(each.code);
  EXPECT_THAT(codes,
              testing::UnorderedElementsAre(
                  "E_UNRESOLVED", "E_THRESHOLD", "E_WRITE", "E_SYNTAX", "E_DIM",
                  "E_REFRACTORY", "E_DIM", "E_OPTION", "E_OPTION", "E_OPTION"));
}

TEST(EventModelTest, LargeCodeEndsSoon) {
  std::string code, nested = "v = " + std::string(200'000, '(');
  for (int i = 0; i < 3000; ++i) code += "v += 1*mV;";
  for (const std::string& each :
       {code, nested, std::string(260'000, ';'), std::string(300'000, 'x')}) {
    ModelSource source;
    source.equations = "v : 1";
    source.threshold = "v > 1";
    source.reset = each;
    source.periodic = {{each, "", ""}};
    Diagnostics diagnostics;
    CompileModel(source, {}, {}, diagnostics);
    EXPECT_LE(diagnostics.all().size(), kMaxDiagnostics + 1);
  }
}

}  // namespace
}  // namespace somafit
