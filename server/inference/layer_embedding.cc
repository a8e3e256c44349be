// Embedding nets that are declared as layers.

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/inference/embedding.h"
#include "server/posterior/embedding_layers.h"

namespace somafit {
namespace {

using Kind = EmbeddingLayer::Kind;
using Shape = std::vector<int64_t>;

// A layer with the places of its weights and the shape of what comes in, per
// row.
struct Placed {
  EmbeddingLayer declared;
  Shape input;
  std::vector<int> weights;
};

// Adds the layer's weights to the layout.
Placed Place(const EmbeddingLayer& layer, const LayerShape& shape,
             ParameterLayout& layout) {
  Placed placed{layer, shape.input, {}};
  switch (layer.kind) {
    case Kind::kFullyConnected: {
      int64_t n_in = 1;
      for (const int64_t axis : shape.input) n_in *= axis;
      placed.weights = {layout.Add({n_in, layer.size}, FanIn(n_in)),
                        layout.Add({layer.size}, FanIn(n_in))};
      break;
    }
    case Kind::kConv1d:
    case Kind::kConv2d: {
      Shape weight = {layer.size, shape.input[0]};
      int64_t fan_in = shape.input[0];
      for (size_t axis = 1; axis < shape.input.size(); ++axis) {
        weight.push_back(layer.kernel);
        fan_in *= layer.kernel;
      }
      placed.weights = {layout.Add(weight, FanIn(fan_in)),
                        layout.Add({layer.size}, FanIn(fan_in))};
      break;
    }
    case Kind::kGru: {
      const int64_t gates = 3 * layer.size;
      for (const int64_t n_in : {shape.input[1], layer.size}) {
        placed.weights.push_back(layout.Add({gates, n_in}, FanIn(layer.size)));
      }
      for (int bias = 0; bias < 2; ++bias) {
        placed.weights.push_back(layout.Add({gates}, FanIn(layer.size)));
      }
      break;
    }
    case Kind::kPermutationInvariant:
      break;
  }
  return placed;
}

at::Tensor Activate(const at::Tensor& x,
                    EmbeddingLayer::Activation activation) {
  switch (activation) {
    case EmbeddingLayer::Activation::kRelu:
      return x.relu();
    case EmbeddingLayer::Activation::kTanh:
      return x.tanh();
    case EmbeddingLayer::Activation::kNone:
      break;
  }
  return x;
}

class LayerEmbedding final : public Embedding {
 public:
  LayerEmbedding(std::vector<Placed> layers, int64_t n_trials,
                 int64_t n_outputs)
      : layers_(std::move(layers)),
        n_trials_(n_trials),
        n_outputs_(n_outputs) {}

  int64_t n_outputs() const override { return n_outputs_; }
  int64_t n_trials() const override { return n_trials_; }

  at::Tensor Forward(const Weights& w, const at::Tensor& x) const override {
    at::Tensor value = x;
    at::Tensor present;  // [n x trials], 1 or 0
    if (n_trials_ > 0) {
      value = x.reshape({x.size(0) * n_trials_, -1});
      const at::Tensor missing = value.narrow(1, 0, 1).isnan();
      present = missing.logical_not().to(x.dtype()).view({-1, n_trials_});
      value = value.masked_fill(missing, 0);
    }
    for (const Placed& layer : layers_) value = Apply(w, layer, value, present);
    return value.reshape({x.size(0), n_outputs_});
  }

 private:
  at::Tensor Apply(const Weights& w, const Placed& layer, const at::Tensor& in,
                   const at::Tensor& present) const {
    const EmbeddingLayer& declared = layer.declared;
    const std::vector<int>& tensors = layer.weights;
    Shape shape = layer.input;
    shape.insert(shape.begin(), in.size(0));
    switch (declared.kind) {
      case Kind::kFullyConnected:
        return Activate(at::addmm(w[tensors[1]], in.reshape({in.size(0), -1}),
                                  w[tensors[0]]),
                        declared.activation);
      case Kind::kConv1d: {
        const at::Tensor out =
            Activate(at::conv1d(in.reshape(shape), w[tensors[0]], w[tensors[1]],
                                declared.stride, declared.padding),
                     declared.activation);
        return declared.pool > 1 ? at::max_pool1d(out, declared.pool) : out;
      }
      case Kind::kConv2d: {
        const at::Tensor out =
            Activate(at::conv2d(in.reshape(shape), w[tensors[0]], w[tensors[1]],
                                declared.stride, declared.padding),
                     declared.activation);
        return declared.pool > 1 ? at::max_pool2d(out, declared.pool) : out;
      }
      case Kind::kGru: {
        const at::Tensor start =
            at::zeros({1, in.size(0), declared.size}, in.options());
        return std::get<1>(at::gru(in.reshape(shape), start,
                                   {w[tensors[0]], w[tensors[1]], w[tensors[2]],
                                    w[tensors[3]]},
                                   /*has_biases=*/true, /*num_layers=*/1,
                                   /*dropout=*/0, /*train=*/false,
                                   /*bidirectional=*/false,
                                   /*batch_first=*/true))
            .squeeze(0);
      }
      case Kind::kPermutationInvariant: {
        const at::Tensor trials =
            in.reshape({in.size(0) / n_trials_, n_trials_, -1});
        const at::Tensor count = present.sum(1, /*keepdim=*/true);
        at::Tensor combined = (trials * present.unsqueeze(2)).sum(1);
        if (!declared.sum) combined = combined / count.clamp_min(1);
        return at::cat({combined, count / n_trials_}, 1);
      }
    }
    return in;
  }

  const std::vector<Placed> layers_;
  const int64_t n_trials_, n_outputs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Embedding>> MakeLayerEmbedding(
    const std::vector<EmbeddingLayer>& layers, const Shape& x_shape,
    ParameterLayout& layout) {
  if (layers.size() > kMaxEmbeddingLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("an embedding has ", layers.size(), " layers, more than ",
                     kMaxEmbeddingLayers));
  }
  std::vector<LayerMistake> mistakes;
  const EmbeddingShapes shapes = ShapesOf(layers, x_shape, mistakes);
  if (!mistakes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "embedding ",
        absl::StrJoin(mistakes, "; ",
                      [](std::string* out, const LayerMistake& mistake) {
                        *out += mistake.text;
                      })));
  }
  std::vector<Placed> placed;
  for (size_t i = 0; i < layers.size(); ++i) {
    placed.push_back(Place(layers[i], shapes.layers[i], layout));
  }
  return std::make_unique<LayerEmbedding>(std::move(placed), shapes.n_trials,
                                          shapes.n_outputs);
}

absl::StatusOr<std::unique_ptr<Embedding>> MakeEmbedding(
    const EstimatorSpec& spec, const at::Device& device,
    ParameterLayout& layout) {
  const EmbeddingSpec& embedding = spec.embedding;
  if (!embedding.torch_script.empty()) {
    if (!embedding.layers.empty()) {
      return absl::InvalidArgumentError(
          "an embedding is given both as layers and as TorchScript");
    }
    return MakeScriptEmbedding(embedding.torch_script, spec.x_shape, device,
                               layout);
  }
  if (embedding.layers.empty()) return nullptr;
  return MakeLayerEmbedding(embedding.layers, spec.x_shape, layout);
}

}  // namespace somafit
