#include "client/lib/yaml_spec.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "client/lib/yaml_set.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<v1::FitSpec> Read(const std::string& yaml,
                                 const std::vector<std::string>& sets = {}) {
  absl::StatusOr<YamlDocument> document = ParseYaml(yaml, "fit.yaml");
  if (!document.ok()) return document.status();
  for (const std::string& set : sets) {
    if (absl::Status status = ApplySet(set, &*document); !status.ok()) {
      return status;
    }
  }
  return FitSpecFromYaml(*document);
}

struct Good {
  std::string yaml;
  std::vector<std::string> sets;
  std::string expected;  // FitSpec as text
};

TEST(YamlSpecTest, ReadsEveryForm) {
  const std::vector<Good> cases = {
      {"name: cell7\nseed: 18446744073709551615\n",
       {},
       "name: 'cell7' seed: 18446744073709551615"},
      // Any plain value where a text is expected; nothing is not given.
      {"dt: 5\nlabel:\nname: ~\n", {}, "dt: '5'"},
      {"model:\n  equations: |\n    a : 1\n    b : 1\n",
       {},
       "model { equations: 'a : 1\\nb : 1\\n' }"},
      {"model:\n  threshold: v > -50*mV\n  reset: |\n    v = -65*mV\n"
       "    w += 1\n  refractory: 2*ms\n"
       "  periodic: [{code: w = 0, when: start, dt: 1*ms}]\n"
       "  method_options: {simplify: true}\n",
       {},
       "model { threshold: 'v > -50*mV' reset: 'v = -65*mV\\nw += 1\\n'"
       " refractory: '2*ms'"
       " periodic { code: 'w = 0' when: 'start' dt: '1*ms' }"
       " method_options { name: 'simplify' text: 'true' } }"},
      // An empty text is given, an empty value is not.
      {"model: {reset: ''}", {}, "model { reset: '' }"},
      {"model: {reset: , refractory: false}",
       {},
       "model { refractory: 'false' }"},
      {"model: {timed_arrays: {a: {unit: nA, dt: 1*ms, values: [1, 2.5]}}}",
       {},
       "model { timed_arrays { name: 'a' unit: 'nA' dt: '1*ms' values: 1"
       " values: 2.5 } }"},
      {"model:\n  timed_arrays:\n  - {name: a, dt: 1*ms, values: [1, 2], "
       "columns: 2}\n",
       {},
       "model { timed_arrays { name: 'a' dt: '1*ms' values: 1 values: 2"
       " columns: 2 } }"},
      // Mappings for lists: a plain value is the second field.
      {"model: {constants: {Cm: 200*pF, k: 3, b: true}}",
       {},
       "model { constants { name: 'Cm' text: '200*pF' }"
       " constants { name: 'k' text: '3' }"
       " constants { name: 'b' text: 'true' } }"},
      {"parameters:\n  gl: [2*psiemens, 200*nS]\n",
       {},
       "parameters { name: 'gl' bounds: '[2*psiemens, 200*nS]' }"},
      {"parameters: {gl: {bounds: '[1*nS, 2*nS]'}}",
       {},
       "parameters { name: 'gl' bounds: '[1*nS, 2*nS]' }"},
      {"parameters: [{name: gl, bounds: [1, 2]}]",
       {},
       "parameters { name: 'gl' bounds: '[1, 2]' }"},
      {"metrics:\n  v: mse\n  w:\n",
       {},
       "metrics { output: 'v' metric: 'mse' } metrics { output: 'w' }"},
      {"metrics: {v: {options: {t_start: 5*ms}, t_weights: [0, 1.5]}}",
       {},
       "metrics { output: 'v' options { name: 't_start' text: '5*ms' }"
       " t_weights: 0 t_weights: 1.5 }"},
      {"data: {inputs: {I: a.csv}, outputs: {v: {file: b.csv, unit: mV}}}",
       {},
       "data { inputs { name: 'I' file: 'a.csv' }"
       " outputs { name: 'v' file: 'b.csv' unit: 'mV' } }"},
      {"gate: {enabled: yes, timeout_seconds: 1e1}",
       {},
       "gate { enabled: true timeout_seconds: 10 }"},
      {"{\"stop\": {\"rounds\": 0}}", {}, "stop { rounds: 0 }"},
      // --set replaces, makes, and finds elements of lists by name or index.
      {"stop: {rounds: 10}",
       {"stop.rounds=3", "stop.time=60*second"},
       "stop { rounds: 3 time: '60*second' }"},
      {"seed: 1",
       {"parameters.gl.bounds=[1*nS, 2*nS]"},
       "seed: 1 parameters { name: 'gl' bounds: '[1*nS, 2*nS]' }"},
      {"parameters: [{name: a, bounds: x}, {name: b, bounds: y}]",
       {"parameters.b.bounds=z", "parameters.0.bounds=w"},
       "parameters { name: 'a' bounds: 'w' }"
       " parameters { name: 'b' bounds: 'z' }"},
      {"optimizer: {name: de}",
       {"optimizer.options={population: 30}"},
       "optimizer { name: 'de' options { name: 'population' text: '30' } }"},
      {"dt: a", {"dt=b=c"}, "dt: 'b=c'"},
      // A plain name stands for a message that has one.
      {"optimizer: de", {}, "optimizer { name: 'de' }"},
      {"parameters: {g: {prior: log_uniform, bounds: [1, 2]}}",
       {},
       "parameters { name: 'g' bounds: '[1, 2]' prior { name: 'log_uniform' } "
       "}"},
      {"parameters:\n  g: {prior: {name: normal, options: {mean: 10*nS, "
       "sigma: 1*nS}}}\n",
       {},
       "parameters { name: 'g' prior { name: 'normal' options { name: 'mean' "
       "text: '10*nS' } options { name: 'sigma' text: '1*nS' } } }"},
      // Inferences, in all forms.
      {"inference: {features: [{output: v, feature: max, options: {t_start: "
       "5*ms}}], estimator: maf}",
       {},
       "inference { features { output: 'v' feature: 'max' options { name: "
       "'t_start' text: '5*ms' } } estimator { name: 'maf' } }"},
      {"inference:\n  algorithm: npe_c\n  features:\n"
       "    v: [max, {feature: mean, name: rest, options: {t_end: 5*ms}}]\n"
       "    spikes: spike_count\n    w: {feature: std}\n"
       "  estimator: {name: nsf, options: {hidden_features: 20},"
       " embedding: [{kind: conv1d, size: 8, padding: 0}, gru], ensemble: 3}\n"
       "  training: {learning_rate: 1e-3, average_weights: false,"
       " clip_max_norm: 0}\n  observation: [1, 2.5]\n",
       {"inference.training.max_num_epochs=3"},
       "inference { algorithm: 'npe_c' features { output: 'v' feature: 'max' }"
       " features { output: 'v' feature: 'mean' name: 'rest' options { name:"
       " 't_end' text: '5*ms' } } features { output: 'spikes' feature:"
       " 'spike_count' } features { output: 'w' feature: 'std' }"
       " estimator { name: 'nsf' options { name: 'hidden_features' text: '20' }"
       " embedding { kind: 'conv1d' size: 8 padding: 0 } embedding { kind:"
       " 'gru' } ensemble: 3 } training { learning_rate: 1e-3 average_weights:"
       " false clip_max_norm: 0 max_num_epochs: 3 } observation: 1"
       " observation: 2.5 }"},
      {"inference: {estimator: mdn}",
       {"inference.estimator=maf", "inference.features.v=max"},
       "inference { estimator { name: 'maf' } features { output: 'v' feature:"
       " 'max' } }"},
  };
  for (const Good& each : cases) {
    SCOPED_TRACE(each.yaml);
    const absl::StatusOr<v1::FitSpec> spec = Read(each.yaml, each.sets);
    ASSERT_TRUE(spec.ok()) << spec.status();
    v1::FitSpec expected;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(each.expected,
                                                              &expected));
    EXPECT_TRUE(
        google::protobuf::util::MessageDifferencer::Equals(*spec, expected))
        << spec->DebugString();
  }
}

struct Bad {
  std::string yaml;
  std::vector<std::string> sets;
  std::string message;  // a part of it
};

TEST(YamlSpecTest, SaysWhatIsWrongWithLineAndColumn) {
  const std::vector<Bad> cases = {
      {"", {}, "fit.yaml is empty"},
      {"seed: 1\noptimzer: {}\n",
       {},
       "fit.yaml:2:1: unknown key \"optimzer\", did you mean \"optimizer\"? "
       "Known: name, label, model"},
      {"stop: {round: 3}",
       {},
       "fit.yaml:1:8: unknown key \"round\" in \"stop\", did you mean "
       "\"rounds\"?"},
      {"parameters: {gl: {name: x}}",
       {},
       "fit.yaml:1:19: unknown key \"name\" in \"parameters.gl\""},
      {"n_samples: many",
       {},
       "fit.yaml:1:12: \"n_samples\" must be a whole number, not \"many\""},
      {"n_samples: 1.5", {}, "must be a whole number, not \"1.5\""},
      {"seed: -1", {}, "must be a whole number from 0 on, not \"-1\""},
      {"n_samples: 9223372036854775808", {}, "must be a whole number"},
      {"execution: {max_attempts: 2147483648}", {}, "must be a whole number"},
      {"gate: {enabled: maybe}", {}, "must be true or false, not \"maybe\""},
      {"gate: {timeout_seconds: [1]}", {}, "must be a number, not a list"},
      {"dt: {a: b}", {}, "\"dt\" must be a text, not a mapping"},
      {"dt: [[1]]", {}, "\"dt\" must be a text, not a list"},
      {"stop: 3",
       {},
       "\"stop\" must be a mapping with the keys rounds, evaluations, target, "
       "time, not a plain value"},
      {"- a", {}, "a fit must be a mapping"},
      {"a", {}, "a fit must be a mapping"},
      {"inference: maf",
       {},
       "\"inference\" must be a mapping with the keys algorithm, features"},
      {"inference: {features: {v: [max, {feture: mean}]}}",
       {},
       "unknown key \"feture\" in \"inference.features.v.1\", did you mean "
       "\"feature\"?"},
      {"inference: {training: {learning_rate: fast}}",
       {},
       "\"inference.training.learning_rate\" must be a number, not \"fast\""},
      {"parameters: gl", {}, "\"parameters\" must be a mapping of names"},
      {"parameters: [{}, ~]", {}, "an element of \"parameters\" is empty"},
      {"data: {trace_weights: 3}", {}, "must be a list"},
      {"data: {trace_weights: [1, x]}", {}, "must be a number, not \"x\""},
      {"seed: 1\nseed: 2\n",
       {},
       "fit.yaml:2:1: the key \"seed\" is written twice"},
      {"parameters: {gl: a, gl: b}", {}, "is written twice"},
      {"[a]: 1", {}, "a key must be plain text"},
      {"a: &x [1]\nb: *x\n", {}, "fit.yaml:2:4: aliases"},
      {"seed: [1\n", {}, "fit.yaml:2:1: not valid YAML: "},
      {"seed: 1\n---\nseed: 2\n", {}, "more than one YAML document"},
      {std::string(100, '['), {}, "nested more than 32 deep"},
      {std::string(100'000, '['), {}, "nested"},
      {std::string("a\0b", 3), {}, "zero byte"},
      {std::string(kMaxYamlBytes + 1, ' '), {}, "too large"},
      {"seed: 1", {"stop.rounds"}, "--set stop.rounds: expected KEY=VALUE"},
      {"seed: 1", {"=3"}, "expected KEY=VALUE"},
      {"seed: 1", {"stop..rounds=3"}, "expected KEY=VALUE"},
      {"seed: 1",
       {"stop.rounds=x"},
       "--set stop.rounds=x: \"stop.rounds\" must be a whole number"},
      {"seed: 1", {"seed.a=x"}, "\"seed\" is the value \"1\" there"},
      {"parameters: [{name: a}]",
       {"parameters.b.bounds=x"},
       "the list \"parameters\" has no element \"b\""},
      {"seed: 1", {"dt=[1"}, "--set dt=[1: not valid YAML"},
  };
  for (const Bad& each : cases) {
    SCOPED_TRACE(each.yaml.substr(0, 100));
    const absl::StatusOr<v1::FitSpec> spec = Read(each.yaml, each.sets);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument)
        << spec.status();
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(each.message));
  }
}

TEST(YamlSpecTest, ReportsAllMistakesAtOnce) {
  const absl::StatusOr<v1::FitSpec> spec =
      Read("seeed: 1\nn_samples: x\nstop: {rounds: y}\n");
  EXPECT_THAT(
      std::string(spec.status().message()),
      testing::AllOf(HasSubstr("fit.yaml:1:1:"), HasSubstr("\nfit.yaml:2:12:"),
                     HasSubstr("\nfit.yaml:3:16:")));
}

TEST(YamlSpecTest, CapsTheListOfMistakes) {
  std::string yaml;
  for (int i = 0; i < 1000; ++i) yaml += "key" + std::to_string(i) + ": 1\n";
  const std::string message(Read(yaml).status().message());
  EXPECT_LT(message.size(), 20'000u);
  EXPECT_THAT(message, HasSubstr("... and more"));
}

TEST(YamlSpecTest, ReadsTheExample) {
  const absl::StatusOr<v1::FitSpec> spec =
      ReadFitSpec("client/examples/hodgkin_huxley/fit.yaml", {});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->parameters_size(), 3);
  EXPECT_EQ(spec->parameters(0).bounds(), "[2*psiemens, 200*nS]");
  EXPECT_EQ(spec->data().inputs(0).unit(), "amp");
  EXPECT_EQ(spec->stop().rounds(), 10);
}

TEST(YamlSpecTest, ReadsTheExamplesOfInference) {
  for (const char* folder : {"hodgkin_huxley", "integrate_and_fire"}) {
    const absl::StatusOr<v1::FitSpec> spec = ReadFitSpec(
        std::string("client/examples/") + folder + "/inference.yaml",
        {"n_samples=20", "inference.training.max_num_epochs=3"});
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_GE(spec->inference().features_size(), 2);
    EXPECT_EQ(spec->inference().training().max_num_epochs(), 3);
    EXPECT_FALSE(spec->inference().estimator().name().empty());
  }
}

TEST(YamlSpecTest, ReadsTheExampleOfRawTraces) {
  const absl::StatusOr<v1::FitSpec> spec =
      ReadFitSpec("client/examples/hodgkin_huxley/raw_traces.yaml",
                  {"inference.estimator={name: mdn, input_shape: [5, 150], "
                   "embedding: [{kind: conv1d}, fully_connected]}"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->inference().features(0).feature(), "trace");
  EXPECT_EQ(spec->inference().estimator().input_shape(1), 150);
  EXPECT_EQ(spec->inference().estimator().embedding(1).kind(),
            "fully_connected");
}

TEST(YamlSpecTest, ChoosesALabelThatIsAName) {
  EXPECT_EQ(LabelOfFile("a/hodgkin_huxley/fit.yaml"), "hodgkin_huxley");
  EXPECT_EQ(LabelOfFile("/x/Cell 7 (b).yaml"), "cell-7-b");
  EXPECT_EQ(LabelOfFile("/x/007.yaml"), "fit");
  EXPECT_EQ(LabelOfFile("/fit.yaml"), "fit");
  EXPECT_EQ(LabelOfFile("/x/7up.yaml"), "up");
  EXPECT_EQ(LabelOfFile("/x/" + std::string(200, 'a') + ".yaml"),
            std::string(40, 'a'));
}

}  // namespace
}  // namespace somafit
