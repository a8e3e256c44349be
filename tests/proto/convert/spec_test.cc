#include "proto/convert/spec.h"

#include <cmath>

#include <gtest/gtest.h>

#include "proto/convert/digest.h"
#include "proto/convert/status.h"

namespace somafit {
namespace {

FitSpec Example() {
  FitSpec spec;
  spec.name = "cell-1";
  spec.label = "cell";
  spec.model = {.equations = "dv/dt = g*v : volt\ng : Hz",
                .method = "euler",
                .constants = {{"C", "1*pF"}, {"A", "2*pF"}},
                .initial_values = {{"v", "1*mV"}},
                .threshold = "v > 20*mV",
                .reset = "v = 0*mV\nw += 1",
                .refractory = "2*ms",
                .periodic = {{"w = 0", "end", "10*ms"}, {"w = 1", "", ""}},
                .timed_arrays = {{"drive", "nA", "1*ms", {1, 2, 3, 4}, 2},
                                 {"step", "", "1*ms", {0, 1}, 0}},
                .method_options = {{"simplify", "true"}}};
  spec.dataset = Sha256Hex("data");
  spec.dt = "0.1*ms";
  spec.parameters = {{"g", "[1*Hz, 2*Hz]"}};
  spec.metrics = {{.output = "v",
                   .metric = "mse",
                   .options = {{"t_start", "1*ms"}},
                   .t_weights = {0, 1.5}}};
  spec.optimizer = {"de", {{"population", "30"}}};
  spec.n_samples = 17;
  spec.stop = {.rounds = 3,
               .evaluations = 50,
               .target = "1e-6*volt**2",
               .time = "9*second"};
  spec.seed = ~uint64_t{0};
  spec.gate = {
      .enabled = true, .timeout_s = 5.5, .then = GateTimeout::kContinue};
  spec.execution = {.task_timeout_s = 7, .max_attempts = 2};
  return spec;
}

TEST(SpecTest, RoundTrip) {
  const v1::FitSpec message = ToProto(Example());
  const auto back = FromProto(message);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ToProto(*back).SerializeAsString(), message.SerializeAsString());
  EXPECT_EQ(back->dataset, Sha256Hex("data"));
  EXPECT_EQ(back->seed, ~uint64_t{0});
  EXPECT_EQ(back->model.constants[1].name, "A");
  EXPECT_EQ(EncodeModelSource(back->model), EncodeModelSource(Example().model));
}

TEST(SpecTest, AnEmptyResetIsNotNone) {
  ModelSource source;
  EXPECT_FALSE(FromProto(ToProto(source)).reset.has_value());
  source.reset = "";
  EXPECT_EQ(FromProto(ToProto(source)).reset, "");
}

TEST(SpecTest, DocumentedDefaults) {
  v1::FitSpec message;
  message.set_dataset("datasets/" + Sha256Hex("data"));
  const auto spec = FromProto(message);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->n_samples, 100);
  EXPECT_EQ(spec->gate.timeout_s, 60);
  EXPECT_EQ(spec->gate.then, GateTimeout::kPause);
  EXPECT_EQ(spec->execution.task_timeout_s, 600);
  EXPECT_EQ(spec->execution.max_attempts, 5);
  EXPECT_FALSE(spec->stop.rounds.has_value());
}

TEST(SpecTest, RefusesWhatCannotBeRepresented) {
  struct Case {
    const char* field;
    void (*change)(v1::FitSpec&);
  };
  const Case cases[] = {
      {"name", [](v1::FitSpec& m) { m.set_name("Cell"); }},
      {"name", [](v1::FitSpec& m) { m.set_name("1cell"); }},
      {"name", [](v1::FitSpec& m) { m.set_name(std::string(64, 'a')); }},
      {"name", [](v1::FitSpec& m) { m.set_name("a/b"); }},
      {"label", [](v1::FitSpec& m) { m.set_label("a b"); }},
      {"data", [](v1::FitSpec& m) { m.mutable_data(); }},
      {"dataset", [](v1::FitSpec& m) { m.clear_dataset(); }},
      {"dataset", [](v1::FitSpec& m) { m.set_dataset(Sha256Hex("x")); }},
      {"dataset", [](v1::FitSpec& m) { m.set_dataset("datasets/12"); }},
      {"model.equations",
       [](v1::FitSpec& m) {
         m.mutable_model()->set_equations(std::string(2 << 20, 'x'));
       }},
      {"model.equations",
       [](v1::FitSpec& m) {
         m.mutable_model()->set_equations(std::string("a\0b", 3));
       }},
      {"model.constants",
       [](v1::FitSpec& m) {
         for (int i = 0; i < 1001; ++i) m.mutable_model()->add_constants();
       }},
      {"model.threshold",
       [](v1::FitSpec& m) {
         m.mutable_model()->set_threshold(std::string(2 << 20, 'x'));
       }},
      {"model.reset",
       [](v1::FitSpec& m) {
         m.mutable_model()->set_reset(std::string("a\0b", 3));
       }},
      {"model.refractory",
       [](v1::FitSpec& m) {
         m.mutable_model()->set_refractory(std::string(2 << 20, 'x'));
       }},
      {"model.periodic[1].code",
       [](v1::FitSpec& m) {
         m.mutable_model()->mutable_periodic(1)->set_code(
             std::string(2 << 20, 'x'));
       }},
      {"model.periodic",
       [](v1::FitSpec& m) {
         for (int i = 0; i < 1001; ++i) m.mutable_model()->add_periodic();
       }},
      {"model.timed_arrays",
       [](v1::FitSpec& m) {
         for (int i = 0; i < 1001; ++i) m.mutable_model()->add_timed_arrays();
       }},
      {"model.timed_arrays[0].values",
       [](v1::FitSpec& m) {
         m.mutable_model()->mutable_timed_arrays(0)->mutable_values()->Resize(
             16'000'001, 0);
       }},
      {"model.timed_arrays[1].columns",
       [](v1::FitSpec& m) {
         m.mutable_model()->mutable_timed_arrays(1)->set_columns(-1);
       }},
      {"model.method_options",
       [](v1::FitSpec& m) {
         for (int i = 0; i < 1001; ++i) m.mutable_model()->add_method_options();
       }},
      {"parameters",
       [](v1::FitSpec& m) {
         for (int i = 0; i < 1001; ++i) m.add_parameters();
       }},
      {"metrics[0].t_weights",
       [](v1::FitSpec& m) { m.mutable_metrics(0)->add_t_weights(-1); }},
      {"metrics[0].t_weights",
       [](v1::FitSpec& m) { m.mutable_metrics(0)->add_t_weights(NAN); }},
      {"n_samples", [](v1::FitSpec& m) { m.set_n_samples(-1); }},
      {"stop.rounds", [](v1::FitSpec& m) { m.mutable_stop()->set_rounds(-1); }},
      {"stop.evaluations",
       [](v1::FitSpec& m) { m.mutable_stop()->set_evaluations(-1); }},
      {"gate.timeout_seconds",
       [](v1::FitSpec& m) { m.mutable_gate()->set_timeout_seconds(-1); }},
      {"gate.timeout_seconds",
       [](v1::FitSpec& m) { m.mutable_gate()->set_timeout_seconds(NAN); }},
      {"gate.on_timeout",
       [](v1::FitSpec& m) { m.mutable_gate()->set_on_timeout("wait"); }},
      {"execution.task_timeout_seconds",
       [](v1::FitSpec& m) {
         m.mutable_execution()->set_task_timeout_seconds(INFINITY);
       }},
      {"execution.max_attempts",
       [](v1::FitSpec& m) { m.mutable_execution()->set_max_attempts(-1); }},
  };
  for (const Case& c : cases) {
    v1::FitSpec message = ToProto(Example());
    c.change(message);
    const absl::Status status = FromProto(message).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.field;
    EXPECT_EQ(std::string(status.message()).rfind(c.field, 0), 0)
        << c.field << ": " << status;
    EXPECT_EQ(ReasonOf(status), "BAD_FIELD");
  }
}

TEST(SpecTest, ReportsAllMistakes) {
  v1::FitSpec message = ToProto(Example());
  message.set_name("X");
  message.set_n_samples(-5);
  const std::string text(FromProto(message).status().message());
  EXPECT_NE(text.find("name:"), std::string::npos);
  EXPECT_NE(text.find("n_samples:"), std::string::npos);
}

}  // namespace
}  // namespace somafit
