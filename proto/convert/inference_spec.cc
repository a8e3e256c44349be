#include "proto/convert/inference_spec.h"

#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/objective/raw_traces.h"

namespace somafit {
namespace {

constexpr int kMaxObservation = 1 << 20;  // numbers
constexpr int kMaxLayers = 100;
constexpr int kMaxOwnFeatures = 16384;
constexpr int kMaxAxes = 100;  // those that are too many get a better message

void CheckNotNegative(const std::string& field, double value,
                      Violations& violations) {
  if (std::isfinite(value) && value >= 0) return;
  violations.Add(field, absl::StrCat("is ", ShortestText(value),
                                     "; give a finite number, 0 or more"));
}

}  // namespace

FeatureSpec FromProto(const v1::FeatureSpec& message) {
  return {.output = message.output(),
          .feature = message.feature(),
          .options = NamedFromProto(message.options()),
          .name = message.name()};
}

v1::FeatureSpec ToProto(const FeatureSpec& feature) {
  v1::FeatureSpec message;
  message.set_output(feature.output);
  message.set_feature(feature.feature);
  NamedToProto(feature.options, message.mutable_options());
  message.set_name(feature.name);
  return message;
}

DensityEstimatorSpec FromProto(const v1::DensityEstimatorSpec& message) {
  DensityEstimatorSpec estimator{.name = message.name(),
                                 .options = NamedFromProto(message.options()),
                                 .embedding = {},
                                 .ensemble = message.ensemble(),
                                 .input_shape = {message.input_shape().begin(),
                                                 message.input_shape().end()}};
  for (const v1::EmbeddingLayerSpec& layer : message.embedding()) {
    EmbeddingLayerSpec& made = estimator.embedding.emplace_back();
    made.kind = layer.kind();
    made.size = layer.size();
    made.kernel = layer.kernel();
    made.stride = layer.stride();
    if (layer.has_padding()) made.padding = layer.padding();
    made.pool = layer.pool();
    made.activation = layer.activation();
    made.combine = layer.combine();
  }
  return estimator;
}

v1::DensityEstimatorSpec ToProto(const DensityEstimatorSpec& estimator) {
  v1::DensityEstimatorSpec message;
  message.set_name(estimator.name);
  NamedToProto(estimator.options, message.mutable_options());
  for (const EmbeddingLayerSpec& layer : estimator.embedding) {
    v1::EmbeddingLayerSpec* const made = message.add_embedding();
    made->set_kind(layer.kind);
    made->set_size(layer.size);
    made->set_kernel(layer.kernel);
    made->set_stride(layer.stride);
    if (layer.padding) made->set_padding(*layer.padding);
    made->set_pool(layer.pool);
    made->set_activation(layer.activation);
    made->set_combine(layer.combine);
  }
  message.set_ensemble(estimator.ensemble);
  message.mutable_input_shape()->Add(estimator.input_shape.begin(),
                                     estimator.input_shape.end());
  return message;
}

TrainingSpec FromProto(const v1::TrainingSpec& message) {
  TrainingSpec training;
  training.training_batch_size = message.training_batch_size();
  training.learning_rate = message.learning_rate();
  training.validation_fraction = message.validation_fraction();
  training.stop_after_epochs = message.stop_after_epochs();
  training.max_num_epochs = message.max_num_epochs();
  if (message.has_clip_max_norm()) {
    training.clip_max_norm = message.clip_max_norm();
  }
  training.discard_prior_samples = message.discard_prior_samples();
  training.retrain_from_scratch = message.retrain_from_scratch();
  training.force_first_round_loss = message.force_first_round_loss();
  if (message.has_average_weights()) {
    training.average_weights = message.average_weights();
  }
  training.device = message.device();
  training.num_atoms = message.num_atoms();
  training.use_combined_loss = message.use_combined_loss();
  training.largest_weight = message.largest_weight();
  training.truncation = message.truncation();
  training.invalid = message.invalid();
  training.calibration_kernel = message.calibration_kernel();
  training.calibration_bandwidth = message.calibration_bandwidth();
  return training;
}

v1::TrainingSpec ToProto(const TrainingSpec& training) {
  v1::TrainingSpec message;
  message.set_training_batch_size(training.training_batch_size);
  message.set_learning_rate(training.learning_rate);
  message.set_validation_fraction(training.validation_fraction);
  message.set_stop_after_epochs(training.stop_after_epochs);
  message.set_max_num_epochs(training.max_num_epochs);
  if (training.clip_max_norm) {
    message.set_clip_max_norm(*training.clip_max_norm);
  }
  message.set_discard_prior_samples(training.discard_prior_samples);
  message.set_retrain_from_scratch(training.retrain_from_scratch);
  message.set_force_first_round_loss(training.force_first_round_loss);
  if (training.average_weights) {
    message.set_average_weights(*training.average_weights);
  }
  message.set_device(training.device);
  message.set_num_atoms(training.num_atoms);
  message.set_use_combined_loss(training.use_combined_loss);
  message.set_largest_weight(training.largest_weight);
  message.set_truncation(training.truncation);
  message.set_invalid(training.invalid);
  message.set_calibration_kernel(training.calibration_kernel);
  message.set_calibration_bandwidth(training.calibration_bandwidth);
  return message;
}

InferenceSpec FromProto(const v1::InferenceSpec& message) {
  InferenceSpec inference;
  inference.algorithm = message.algorithm();
  for (const v1::FeatureSpec& feature : message.features()) {
    inference.features.push_back(FromProto(feature));
  }
  inference.estimator = FromProto(message.estimator());
  inference.training = FromProto(message.training());
  inference.observation = {message.observation().begin(),
                           message.observation().end()};
  if (message.has_simulator()) {
    inference.simulator = {.features = {message.simulator().features().begin(),
                                        message.simulator().features().end()},
                           .n_features = message.simulator().n_features()};
  }
  return inference;
}

v1::InferenceSpec ToProto(const InferenceSpec& inference) {
  v1::InferenceSpec message;
  message.set_algorithm(inference.algorithm);
  for (const FeatureSpec& feature : inference.features) {
    *message.add_features() = ToProto(feature);
  }
  *message.mutable_estimator() = ToProto(inference.estimator);
  *message.mutable_training() = ToProto(inference.training);
  message.mutable_observation()->Add(inference.observation.begin(),
                                     inference.observation.end());
  if (inference.simulator) {
    v1::OwnSimulator* const simulator = message.mutable_simulator();
    simulator->mutable_features()->Add(inference.simulator->features.begin(),
                                       inference.simulator->features.end());
    simulator->set_n_features(inference.simulator->n_features);
  }
  return message;
}

void ToProto(const XColumns& columns,
             google::protobuf::RepeatedPtrField<std::string>* names,
             google::protobuf::RepeatedPtrField<v1::TraceColumns>* traces) {
  names->Add(columns.names().begin(), columns.names().end());
  for (const TraceSegment& segment : columns.segments()) {
    v1::TraceColumns* const message = traces->Add();
    message->set_name(segment.name);
    message->set_output(static_cast<int32_t>(segment.output));
    message->set_trace(static_cast<int64_t>(segment.trace));
    message->set_first_step(static_cast<int64_t>(segment.first_step));
    message->set_every(static_cast<int64_t>(segment.every));
    message->set_count(static_cast<int64_t>(segment.count));
  }
}

absl::StatusOr<XColumns> FromProto(
    const google::protobuf::RepeatedPtrField<std::string>& names,
    const google::protobuf::RepeatedPtrField<v1::TraceColumns>& traces) {
  if (traces.empty()) {
    return XColumns(std::vector<std::string>(names.begin(), names.end()));
  }
  if (!names.empty()) {
    return absl::InvalidArgumentError(
        "columns of x are features and raw traces; give one of them");
  }
  constexpr int64_t kLargest = int64_t{1} << 40;  // of a step or a trace
  std::vector<TraceSegment> segments;
  size_t n = 0;
  for (const v1::TraceColumns& each : traces) {
    for (const int64_t number :
         {each.trace(), each.first_step(), each.every(), each.count(),
          static_cast<int64_t>(each.output())}) {
      if (number >= 0 && number <= kLargest) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "columns of raw traces have a number ", number, ", not 0 to 2^40"));
    }
    segments.push_back({.name = each.name(),
                        .output = static_cast<size_t>(each.output()),
                        .trace = static_cast<size_t>(each.trace()),
                        .first_step = static_cast<size_t>(each.first_step()),
                        .every = static_cast<size_t>(each.every()),
                        .count = static_cast<size_t>(each.count())});
    n += segments.back().count;
    if (each.count() == 0 || n > kMaxRawColumns) {
      return absl::InvalidArgumentError(
          absl::StrCat("a part of a raw trace has no columns, or there are "
                       "more than ",
                       kMaxRawColumns));
    }
  }
  return XColumns(std::move(segments));
}

InferenceSpec ContinuedSpec(InferenceSpec spec,
                            const v1::InferenceSpec& message) {
  const InferenceSpec given = FromProto(message);
  if (!given.algorithm.empty()) spec.algorithm = given.algorithm;
  if (!given.features.empty()) spec.features = given.features;
  if (message.has_estimator()) spec.estimator = given.estimator;
  if (message.has_training()) spec.training = given.training;
  if (!given.observation.empty()) spec.observation = given.observation;
  if (given.simulator) spec.simulator = given.simulator;
  return spec;
}

void CheckTraining(const std::string& field, const v1::TrainingSpec& training,
                   Violations& violations) {
  CheckNotNegative(field + "learning_rate", training.learning_rate(),
                   violations);
  CheckNotNegative(field + "validation_fraction",
                   training.validation_fraction(), violations);
  CheckNotNegative(field + "clip_max_norm", training.clip_max_norm(),
                   violations);
  CheckNotNegative(field + "largest_weight", training.largest_weight(),
                   violations);
  CheckNotNegative(field + "truncation", training.truncation(), violations);
  violations.CheckText(field + "device", training.device());
  violations.CheckText(field + "invalid", training.invalid());
  violations.CheckText(field + "calibration_kernel",
                       training.calibration_kernel());
}

void CheckInference(const v1::InferenceSpec& message, Violations& violations) {
  const std::string root = "inference.";
  violations.CheckText(root + "algorithm", message.algorithm());
  if (violations.CheckCount(root + "features", message.features_size(),
                            kMaxList)) {
    for (int i = 0; i < message.features_size(); ++i) {
      const v1::FeatureSpec& feature = message.features(i);
      const std::string field = absl::StrCat(root, "features[", i, "]");
      violations.CheckText(field + ".output", feature.output());
      violations.CheckText(field + ".feature", feature.feature());
      violations.CheckText(field + ".name", feature.name());
      violations.CheckNamed(field + ".options", feature.options());
    }
  }
  const v1::DensityEstimatorSpec& estimator = message.estimator();
  violations.CheckText(root + "estimator.name", estimator.name());
  violations.CheckNamed(root + "estimator.options", estimator.options());
  if (violations.CheckCount(root + "estimator.embedding",
                            estimator.embedding_size(), kMaxLayers)) {
    for (int i = 0; i < estimator.embedding_size(); ++i) {
      const v1::EmbeddingLayerSpec& layer = estimator.embedding(i);
      const std::string field =
          absl::StrCat(root, "estimator.embedding[", i, "]");
      violations.CheckText(field + ".kind", layer.kind());
      violations.CheckText(field + ".activation", layer.activation());
      violations.CheckText(field + ".combine", layer.combine());
    }
  }
  violations.CheckCount(root + "estimator.input_shape",
                        estimator.input_shape_size(), kMaxAxes);
  CheckTraining(root + "training.", message.training(), violations);
  const v1::OwnSimulator& simulator = message.simulator();
  if (violations.CheckCount(root + "simulator.features",
                            simulator.features_size(), kMaxOwnFeatures)) {
    for (int i = 0; i < simulator.features_size(); ++i) {
      violations.CheckText(absl::StrCat(root, "simulator.features[", i, "]"),
                           simulator.features(i));
    }
  }
  violations.CheckCount(root + "observation", message.observation_size(),
                        kMaxObservation);
}

}  // namespace somafit
