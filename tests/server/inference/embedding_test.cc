#include "server/inference/embedding.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "server/inference/estimator_file.h"
#include "server/inference/training.h"
#include "tests/server/inference/script_module.h"

namespace somafit {
namespace {

using Kind = EmbeddingLayer::Kind;
using Shape = std::vector<int64_t>;

at::Tensor Numbers(Shape shape, uint32_t which) {
  at::Tensor tensor = at::empty(shape, at::kDouble);
  RandomStream random(4, StreamPurpose::kExample, 0, which);
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = random.Normal();
  }
  return tensor;
}

struct DoubleEmbedding {
  DoubleEmbedding(const std::vector<EmbeddingLayer>& layers,
                  const Shape& shape) {
    auto made = MakeLayerEmbedding(layers, shape, layout);
    EXPECT_TRUE(made.ok()) << made.status();
    if (!made.ok()) std::abort();
    embedding = *std::move(made);
    flat = layout.Initial(1).to(at::kDouble);
  }
  at::Tensor operator()(const at::Tensor& x) const {
    return embedding->Forward(Weights(layout, flat), x);
  }
  ParameterLayout layout;
  std::unique_ptr<Embedding> embedding;
  at::Tensor flat;
};

// One of each kind of layer, with the shape of what it takes.
struct Case {
  std::vector<EmbeddingLayer> layers;
  Shape shape;
  int64_t n_outputs;
};
std::vector<Case> Cases() {
  return {
      {DefaultTraceEmbedding().layers, {30}, 20},
      {{{.kind = Kind::kConv1d, .size = 6},
        {.kind = Kind::kConv1d, .size = 12},
        {.size = 50},
        {.size = 20}},
       {40},
       20},
      {{{.kind = Kind::kConv1d, .size = 3, .stride = 2, .pool = 1}},
       {2, 20},
       27},
      {{{.kind = Kind::kConv2d, .size = 4, .kernel = 3}, {.size = 5}},
       {8, 10},
       5},
      {{{.kind = Kind::kGru, .size = 7}}, {12}, 7},
      {{{.kind = Kind::kGru, .size = 7}, {.size = 3}}, {12, 2}, 3},
      {{{.size = 6}, {.kind = Kind::kPermutationInvariant}, {.size = 4}},
       {3, 5},
       4},
      {{{.size = 6}, {.kind = Kind::kPermutationInvariant, .sum = true}},
       {3},
       7},
  };
}

TEST(EmbeddingTest, HasTheDeclaredWidthAndGradientsOfDifferences) {
  for (const Case& own : Cases()) {
    const DoubleEmbedding embedding(own.layers, own.shape);
    EXPECT_EQ(embedding.embedding->n_outputs(), own.n_outputs);
    int64_t n_features = 1;
    for (const int64_t axis : own.shape) n_features *= axis;
    const at::Tensor x = Numbers({9, n_features}, 1);
    const at::Tensor mix = Numbers({9, own.n_outputs}, 2);
    EXPECT_EQ(embedding(x).sizes(), mix.sizes());
    const at::Tensor gradient = at::zeros_like(embedding.flat);
    const auto loss = [&](const Weights& w) {
      return (embedding.embedding->Forward(w, x) * mix).sum();
    };
    loss(Weights(embedding.layout, embedding.flat, gradient)).backward();
    for (uint32_t k = 0; k < 3; ++k) {
      const at::Tensor direction =
          1e-6 * Numbers({embedding.flat.numel()}, 10 + k);
      const double difference =
          (loss(Weights(embedding.layout, embedding.flat + direction)) -
           loss(Weights(embedding.layout, embedding.flat - direction)))
              .item<double>();
      EXPECT_NEAR(2 * gradient.dot(direction).item<double>() / difference, 1,
                  2e-3);
    }
  }
}

TEST(EmbeddingTest, NamesTheLayerThatDoesNotFit) {
  const auto message = [](const std::vector<EmbeddingLayer>& layers,
                          const Shape& shape) {
    ParameterLayout layout;
    const auto made = MakeLayerEmbedding(layers, shape, layout);
    EXPECT_TRUE(absl::IsInvalidArgument(made.status()));
    return std::string(made.status().message());
  };
  EXPECT_NE(message({{.size = 5}, {.size = 0}}, {10})
                .find("layer 1 (fully connected)"),
            std::string::npos);
  // 40 -> 19 -> 8 -> 3 -> nothing.
  const EmbeddingLayer convolution{.kind = Kind::kConv1d, .size = 2};
  EXPECT_NE(message(std::vector<EmbeddingLayer>(5, convolution), {40})
                .find("layer 3 (1-d convolution)"),
            std::string::npos);
  EXPECT_NE(message({{.kind = Kind::kConv2d, .size = 2}}, {40})
                .find("takes [height x width] or [channels x height x width]"),
            std::string::npos);
  message({{.kind = Kind::kGru, .size = 2}}, {4, 4, 4});
  message({{.kind = static_cast<Kind>(9), .size = 2}}, {4});
  message({{.kind = Kind::kConv1d, .size = 2, .stride = 0}}, {40});
  message({{.kind = Kind::kConv1d, .size = 2, .padding = -1}}, {40});
  message({{.kind = Kind::kPermutationInvariant},
           {.kind = Kind::kPermutationInvariant}},
          {4, 4});
  message(std::vector<EmbeddingLayer>(101, {.size = 2}), {4});
}

TEST(EmbeddingTest, HeedsNeitherTheOrderOfTrialsNorMissingOnes) {
  const DoubleEmbedding embedding(
      {{.size = 6}, {.kind = Kind::kPermutationInvariant}, {.size = 4}},
      {4, 3});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  at::Tensor x = Numbers({1, 4, 3}, 1);
  x.select(1, 2).fill_(nan);
  const at::Tensor order = at::tensor({2, 3, 0, 1}, at::kLong);
  const at::Tensor one = embedding(x.view({1, 12}));
  const at::Tensor other = embedding(x.index_select(1, order).reshape({1, 12}));
  EXPECT_LT((one - other).abs().max().item<double>(), 1e-12);
  EXPECT_TRUE(one.isfinite().all().item<bool>());
}

// theta ~ N(0, 1), x = four trials of theta + noise, some missing.
TEST(EmbeddingTest, IsTrainedWithItsEstimator) {
  constexpr size_t kRows = 2000, kTrials = 4;
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  std::vector<double> theta, x;
  for (size_t i = 0; i < kRows; ++i) {
    theta.push_back(random.Normal());
    const uint64_t n_present = 1 + random.Below(kTrials);
    for (size_t t = 0; t < kTrials; ++t) {
      const double value = theta.back() + random.Normal();
      x.push_back(t < n_present ? 1e-9 * value
                                : std::numeric_limits<double>::quiet_NaN());
    }
  }
  EstimatorSpec spec = DefaultEstimatorSpec("mdn");
  spec.options["num_components"] = 2;
  const double inf = std::numeric_limits<double>::infinity();
  spec.support = {{-inf, inf}};
  spec.x_shape = {kTrials};
  spec.embedding.layers = {
      {.size = 20}, {.kind = Kind::kPermutationInvariant}, {.size = 20}};
  const auto result = Train(spec, {}, {theta, x, {}, {}, {}});
  ASSERT_TRUE(result.ok()) << result.status();
  // Of one trial and of four: the posterior of the mean.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [data, n] :
       {std::pair(std::vector<double>{1e-9, nan, nan, nan}, 1.0),
        std::pair(std::vector<double>{nan, 1e-9, nan, nan}, 1.0),
        std::pair(std::vector<double>{1e-9, 1e-9, 1e-9, 1e-9}, 4.0)}) {
    std::vector<double> draws(10'000), log_density(10'000);
    result->estimator->Sample(data, {1, 1}, 0, draws, log_density);
    double mean = 0, squares = 0;
    for (const double draw : draws) {
      mean += draw / 10'000;
      squares += draw * draw / 10'000;
    }
    EXPECT_NEAR(mean, n / (1 + n), 0.15);
    EXPECT_NEAR(squares - mean * mean, 1 / (1 + n), 0.15);
  }
  std::vector<double> log_density(1);
  result->estimator->LogDensity(std::vector<double>{0.0},
                                std::vector<double>(kTrials, nan), log_density);
  EXPECT_TRUE(std::isnan(log_density[0]));
  const std::string bytes = EncodeEstimator(*result->estimator);
  const auto back = DecodeEstimator(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(EncodeEstimator(**back), bytes);
}

class ScriptTest : public testing::Test {
 protected:
  static EstimatorSpec Spec(std::string script, Shape shape = {6}) {
    EstimatorSpec spec = DefaultEstimatorSpec("mdn");
    const double inf = std::numeric_limits<double>::infinity();
    spec.support = {{-inf, inf}};
    spec.x_shape = std::move(shape);
    spec.embedding.torch_script = std::move(script);
    return spec;
  }
};

TEST_F(ScriptTest, IsTrainedAndKept) {
  const EstimatorSpec spec = Spec(LinearModule(6, 3));
  RandomStream random(1, StreamPurpose::kExample, 0, 0);
  std::vector<double> theta, x;
  for (int i = 0; i < 1000; ++i) {
    theta.push_back(random.Normal());
    for (int c = 0; c < 6; ++c) {
      x.push_back(c == 4 ? theta.back() + 0.3 * random.Normal()
                         : random.Normal());
    }
  }
  const TrainingData data{theta, x, {}, {}, {}};
  std::string checkpoint;
  const TrainingOptions options{.learning_rate = 5e-3, .max_num_epochs = 30};
  const auto result =
      Train(spec, options, data, {}, {}, [&](const EpochReport& report) {
        if (report.epoch == 10) checkpoint = report.checkpoint();
        return true;
      });
  ASSERT_TRUE(result.ok()) << result.status();
  // Its weights started at 0: nothing passes through but what was learned.
  EXPECT_LT(result->summary.best_validation_loss, 0.9);  // of N(0, 1): 1.42
  const std::string bytes = EncodeEstimator(*result->estimator);
  EXPECT_TRUE(absl::IsPermissionDenied(DecodeEstimator(bytes).status()));
  const auto back = DecodeEstimator(bytes, "cpu", Scripts::kAllowed);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(EncodeEstimator(**back), bytes);
  std::vector<double> one(1), other(1);
  const std::vector<double> point = {0.3}, at = {1, 2, 3, 4, 5, 6};
  result->estimator->LogDensity(point, at, one);
  (*back)->LogDensity(point, at, other);
  EXPECT_EQ(one, other);
  TrainingStart start;
  start.checkpoint = checkpoint;
  TrainingOptions again = options;
  again.resume_training = true;
  const auto resumed = Train(spec, again, data, {}, start);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(EncodeEstimator(*resumed->estimator), bytes);
}

TEST_F(ScriptTest, RefusesModulesThatDoNotFit) {
  const auto message = [](const EstimatorSpec& spec) {
    const std::vector<double> theta = {0, 1, 2, 3}, x(24, 1.0);
    const auto result = Train(spec, {}, {theta, x, {}, {}, {}});
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
    EXPECT_NE(result.status().message().find("TorchScript"), std::string::npos);
    return std::string(result.status().message());
  };
  message(Spec("these are no bytes of a module"));
  const std::string good = LinearModule(6, 3);
  for (size_t size = 1; size < good.size(); size += good.size() / 10) {
    message(Spec(good.substr(0, size)));
  }
  message(Spec(LinearModule(5, 3)));            // takes 5 numbers
  message(Spec(LinearModule(6, 3), {2, 3}));    // is given a matrix
  message(Spec(ScriptedModule("x.sum()")));     // no row is left
  message(Spec(ScriptedModule("x.t()")));       // rows are columns
  message(Spec(ScriptedModule("(x, x)")));      // no tensor
  message(Spec(ScriptedModule("x.double()")));  // no float32
  message(Spec(ScriptedModule("x / x")));       // no numbers
  EXPECT_NE(message(Spec(ScriptedModule("x @ x.t()"))).find("number of rows"),
            std::string::npos);
  EstimatorSpec both = Spec(good);
  both.embedding.layers = {{.size = 3}};
  message(both);
}

}  // namespace
}  // namespace somafit
