#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "server/posterior/estimator_spec.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/diagnostic.h"

namespace somafit {

// Embedding nets that are declared as layers, as far as is known without their
// weights: words, sizes, and the shapes that go from layer to layer.

// Of a row, or where an embedding has trials of one: what comes into a layer,
// with axes that may be left out filled in, and what it puts out.
struct LayerShape {
  std::vector<int64_t> input, output;
};
struct EmbeddingShapes {
  std::vector<LayerShape> layers;
  int64_t n_trials = 0;  // 0: there are none
  int64_t n_outputs = 0;
};
// A layer that does not take what comes in, or puts out too much.
struct LayerMistake {
  size_t layer = 0;
  std::string text;  // "layer 2 (1-d convolution) takes ..."
};
// Shapes from x, of 1 to 4 axes, on. `mistakes` gets all that can be told: what
// follows a mistake is looked at again from the next layer on whose output does
// not depend on its input. Without mistakes there is a shape a layer.
EmbeddingShapes ShapesOf(const std::vector<EmbeddingLayer>& layers,
                         const std::vector<int64_t>& x_shape,
                         std::vector<LayerMistake>& mistakes);

// How x enters an estimator.
struct DeclaredEmbedding {
  std::vector<int64_t> x_shape;
  EmbeddingSpec embedding;  // no layers: none are declared
  // SHA-256 of the TorchScript module in their place, whose bytes are the
  // caller's to fetch; "": there is none.
  std::string script;
};
// Reads what a user declared for x of `n_columns`, 0: not known. nullopt
// exactly where `diagnostics` got errors, under "estimator.input_shape" and
// "estimator.embedding[<layer>].<field>" and "estimator.torch_script".
std::optional<DeclaredEmbedding> ReadEmbedding(
    const DensityEstimatorSpec& given, size_t n_columns,
    Diagnostics& diagnostics);

// The estimator's option "torch_script" as it is given; "": it is not.
std::string ScriptOf(const DensityEstimatorSpec& given);

}  // namespace somafit
