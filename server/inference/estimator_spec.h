#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "server/posterior/prior.h"
#include "worker/core/objective/option.h"

namespace somafit {

class Net;
class ParameterLayout;

// How numbers are brought near 1 before a net sees them. The constants come
// from the rows that are trained on, in double, and are kept.
enum class ZScore : uint32_t {
  kNone = 0,
  kIndependent = 1,  // each column by its mean and standard deviation
  kStructured = 2,   // all columns alike: the mean of all, the mean of rows'
                     // standard deviations; keeps the shape of traces
};

// Which space a net's density fills.
enum class ThetaSpace : uint32_t {
  kBounded = 0,        // theta's own: mass may leak out of the prior's support
  kUnconstrained = 1,  // the logit of an interval, the log of a half-line:
                       // nothing leaks
};

// One layer of an embedding net. Fields that its kind has no use for are
// ignored.
struct EmbeddingLayer {
  enum class Kind : uint32_t {
    kFullyConnected = 0,  // flattens; `size` outputs
    kConv1d = 1,          // [L] or [channels x L]
    kConv2d = 2,          // [H x W] or [channels x H x W]
    kGru = 3,  // [L] or [L x channels]; `size` hidden units, the last
    kPermutationInvariant = 4,  // combines trials: what stands before it runs
                                // on each trial (the first axis of x), what
                                // follows on their mean or sum with the share
                                // of trials that are there. A trial that is
                                // NaN throughout is missing.
  };
  enum class Activation : uint32_t { kRelu = 0, kTanh = 1, kNone = 2 };

  Kind kind = Kind::kFullyConnected;
  int64_t size = 0;  // outputs, channels or hidden units
  int64_t kernel = 5;
  int64_t stride = 1;
  int64_t padding = 1;
  int64_t pool = 2;  // width of the max-pool behind a convolution; 1: none
  Activation activation = Activation::kRelu;
  bool sum = false;  // kPermutationInvariant: the sum, not the mean
  friend bool operator==(const EmbeddingLayer&,
                         const EmbeddingLayer&) = default;
};

// What turns z-scored data into the few numbers that a net is conditioned on,
// trained with it. With neither, the data themselves are.
struct EmbeddingSpec {
  std::vector<EmbeddingLayer> layers;
  // A TorchScript module's file: float [n x x_shape...] -> float [n x C]. Its
  // parameters are trained; it runs in evaluation mode throughout (no dropout,
  // fixed batch statistics), so that training can be repeated.
  std::string torch_script;
  friend bool operator==(const EmbeddingSpec&, const EmbeddingSpec&) = default;
};

// For raw traces: two fully connected layers, 50 and 20 wide.
EmbeddingSpec DefaultTraceEmbedding();

// Everything that is decided about an estimator before it sees data.
struct EstimatorSpec {
  std::string net = "maf";
  OptionValues options;  // of the net; every one present
  ZScore z_score_theta = ZScore::kIndependent;
  ZScore z_score_x = ZScore::kIndependent;
  ThetaSpace theta_space = ThetaSpace::kBounded;
  // Where each parameter may lie; its size is D.
  std::vector<Support> support;
  // The axes of one observation; their product is E.
  std::vector<int64_t> x_shape;
  EmbeddingSpec embedding;

  size_t n_parameters() const { return support.size(); }
  size_t n_features() const;
};

inline constexpr size_t kMaxParameters = 1000;
inline constexpr size_t kMaxFeatures = 1 << 24;
inline constexpr size_t kMaxEmbeddingLayers = 100;

struct NetShape {
  int64_t n_parameters = 0;  // D
  int64_t n_context = 0;     // C, after the embedding
};

// A member of the family. `options` are those of the net itself and those that
// all share (z_score_theta, z_score_x, theta_space).
struct NetEntry {
  std::string_view name, summary;
  std::vector<OptionSpec> options;
  std::unique_ptr<Net> (*make)(const NetShape& shape,
                               const OptionValues& options,
                               ParameterLayout& layout);
};

// All nets, in the order in which they are shown.
const std::vector<const NetEntry*>& AllNets();
const NetEntry* FindNet(std::string_view name);  // nullptr: unknown

// Reads what a user gave; nullopt exactly where `diagnostics` got errors, under
// "estimator.<option>". `support`, `x_shape` and `embedding` are the caller's
// to set.
std::optional<EstimatorSpec> ReadEstimatorSpec(
    std::string_view net, const std::vector<NamedText>& given,
    Diagnostics& diagnostics);
// The same with every option at its default. REQUIRES: a known net.
EstimatorSpec DefaultEstimatorSpec(std::string_view net);

// InvalidArgument, with all that is wrong, for a spec that no estimator can be
// made from. Embeddings are checked where they are made.
absl::Status CheckEstimatorSpec(const EstimatorSpec& spec);

}  // namespace somafit
