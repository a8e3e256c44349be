#include "server/trainer/problem.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::HasSubstr;

v1::InferenceProblem Good(const std::string& net = "") {
  return LinearLab("", net).problem();
}

void ExpectMistake(const v1::InferenceProblem& message,
                   const std::string& what) {
  const absl::Status status = ReadProblem(message).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(Problem, HasTheDocumentedDefaults) {
  v1::InferenceProblem message = Good();
  message.clear_training();
  const auto problem = ReadProblem(message);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->algorithm, Algorithm::kTruncatedNpe);
  ASSERT_EQ(problem->specs.size(), 1u);
  EXPECT_EQ(problem->specs[0].net, "maf");
  EXPECT_EQ(problem->specs[0].n_parameters(), 2u);
  EXPECT_EQ(problem->specs[0].n_features(), 2u);
  EXPECT_EQ(problem->ensemble, 1);
  EXPECT_EQ(problem->training.training_batch_size, 200);
  EXPECT_EQ(problem->training.learning_rate, 5e-4);
  EXPECT_EQ(problem->training.stop_after_epochs, 20);
  EXPECT_EQ(problem->training.clip_max_norm, 5);
  EXPECT_TRUE(problem->training.average_weights);
  EXPECT_EQ(problem->num_atoms, 10);
  EXPECT_EQ(problem->truncation, 1e-4);
}

TEST(Problem, ReadsLayersOptionsAndSwitches) {
  v1::InferenceProblem message = Good("auto");
  v1::EmbeddingLayerSpec* layer = message.mutable_estimator()->add_embedding();
  layer->set_kind("fully_connected");
  layer = message.mutable_estimator()->add_embedding();
  layer->set_kind("fully_connected");
  layer->set_size(7);
  layer->set_activation("tanh");
  // One that all of them know, and one that mdn alone does.
  for (const char* name : {"hidden_features", "num_components"}) {
    v1::NamedText* option = message.mutable_estimator()->add_options();
    option->set_name(name);
    option->set_text("12");
  }
  message.mutable_training()->set_clip_max_norm(0);
  message.mutable_training()->set_average_weights(false);
  const auto problem = ReadProblem(message);
  ASSERT_TRUE(problem.ok()) << problem.status();
  ASSERT_EQ(problem->specs.size(), 3u);
  for (const EstimatorSpec& spec : problem->specs) {
    EXPECT_EQ(spec.options.at("hidden_features"), 12);
    ASSERT_EQ(spec.embedding.layers.size(), 2u);
    EXPECT_EQ(spec.embedding.layers[0].size, 50);
    EXPECT_EQ(spec.embedding.layers[1].size, 7);
  }
  EXPECT_EQ(problem->specs[2].options.at("num_components"), 12);
  EXPECT_FALSE(problem->training.clip_max_norm.has_value());
  EXPECT_FALSE(problem->training.average_weights);
}

TEST(Problem, AllMistakesComeAtOnce) {
  v1::InferenceProblem message = Good("mfa");
  message.set_algorithm("snpe");
  message.mutable_observation()->Set(1, std::nan(""));
  message.mutable_priors(0)->set_kind("triangular");
  message.mutable_training()->set_invalid("never");
  message.mutable_training()->set_truncation(0.7);
  message.mutable_training()->set_calibration_kernel("cosine");
  message.mutable_training()->set_validation_fraction(1.5);
  message.mutable_training()->set_device("tpu");
  message.mutable_estimator()->set_ensemble(99);
  for (const char* what :
       {"mfa", "snpe", "`v_max` is nan", "triangular", "never", "truncation",
        "cosine", "validation_fraction", "tpu", "ensemble"}) {
    ExpectMistake(message, what);
  }
}

TEST(Problem, ShapesAreChecked) {
  v1::InferenceProblem message = Good();
  message.add_observation(1);
  ExpectMistake(message, "3 numbers for 2 features");
  message = Good();
  message.clear_priors();
  ExpectMistake(message, "0 parameters to infer");
  message = Good();
  message.mutable_priors(1)->add_option("more");
  ExpectMistake(message, "3 options and 2 values");
  message = Good();
  message.mutable_priors(1)->set_parameter("g");
  ExpectMistake(message, "g");
  message = Good();
  message.clear_features();
  message.clear_observation();
  ExpectMistake(message, "features");
}

// x is 12 steps of v, in place of the lab's features.
v1::InferenceProblem Raw() {
  v1::InferenceProblem message = Good("auto");
  message.clear_features();
  message.clear_observation();
  v1::TraceColumns* const columns = message.add_trace_columns();
  columns->set_name("v");
  columns->set_every(1);
  columns->set_count(12);
  for (int i = 0; i < 12; ++i) message.add_observation(i);
  return message;
}

TEST(Problem, RawTracesGetAnEmbedding) {
  v1::InferenceProblem message = Raw();
  auto problem = ReadProblem(message);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->e(), 12u);
  EXPECT_EQ(problem->columns.NameOf(11), "v[0][11]");
  for (const EstimatorSpec& spec : problem->specs) {
    EXPECT_EQ(spec.embedding, DefaultTraceEmbedding());
    EXPECT_EQ(spec.z_score_x, ZScore::kStructured);
  }
  ASSERT_EQ(problem->messages.size(), 1u);
  EXPECT_THAT(problem->messages[0], HasSubstr("two fully connected layers"));
  // What is declared is left alone.
  message.mutable_estimator()->add_input_shape(3);
  message.mutable_estimator()->add_input_shape(4);
  message.mutable_estimator()->add_embedding()->set_kind(
      "permutation_invariant");
  v1::NamedText* const option = message.mutable_estimator()->add_options();
  option->set_name("z_score_x");
  option->set_text("independent");
  problem = ReadProblem(message);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_TRUE(problem->messages.empty());
  EXPECT_EQ(problem->specs[0].embedding.layers.size(), 1u);
  EXPECT_EQ(problem->specs[0].z_score_x, ZScore::kIndependent);
  EXPECT_EQ(problem->specs[0].x_shape, (std::vector<int64_t>{3, 4}));
}

TEST(Problem, RawTracesAreChecked) {
  v1::InferenceProblem message = Raw();
  message.mutable_trace_columns(0)->set_count(0);
  ExpectMistake(message, "no columns");
  message = Raw();
  message.mutable_trace_columns(0)->set_count(200'001);
  ExpectMistake(message, "more than 200000");
  message = Raw();
  message.mutable_trace_columns(0)->set_first_step(-1);
  ExpectMistake(message, "a number -1");
  message = Raw();
  message.add_features("v_max");
  ExpectMistake(message, "give one of them");
  message = Raw();
  message.mutable_observation()->Set(3, std::nan(""));
  ExpectMistake(message, "`v[0][3]` is nan");
  message = Raw();
  message.mutable_estimator()->add_embedding()->set_kind("conv2d");
  ExpectMistake(message, "layer 0 (2-d convolution) takes");
}

TEST(Problem, UnknownOptionsAreNamed) {
  for (const char* net : {"maf", "auto"}) {
    v1::InferenceProblem message = Good(net);
    v1::NamedText* option = message.mutable_estimator()->add_options();
    option->set_name("hidden");
    option->set_text("3");
    ExpectMistake(message, "hidden");
  }
  v1::InferenceProblem message = Good();
  message.mutable_estimator()->add_embedding()->set_kind("resnet");
  ExpectMistake(message, "kind cannot be `resnet`");
}

TEST(Problem, NpeANeedsMixturesAndSimplePriors) {
  v1::InferenceProblem message = Good("maf");
  message.set_algorithm("npe_a");
  ExpectMistake(message, "needs the estimator mdn");
  message = Good("mdn");
  message.set_algorithm("npe_a");
  EXPECT_TRUE(ReadProblem(message).ok());
  message.mutable_training()->set_retrain_from_scratch(true);
  message.mutable_estimator()->set_ensemble(2);
  message.mutable_priors(0)->set_kind("log_uniform");
  ExpectMistake(message, "retrain_from_scratch");
  ExpectMistake(message, "ensemble");
  ExpectMistake(message, "uniform or normal");
}

TEST(Problem, AMissingGpuIsNoMistake) {
  v1::InferenceProblem message = Good();
  message.mutable_training()->set_device("cuda:63");
  const auto problem = ReadProblem(message);
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->training.device, "cpu");
  ASSERT_EQ(problem->messages.size(), 1u);
  EXPECT_THAT(problem->messages[0], HasSubstr("trained on the CPU"));
}

TEST(Problem, SeedsDiffer) {
  const Problem one = *ReadProblem(Good());
  Problem other = one;
  other.stage = 1;
  EXPECT_EQ(SeedOf(one, Purpose::kTraining, 3, 1),
            SeedOf(one, Purpose::kTraining, 3, 1));
  EXPECT_NE(SeedOf(one, Purpose::kTraining, 3, 1),
            SeedOf(other, Purpose::kTraining, 3, 1));
  EXPECT_NE(SeedOf(one, Purpose::kTraining, 3, 1),
            SeedOf(one, Purpose::kTraining, 1, 3));
  EXPECT_NE(SeedOf(one, Purpose::kTraining, 3),
            SeedOf(one, Purpose::kDraws, 3));
}

}  // namespace
}  // namespace somafit
