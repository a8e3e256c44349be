#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace somafit {

// What a user asks for, as text in the model language, not yet checked.

struct NamedText {
  std::string name;
  std::string text;
  friend bool operator==(const NamedText&, const NamedText&) = default;
};

// Code that runs at certain steps, whatever happens (Brian: run_regularly).
struct PeriodicSpec {
  std::string code;
  std::string when;  // slot of a step, "" is "start": language, section 4.2
  std::string dt;    // "": in every step; else a multiple of the fit's
  friend bool operator==(const PeriodicSpec&, const PeriodicSpec&) = default;
};

// A staircase that a model calls as a function of time: language, section 3.8.
struct TimedArraySpec {
  std::string name;
  std::string unit;            // of the values, "" is "1"
  std::string dt;              // the width of a stair
  std::vector<double> values;  // [time][column]
  int64_t columns = 0;         // 0: one, and a function of time alone
  friend bool operator==(const TimedArraySpec&,
                         const TimedArraySpec&) = default;
};

// A model: immutable, addressed by the SHA-256 of EncodeModelSource.
struct ModelSource {
  std::string equations;
  std::string method;                     // "" chooses
  std::vector<NamedText> constants;       // name, quantity
  std::vector<NamedText> initial_values;  // variable, expression; in this order
  std::string threshold = {};             // condition of a spike, "": none
  std::optional<std::string> reset = {};  // statements after a spike
  std::string refractory = {};  // a time or a condition, "": never refractory
  std::vector<PeriodicSpec> periodic = {};
  std::vector<TimedArraySpec> timed_arrays = {};
  std::vector<NamedText> method_options = {};
  std::string method_choice = "";  // "best", also "", or "brian"
};
std::string EncodeModelSource(const ModelSource& source);

// How likely a parameter is before anything was observed.
struct PriorSpec {
  std::string name;  // "" is "uniform" or "log_uniform" between the bounds
  std::vector<NamedText> options;
  friend bool operator==(const PriorSpec&, const PriorSpec&) = default;
};

struct ParameterSpec {
  std::string name;
  std::string bounds;                   // "[2*psiemens, 200*nS]"
  std::string scale = {};               // "linear", also "", or "log"
  std::vector<std::string> start = {};  // values to begin with
  std::string fixed = {};               // a value in place of bounds
  PriorSpec prior = {};                 // of an inference
};

// A term of the total error.
struct MetricSpec {
  std::string output;  // or, with `outputs`, the term's name
  std::string metric;  // "" is "mse", of spikes "gamma_factor"
  std::vector<NamedText> options;
  std::vector<double> t_weights;          // empty: none; else one per step
  std::vector<std::string> outputs = {};  // compared; empty: that one
};

// A number that is made of an output on each trace.
struct FeatureSpec {
  std::string output;
  std::string feature;
  std::vector<NamedText> options;
  std::string name = {};  // "" is "<output>_<feature>"
  friend bool operator==(const FeatureSpec&, const FeatureSpec&) = default;
};

struct OptimizerSpec {
  std::string name;  // "" is "de"
  std::vector<NamedText> options;
};

// The fit ends when any of these is reached; at least one must be given.
struct StopSpec {
  std::optional<int64_t> rounds;
  std::optional<int64_t> evaluations;
  std::string target;  // total error, "" for none; e.g. "1e-6*volt**2"
  std::string time;    // running time, "" for none; e.g. "600*second"
};

enum class GateTimeout : uint8_t { kPause, kContinue };

// With a gate, each round waits for a client's AckRound before the next.
struct GateSpec {
  bool enabled = false;
  double timeout_s = 60;  // without an answer for so long ...
  GateTimeout then = GateTimeout::kPause;
};

struct ExecutionSpec {
  double task_timeout_s = 600;  // a task that runs longer is taken away
  int max_attempts = 5;         // then its sample is recorded as failed
  // Simulations end once it is sure that the optimizer will not use them.
  bool abandon = false;
};

// One layer of an embedding net; 0 and "" are defaults.
struct EmbeddingLayerSpec {
  std::string kind;
  int64_t size = 0;
  int64_t kernel = 0, stride = 0;
  std::optional<int64_t> padding = {};
  int64_t pool = 0;
  std::string activation, combine;
  friend bool operator==(const EmbeddingLayerSpec&,
                         const EmbeddingLayerSpec&) = default;
};

struct DensityEstimatorSpec {
  std::string name;  // "" is "maf"; or "auto"
  std::vector<NamedText> options;
  std::vector<EmbeddingLayerSpec> embedding;
  int ensemble = 0;                       // 0 is 1
  std::vector<int64_t> input_shape = {};  // empty: x has one axis
  friend bool operator==(const DensityEstimatorSpec&,
                         const DensityEstimatorSpec&) = default;
};

// As the wire's TrainingSpec, which says what they mean; 0 and "" are defaults.
struct TrainingSpec {
  int64_t training_batch_size = 0;
  double learning_rate = 0;
  double validation_fraction = 0;
  int64_t stop_after_epochs = 0;
  int64_t max_num_epochs = 0;
  std::optional<double> clip_max_norm = {};  // 0: never
  bool discard_prior_samples = false;
  bool retrain_from_scratch = false;
  bool force_first_round_loss = false;
  std::optional<bool> average_weights = {};
  std::string device;
  int64_t num_atoms = 0;
  bool use_combined_loss = false;
  double largest_weight = 0;
  double truncation = 0;
  std::string invalid;
  std::string calibration_kernel;  // "" is none
  double calibration_bandwidth = 0;
  friend bool operator==(const TrainingSpec&, const TrainingSpec&) = default;
};

// A simulator of the user's own: what x is made of. Either names, or how many.
struct OwnSimulator {
  std::vector<std::string> features;
  int64_t n_features = 0;
  friend bool operator==(const OwnSimulator&, const OwnSimulator&) = default;
};

// Asks for a posterior in place of the best sample.
struct InferenceSpec {
  std::string algorithm;  // "" is "tsnpe"
  std::vector<FeatureSpec> features;
  DensityEstimatorSpec estimator;
  TrainingSpec training;
  std::vector<double> observation;  // empty: the recordings' features
  // In place of model, dataset, dt and features.
  std::optional<OwnSimulator> simulator = {};
  friend bool operator==(const InferenceSpec&, const InferenceSpec&) = default;
};

struct FitSpec {
  std::string name;   // "" lets the server choose
  std::string label;  // first part of a chosen name
  ModelSource model;
  std::string dataset;  // SHA-256, 64 hex digits
  std::string dt;
  std::vector<ParameterSpec> parameters;
  std::vector<MetricSpec> metrics;
  OptimizerSpec optimizer;
  int64_t n_samples = 100;  // a round
  StopSpec stop;
  uint64_t seed = 0;
  GateSpec gate;
  ExecutionSpec execution;
  std::string penalty = {};     // a variable of the model, "": none
  int64_t start_iteration = 0;  // `iteration` in round 0 of the stage
  std::optional<InferenceSpec> inference = {};
};

}  // namespace somafit
