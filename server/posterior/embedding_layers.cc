#include "server/posterior/embedding_layers.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/lang/source.h"

namespace somafit {
namespace {

using Kind = EmbeddingLayer::Kind;
using Activation = EmbeddingLayer::Activation;
using Shape = std::vector<int64_t>;

constexpr std::array<const char*, 5> kKindNames = {
    "fully connected", "1-d convolution", "2-d convolution", "GRU",
    "permutation invariant"};
constexpr int64_t kMaxSize = 1 << 20;              // of any number in a layer
constexpr int64_t kMaxWeights = int64_t{1} << 28;  // of a layer

int64_t Product(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t axis : shape) product *= axis;
  return product;
}

std::string ShapeText(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, " x "), "]");
}

// Looks at one layer after the other, with the shape that reaches it.
class ShapeInference {
 public:
  ShapeInference(Shape shape, std::vector<LayerMistake>& mistakes)
      : shape_(std::move(shape)), mistakes_(mistakes) {}

  LayerShape Add(const EmbeddingLayer& layer, size_t index) {
    index_ = index;
    kind_ = kKindNames[static_cast<size_t>(layer.kind)];
    LayerShape own{*shape_, {}};
    switch (layer.kind) {
      case Kind::kFullyConnected:
        CountWeights(Product(*shape_), layer.size);
        own.output = {layer.size};
        break;
      case Kind::kConv1d:
        if (!Convolve(layer, 1, own)) return Unknown();
        break;
      case Kind::kConv2d:
        if (!Convolve(layer, 2, own)) return Unknown();
        break;
      case Kind::kGru:
        if (own.input.size() == 1) own.input = {own.input[0], 1};
        if (own.input.size() != 2) {
          RefuseShape("[length x channels]");
          return Unknown();
        }
        CountWeights(3 * layer.size, own.input[1] + layer.size);
        own.output = {layer.size};
        break;
      case Kind::kPermutationInvariant:
        own.output = {Product(*shape_) + 1};
        break;
    }
    const int64_t n = Product(own.output);
    if (n > static_cast<int64_t>(kMaxFeatures)) {
      Refuse(absl::StrCat("puts out ", ShapeText(own.output), ", more than ",
                          kMaxFeatures, " numbers"));
      return Unknown();
    }
    shape_ = own.output;
    return own;
  }

  // Behind a mistake: what comes out of it whatever comes in.
  void Resume(const EmbeddingLayer& layer) {
    if (layer.kind == Kind::kFullyConnected || layer.kind == Kind::kGru) {
      shape_ = Shape{layer.size};
    }
  }

  const std::optional<Shape>& shape() const { return shape_; }

 private:
  void Refuse(const std::string& what) {
    mistakes_.push_back(
        {index_, absl::StrCat("layer ", index_, " (", kind_, ") ", what)});
  }
  void RefuseShape(const std::string& wanted) {
    Refuse(absl::StrCat("takes ", wanted, ", but ", ShapeText(*shape_),
                        " comes in"));
  }
  LayerShape Unknown() {
    shape_.reset();
    return {};
  }
  // Sizes are at most 2^24 each.
  void CountWeights(int64_t rows, int64_t columns) {
    if (rows * columns <= kMaxWeights) return;
    Refuse(absl::StrCat("has ", rows, " x ", columns, " weights, more than ",
                        kMaxWeights));
  }

  // `axes` spatial axes behind one of channels, which may be left out.
  bool Convolve(const EmbeddingLayer& layer, size_t axes, LayerShape& own) {
    if (own.input.size() == axes) own.input.insert(own.input.begin(), 1);
    if (own.input.size() != axes + 1) {
      RefuseShape(axes == 1 ? "[length] or [channels x length]"
                            : "[height x width] or [channels x height x "
                              "width]");
      return false;
    }
    own.output = {layer.size};
    int64_t fan_in = own.input[0];
    for (size_t axis = 1; axis <= axes; ++axis) {
      const int64_t padded = own.input[axis] + 2 * layer.padding;
      const int64_t length =
          padded < layer.kernel
              ? 0
              : ((padded - layer.kernel) / layer.stride + 1) / layer.pool;
      if (length < 1) {
        Refuse(absl::StrCat("leaves nothing of an axis of length ",
                            own.input[axis]));
        return false;
      }
      own.output.push_back(length);
      fan_in = std::min(fan_in * layer.kernel, kMaxWeights + 1);
    }
    CountWeights(layer.size, fan_in);
    return true;
  }

  std::optional<Shape> shape_;  // nullopt: not known, behind a mistake
  std::vector<LayerMistake>& mistakes_;
  size_t index_ = 0;
  const char* kind_ = "";
};

// What is wrong with a layer's own numbers; "" if nothing is.
std::string NumberMistake(const EmbeddingLayer& layer) {
  if (layer.kind > Kind::kPermutationInvariant ||
      layer.activation > Activation::kNone) {
    return "is of an unknown kind";
  }
  if (layer.kind == Kind::kPermutationInvariant) return "";
  if (layer.size < 1 || layer.size > kMaxSize) {
    return absl::StrCat("has size ", layer.size, ", not 1 to ", kMaxSize);
  }
  if (layer.kind != Kind::kConv1d && layer.kind != Kind::kConv2d) return "";
  for (const int64_t number : {layer.kernel, layer.stride, layer.pool}) {
    if (number < 1 || number > kMaxSize) {
      return "has a kernel, stride or pool out of range";
    }
  }
  if (layer.padding < 0 || 2 * layer.padding > layer.kernel) {
    return "has a padding above half its kernel, or below 0";
  }
  return "";
}

template <typename T>
struct Word {
  const char* name;
  T value;
};

// Fields of one layer.
class LayerReader {
 public:
  LayerReader(size_t number, Diagnostics& diagnostics)
      : where_(absl::StrCat("estimator.embedding[", number, "]")),
        diagnostics_(diagnostics) {}

  EmbeddingLayer Read(const EmbeddingLayerSpec& given) {
    constexpr Word<Kind> kKinds[] = {
        {"fully_connected", Kind::kFullyConnected},
        {"conv1d", Kind::kConv1d},
        {"conv2d", Kind::kConv2d},
        {"gru", Kind::kGru},
        {"permutation_invariant", Kind::kPermutationInvariant}};
    constexpr Word<Activation> kActivations[] = {{"", Activation::kRelu},
                                                 {"relu", Activation::kRelu},
                                                 {"tanh", Activation::kTanh},
                                                 {"none", Activation::kNone}};
    constexpr Word<bool> kCombinations[] = {
        {"", false}, {"mean", false}, {"sum", true}};
    EmbeddingLayer layer;
    ReadWord("kind", given.kind, kKinds, layer.kind);
    ReadWord("activation", given.activation, kActivations, layer.activation);
    ReadWord("combine", given.combine, kCombinations, layer.sum);
    layer.size = Number("size", given.size, 50);
    layer.kernel = Number("kernel", given.kernel, layer.kernel);
    layer.stride = Number("stride", given.stride, layer.stride);
    layer.pool = Number("pool", given.pool, layer.pool);
    if (given.padding) layer.padding = Number("padding", *given.padding, 0);
    return layer;
  }

 private:
  template <typename T, size_t n>
  void ReadWord(const char* field, const std::string& text,
                const Word<T> (&words)[n], T& value) {
    std::vector<std::string> known;
    for (const Word<T>& word : words) {
      if (text == word.name) {
        value = word.value;
        return;
      }
      if (*word.name != '\0') known.emplace_back(word.name);
    }
    diagnostics_.FieldError(
        "E_INFERENCE", absl::StrCat(where_, ".", field),
        text.empty() ? absl::StrCat(field, " is missing")
                     : absl::StrCat(field, " cannot be ", Quoted(text)),
        absl::StrCat("known are: ", absl::StrJoin(known, ", ")));
  }

  int64_t Number(const char* field, int64_t value, int64_t otherwise) {
    if (value == 0) return otherwise;
    if (value < 0 || value > kMaxSize) {
      diagnostics_.FieldError(
          "E_RANGE", absl::StrCat(where_, ".", field),
          absl::StrCat(field, " is ", value, "; it must be 0 to ", kMaxSize));
    }
    return value;
  }

  const std::string where_;
  Diagnostics& diagnostics_;
};

// The axes of x as they are declared, or one.
std::optional<Shape> ReadShape(const Shape& given, size_t n_columns,
                               Diagnostics& diagnostics) {
  if (given.empty()) return Shape{static_cast<int64_t>(n_columns)};
  constexpr size_t kMostAxes = 4;
  int64_t product = 1;
  bool in_range = given.size() <= kMostAxes;
  for (const int64_t axis : given) {
    in_range = in_range && axis >= 1 &&
               axis <= static_cast<int64_t>(kMaxFeatures) / product;
    if (!in_range) break;
    product *= axis;
  }
  const std::string field = "estimator.input_shape";
  if (!in_range) {
    diagnostics.FieldError(
        "E_SHAPE", field,
        absl::StrCat("input_shape is not 1 to ", kMostAxes,
                     " axes of 1 and more, together at most ", kMaxFeatures),
        "give e.g. [trials, steps] or [channels, height, width]");
    return std::nullopt;
  }
  if (n_columns > 0 && std::cmp_not_equal(product, n_columns)) {
    diagnostics.FieldError(
        "E_SHAPE", field,
        absl::StrCat("input_shape ", ShapeText(given), " has ", product,
                     " numbers, but x has ", n_columns, " columns"),
        "give axes whose product is the number of columns");
    return std::nullopt;
  }
  return given;
}

void CheckScript(const DensityEstimatorSpec& given, const std::string& script,
                 Diagnostics& diagnostics) {
  const bool is_hash =
      script.size() == 64 &&
      script.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) {
    diagnostics.FieldError(
        "E_SCRIPT", "estimator.torch_script",
        absl::StrCat(Quoted(script), " is not the SHA-256 of a module"),
        "upload the TorchScript file, and give what UploadScript returned");
  }
  if (given.embedding.empty()) return;
  diagnostics.FieldError("E_SCRIPT", "estimator.torch_script",
                         "an embedding is given both as layers and as a "
                         "TorchScript module",
                         "give one of them");
}

}  // namespace

std::string ScriptOf(const DensityEstimatorSpec& given) {
  for (const NamedText& option : given.options) {
    if (option.name == "torch_script") return option.text;
  }
  return "";
}

EmbeddingShapes ShapesOf(const std::vector<EmbeddingLayer>& layers,
                         const Shape& x_shape,
                         std::vector<LayerMistake>& mistakes) {
  EmbeddingShapes shapes;
  const size_t before = mistakes.size();
  size_t n_invariant = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (std::string mistake = NumberMistake(layers[i]); !mistake.empty()) {
      const auto kind = static_cast<size_t>(layers[i].kind);
      mistakes.push_back(
          {i, absl::StrCat("layer ", i,
                           kind < kKindNames.size()
                               ? absl::StrCat(" (", kKindNames[kind], ")")
                               : "",
                           " ", mistake)});
    }
    if (layers[i].kind == Kind::kPermutationInvariant && ++n_invariant == 2) {
      mistakes.push_back(
          {i, absl::StrCat("layer ", i, " combines trials once more")});
    }
  }
  if (mistakes.size() > before) return shapes;
  Shape shape = x_shape;
  if (n_invariant == 1) {
    shapes.n_trials = shape[0];
    shape.erase(shape.begin());
    if (shape.empty()) shape = {1};  // a trial is one number
  }
  ShapeInference inference(std::move(shape), mistakes);
  for (size_t i = 0; i < layers.size(); ++i) {
    if (inference.shape()) {
      shapes.layers.push_back(inference.Add(layers[i], i));
    } else {
      inference.Resume(layers[i]);
    }
  }
  if (mistakes.size() == before) shapes.n_outputs = Product(*inference.shape());
  return shapes;
}

std::optional<DeclaredEmbedding> ReadEmbedding(
    const DensityEstimatorSpec& given, size_t n_columns,
    Diagnostics& diagnostics) {
  Diagnostics found;
  DeclaredEmbedding declared;
  if (given.embedding.size() > kMaxEmbeddingLayers) {
    found.FieldError("E_LIMIT", "estimator.embedding",
                     absl::StrCat("there are ", given.embedding.size(),
                                  " layers; at most ", kMaxEmbeddingLayers));
  }
  const size_t n_layers = std::min(given.embedding.size(), kMaxEmbeddingLayers);
  for (size_t i = 0; i < n_layers; ++i) {
    declared.embedding.layers.push_back(
        LayerReader(i, found).Read(given.embedding[i]));
  }
  const std::optional<Shape> shape =
      ReadShape(given.input_shape, n_columns, found);
  declared.script = ScriptOf(given);
  if (!declared.script.empty()) CheckScript(given, declared.script, found);
  if (shape && !given.input_shape.empty() && given.embedding.empty() &&
      declared.script.empty()) {
    found.FieldError("E_SHAPE", "estimator.input_shape",
                     "input_shape is given, but no embedding that has use for "
                     "it",
                     "give the embedding's layers, or leave it out");
  }
  // Without x there are no shapes.
  const bool known = n_columns > 0 || !given.input_shape.empty();
  if (!found.HasErrors() && known) {
    declared.x_shape = *shape;
    std::vector<LayerMistake> mistakes;
    ShapesOf(declared.embedding.layers, declared.x_shape, mistakes);
    for (const LayerMistake& mistake : mistakes) {
      found.FieldError(
          "E_SHAPE", absl::StrCat("estimator.embedding[", mistake.layer, "]"),
          mistake.text, "change the layer, those before it, or input_shape");
    }
  }
  const bool ok = !found.HasErrors();
  diagnostics.Append(found);
  if (!ok) return std::nullopt;
  return declared;
}

}  // namespace somafit
