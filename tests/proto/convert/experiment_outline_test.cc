#include "proto/convert/experiment_outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ExperimentOutline Message() {
  v1::ExperimentOutline message;
  message.mutable_model()->set_equations("dv/dt = -v/tau : volt # \xC2\xB5\n");
  message.mutable_model()->set_method("exponential_euler");
  auto* constant = message.mutable_model()->add_constants();
  constant->set_name("tau");
  constant->set_text("10*ms");
  auto* input = message.add_inputs();
  input->set_name("I");
  input->set_unit("nA");
  message.add_outputs()->set_name("v");
  message.set_dt("0.1*ms");
  auto* parameter = message.add_parameters();
  parameter->set_name("g");
  parameter->set_bounds("[1, 2]");
  auto* metric = message.add_metrics();
  metric->set_output("v");
  metric->add_t_weights(0.5);
  message.add_trace_steps(7);
  message.add_trace_steps(9);
  message.set_recordings_problem("none");
  return message;
}

TEST(ExperimentOutlineTest, ComesThroughAPipeWhole) {
  const auto json = EncodeOutline(Message());
  ASSERT_TRUE(json.ok()) << json.status();
  const auto outline = DecodeOutline(*json);
  ASSERT_TRUE(outline.ok()) << outline.status();
  EXPECT_EQ(outline->model.equations, Message().model().equations());
  EXPECT_EQ(outline->model.method, "exponential_euler");
  ASSERT_EQ(outline->model.constants.size(), 1u);
  EXPECT_EQ(outline->model.constants[0], (NamedText{"tau", "10*ms"}));
  ASSERT_EQ(outline->inputs.size(), 1u);
  EXPECT_EQ(outline->inputs[0].name, "I");
  EXPECT_EQ(outline->inputs[0].unit, "nA");
  ASSERT_EQ(outline->outputs.size(), 1u);
  EXPECT_EQ(outline->outputs[0].unit, "");
  EXPECT_EQ(outline->dt, "0.1*ms");
  ASSERT_EQ(outline->parameters.size(), 1u);
  EXPECT_EQ(outline->parameters[0].bounds, "[1, 2]");
  ASSERT_EQ(outline->metrics.size(), 1u);
  EXPECT_THAT(outline->metrics[0].t_weights, ElementsAre(0.5));
  EXPECT_THAT(outline->trace_steps, ElementsAre(7, 9));
  EXPECT_EQ(outline->recordings_problem, "none");
}

std::string Refusal(const std::string& json) {
  const auto outline = DecodeOutline(json);
  EXPECT_TRUE(absl::IsInvalidArgument(outline.status())) << outline.status();
  return std::string(outline.status().message());
}

TEST(ExperimentOutlineTest, RefusesWhatIsNone) {
  constexpr char kNone[] = "this is not the JSON of an experiment's outline";
  EXPECT_THAT(Refusal(""), HasSubstr(kNone));
  EXPECT_THAT(Refusal("model:\n  equations: x\n"), HasSubstr(kNone));
  EXPECT_THAT(Refusal(std::string("\0\x01\xFF\xFE", 4)), HasSubstr(kNone));
  EXPECT_THAT(Refusal("{\"step\": 1}"), HasSubstr("step"));
  EXPECT_THAT(Refusal("{\"dt\": {\"dt\": 1}}"), HasSubstr(kNone));
  EXPECT_THAT(Refusal(std::string(100'000, '[')), HasSubstr(kNone));
  EXPECT_THAT(Refusal("{\"trace_steps\": [-1]}"),
              HasSubstr("trace_steps holds -1"));
}

TEST(ExperimentOutlineTest, RefusesTooMuch) {
  EXPECT_THAT(Refusal(std::string(kMaxOutlineBytes + 1, ' ')),
              HasSubstr("at most 16777216"));
  v1::ExperimentOutline message;
  for (int i = 0; i < 65; ++i) message.add_inputs()->set_name("I");
  EXPECT_THAT(Refusal(*EncodeOutline(message)),
              HasSubstr("data.inputs has 65 entries; at most 64"));
  message.Clear();
  message.set_dt(std::string(kMaxOutlineBytes, '1'));
  EXPECT_THAT(std::string(EncodeOutline(message).status().message()),
              HasSubstr("at most 16777216"));
}

TEST(ExperimentOutlineTest, RefusesBytesThatAreNotUtf8) {
  v1::ExperimentOutline message = Message();
  message.mutable_model()->set_equations("dv/dt = 1 : volt # \xB5");
  EXPECT_THAT(std::string(EncodeOutline(message).status().message()),
              HasSubstr("not UTF-8; save its file as UTF-8"));
}

}  // namespace
}  // namespace somafit
