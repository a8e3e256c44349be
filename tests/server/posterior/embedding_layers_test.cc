#include "server/posterior/embedding_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Kind = EmbeddingLayer::Kind;

std::string Mistakes(const DensityEstimatorSpec& spec, size_t n_columns) {
  Diagnostics diagnostics;
  const auto declared = ReadEmbedding(spec, n_columns, diagnostics);
  EXPECT_EQ(declared.has_value(), diagnostics.empty());
  return diagnostics.Render();
}

TEST(EmbeddingLayersTest, FillInDefaultsAndInferShapes) {
  DensityEstimatorSpec spec;
  spec.embedding.resize(3);
  spec.embedding[0].kind = "conv1d";
  spec.embedding[0].size = 6;
  spec.embedding[1].kind = "conv1d";
  spec.embedding[1].size = 12;
  spec.embedding[1].activation = "tanh";
  spec.embedding[2].kind = "fully_connected";
  Diagnostics diagnostics;
  const auto declared = ReadEmbedding(spec, 100, diagnostics);
  ASSERT_TRUE(declared) << diagnostics.Render();
  EXPECT_THAT(declared->x_shape, ElementsAre(100));
  const auto& layers = declared->embedding.layers;
  EXPECT_EQ(layers[0].kernel, 5);
  EXPECT_EQ(layers[0].pool, 2);
  EXPECT_EQ(layers[1].activation, EmbeddingLayer::Activation::kTanh);
  EXPECT_EQ(layers[2].size, 50);
  std::vector<LayerMistake> mistakes;
  const EmbeddingShapes shapes = ShapesOf(layers, declared->x_shape, mistakes);
  EXPECT_TRUE(mistakes.empty());
  EXPECT_THAT(shapes.layers[0].input, ElementsAre(1, 100));
  EXPECT_THAT(shapes.layers[0].output, ElementsAre(6, 49));
  EXPECT_THAT(shapes.layers[1].output, ElementsAre(12, 23));
  EXPECT_EQ(shapes.n_outputs, 50);
  EXPECT_EQ(shapes.n_trials, 0);
}

TEST(EmbeddingLayersTest, TakeAxesThatAreDeclared) {
  DensityEstimatorSpec spec;
  spec.input_shape = {4, 12, 10};
  spec.embedding.resize(2);
  spec.embedding[0].kind = "conv2d";
  spec.embedding[1].kind = "permutation_invariant";
  Diagnostics diagnostics;
  const auto declared = ReadEmbedding(spec, 480, diagnostics);
  ASSERT_TRUE(declared) << diagnostics.Render();
  std::vector<LayerMistake> mistakes;
  const EmbeddingShapes shapes =
      ShapesOf(declared->embedding.layers, declared->x_shape, mistakes);
  EXPECT_EQ(shapes.n_trials, 4);
  EXPECT_THAT(shapes.layers[0].output, ElementsAre(50, 5, 4));
  EXPECT_EQ(shapes.n_outputs, 1001);
}

TEST(EmbeddingLayersTest, AllMistakesAreSaidAtOnce) {
  DensityEstimatorSpec spec;
  spec.input_shape = {7, 3};
  spec.embedding.resize(3);
  spec.embedding[0].kind = "conv9d";
  spec.embedding[1].kind = "gru";
  spec.embedding[1].size = -1;
  spec.embedding[2].kind = "fully_connected";
  spec.embedding[2].activation = "sigmoid";
  const std::string words = Mistakes(spec, 20);
  for (const char* part :
       {"estimator.embedding[0].kind", "known are: fully_connected",
        "estimator.embedding[1].size", "estimator.embedding[2].activation",
        "input_shape [7 x 3] has 21 numbers, but x has 20 columns"}) {
    EXPECT_THAT(words, HasSubstr(part));
  }
}

// One that does not fit, and one behind a layer whose output is known again.
TEST(EmbeddingLayersTest, LayersThatDoNotFitAreNamed) {
  DensityEstimatorSpec spec;
  spec.embedding.resize(5);
  spec.embedding[0].kind = "conv2d";
  spec.embedding[1].kind = "conv1d";
  spec.embedding[2].kind = "fully_connected";
  spec.embedding[2].size = 3;
  spec.embedding[3].kind = "conv1d";
  spec.embedding[3].kernel = 9;
  spec.embedding[4].kind = "gru";
  const std::string words = Mistakes(spec, 20);
  EXPECT_THAT(words, HasSubstr("layer 0 (2-d convolution) takes [height x "
                               "width] or [channels x height x width], but "
                               "[20] comes in"));
  EXPECT_THAT(words, HasSubstr("layer 3 (1-d convolution) leaves nothing of an "
                               "axis of length 3"));
  EXPECT_EQ(words.find("layer 1"), std::string::npos);
  EXPECT_EQ(words.find("layer 4"), std::string::npos);
}

TEST(EmbeddingLayersTest, HaveLimits) {
  DensityEstimatorSpec spec;
  spec.input_shape = {1, 1, 1, 1, 1};
  EXPECT_THAT(Mistakes(spec, 1), HasSubstr("input_shape is not 1 to 4 axes"));
  spec.input_shape = {int64_t{1} << 62, int64_t{1} << 62};
  EXPECT_THAT(Mistakes(spec, 1), HasSubstr("input_shape is not 1 to 4 axes"));
  spec.input_shape = {-1};
  EXPECT_THAT(Mistakes(spec, 1), HasSubstr("input_shape is not 1 to 4 axes"));
  spec.input_shape = {5};
  EXPECT_THAT(Mistakes(spec, 5), HasSubstr("no embedding that has use for it"));
  spec = {};
  spec.embedding.resize(101, {.kind = "gru", .activation = "", .combine = ""});
  EXPECT_THAT(Mistakes(spec, 5), HasSubstr("there are 101 layers"));
  spec.embedding.resize(2);
  spec.embedding[0].kind = "fully_connected";
  spec.embedding[0].size = 1 << 20;
  EXPECT_THAT(Mistakes(spec, 1 << 10), HasSubstr("has 1024 x 1048576 weights"));
  for (EmbeddingLayerSpec& layer : spec.embedding) {
    layer = {.kind = "permutation_invariant", .activation = "", .combine = ""};
  }
  EXPECT_THAT(Mistakes(spec, 5),
              HasSubstr("layer 1 combines trials once more"));
  // Without x, words alone are looked at.
  spec.embedding.resize(1);
  spec.embedding[0].kind = "conv2d";
  EXPECT_EQ(Mistakes(spec, 0), "");
}

}  // namespace
}  // namespace somafit
