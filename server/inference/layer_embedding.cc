// Embedding nets that are declared as layers.

#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "server/inference/embedding.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

using Kind = EmbeddingLayer::Kind;
using Shape = std::vector<int64_t>;

constexpr std::array<const char*, 5> kKindNames = {
    "fully connected", "1-d convolution", "2-d convolution", "GRU",
    "permutation invariant"};
constexpr int64_t kMaxSize = 1 << 20;  // of any number in a layer

int64_t Product(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t axis : shape) product *= axis;
  return product;
}

// A layer with the places of its weights and the shape of what comes in, per
// row.
struct Placed {
  EmbeddingLayer declared;
  Shape input;
  std::vector<int> weights;
};

// Looks at one layer after the other, with the shape that reaches it.
class ShapeInference {
 public:
  ShapeInference(ParameterLayout& layout, Shape shape)
      : layout_(layout), shape_(std::move(shape)) {}

  absl::StatusOr<Placed> Add(const EmbeddingLayer& layer, size_t index) {
    index_ = index;
    if (layer.kind > Kind::kPermutationInvariant ||
        layer.activation > EmbeddingLayer::Activation::kNone) {
      return absl::InvalidArgumentError(
          absl::StrCat("embedding layer ", index, " is of an unknown kind"));
    }
    kind_ = kKindNames[static_cast<size_t>(layer.kind)];
    if (layer.kind != Kind::kPermutationInvariant &&
        (layer.size < 1 || layer.size > kMaxSize)) {
      return Refuse(
          absl::StrCat("has size ", layer.size, ", not 1 to ", kMaxSize));
    }
    Placed placed{layer, shape_, {}};
    switch (layer.kind) {
      case Kind::kFullyConnected: {
        const int64_t n_in = Product(shape_);
        placed.weights = {layout_.Add({n_in, layer.size}, FanIn(n_in)),
                          layout_.Add({layer.size}, FanIn(n_in))};
        shape_ = {layer.size};
        break;
      }
      case Kind::kConv1d:
        SOMAFIT_RETURN_IF_ERROR(Convolve(1, placed));
        break;
      case Kind::kConv2d:
        SOMAFIT_RETURN_IF_ERROR(Convolve(2, placed));
        break;
      case Kind::kGru: {
        if (shape_.size() == 1) shape_ = {shape_[0], 1};
        if (shape_.size() != 2) return RefuseShape("[length x channels]");
        placed.input = shape_;
        const int64_t gates = 3 * layer.size;
        for (const int64_t n_in : {shape_[1], layer.size}) {
          placed.weights.push_back(
              layout_.Add({gates, n_in}, FanIn(layer.size)));
        }
        for (int bias = 0; bias < 2; ++bias) {
          placed.weights.push_back(layout_.Add({gates}, FanIn(layer.size)));
        }
        shape_ = {layer.size};
        break;
      }
      case Kind::kPermutationInvariant:
        shape_ = {Product(shape_) + 1};
        break;
    }
    return placed;
  }

  const Shape& shape() const { return shape_; }

 private:
  absl::Status Refuse(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("embedding layer ", index_, " (", kind_, ") ", what));
  }
  absl::Status RefuseShape(const std::string& wanted) const {
    return Refuse(absl::StrCat("takes ", wanted, ", but [",
                               absl::StrJoin(shape_, " x "), "] comes in"));
  }

  // `axes` spatial axes behind one of channels, which may be left out.
  absl::Status Convolve(size_t axes, Placed& placed) {
    const EmbeddingLayer& layer = placed.declared;
    if (shape_.size() == axes) {
      Shape with_channel = {1};
      for (const int64_t axis : shape_) with_channel.push_back(axis);
      shape_ = std::move(with_channel);
    }
    if (shape_.size() != axes + 1) {
      return RefuseShape(axes == 1 ? "[channels x length]"
                                   : "[channels x height x width]");
    }
    placed.input = shape_;
    for (const int64_t number : {layer.kernel, layer.stride, layer.pool}) {
      if (number < 1 || number > kMaxSize) {
        return Refuse("has a kernel, stride or pool out of range");
      }
    }
    if (layer.padding < 0 || 2 * layer.padding > layer.kernel) {
      return Refuse("has a padding above half its kernel, or below 0");
    }
    const int64_t channels = shape_[0];
    Shape weight = {layer.size, channels};
    int64_t fan_in = channels;
    for (size_t axis = 1; axis <= axes; ++axis) {
      const int64_t padded = shape_[axis] + 2 * layer.padding;
      const int64_t length =
          padded < layer.kernel
              ? 0
              : ((padded - layer.kernel) / layer.stride + 1) / layer.pool;
      if (length < 1) {
        return Refuse(
            absl::StrCat("leaves nothing of an axis of length ", shape_[axis]));
      }
      shape_[axis] = length;
      weight.push_back(layer.kernel);
      fan_in *= layer.kernel;
    }
    shape_[0] = layer.size;
    placed.weights = {layout_.Add(weight, FanIn(fan_in)),
                      layout_.Add({layer.size}, FanIn(fan_in))};
    return absl::OkStatus();
  }

  ParameterLayout& layout_;
  Shape shape_;
  size_t index_ = 0;
  const char* kind_ = "";
};

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
  int64_t n_invariant = 0;
  for (const EmbeddingLayer& layer : layers) {
    n_invariant += layer.kind == Kind::kPermutationInvariant ? 1 : 0;
  }
  if (n_invariant > 1) {
    return absl::InvalidArgumentError(
        "an embedding combines its trials more than once");
  }
  Shape shape = x_shape;
  int64_t n_trials = 0;
  if (n_invariant == 1) {
    n_trials = shape[0];
    shape.erase(shape.begin());
    if (shape.empty()) shape = {1};  // a trial is one number
  }
  ShapeInference inference(layout, shape);
  std::vector<Placed> placed;
  for (size_t i = 0; i < layers.size(); ++i) {
    SOMAFIT_ASSIGN_OR_RETURN(Placed layer, inference.Add(layers[i], i));
    placed.push_back(std::move(layer));
    if (Product(inference.shape()) > static_cast<int64_t>(kMaxFeatures)) {
      return absl::InvalidArgumentError(
          absl::StrCat("embedding layer ", i, " puts out [",
                       absl::StrJoin(inference.shape(), " x "), "], more than ",
                       kMaxFeatures, " numbers"));
    }
  }
  return std::make_unique<LayerEmbedding>(std::move(placed), n_trials,
                                          Product(inference.shape()));
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
