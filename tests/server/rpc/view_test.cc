#include "server/rpc/view.h"

#include <gtest/gtest.h>

#include "proto/convert/inference_spec.h"
#include "proto/convert/spec.h"

namespace somafit {
namespace {

// What workers need of an inference's task.
TEST(ViewTest, TasksCarryFeatures) {
  Task task;
  task.model_hash = "m";
  task.features = {
      {"v", "max", {{"t_start", "5*ms"}, {"t_end", "9*ms"}}, "top"},
      {"spikes", "isi_mean", {{"empty", "0"}}, ""}};
  const v1::Task message = ToProto(task);
  std::vector<FeatureSpec> features;
  for (const v1::FeatureSpec& feature : message.experiment().features()) {
    features.push_back(FromProto(feature));
  }
  EXPECT_EQ(features, task.features);
  EXPECT_EQ(message.experiment().metrics_size(), 0);
}

}  // namespace
}  // namespace somafit
