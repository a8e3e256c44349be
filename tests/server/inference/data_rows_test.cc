// x as floats, and in parts that are scaled each by itself.
#include <gtest/gtest.h>

#include "server/inference/estimator_file.h"
#include "server/inference/training.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

class DataRowsTest : public testing::Test {
 protected:
  // One parameter, and two numbers of x that hold it, of which the second one
  // is in other units. All of x are floats.
  DataRowsTest() : spec_(DefaultEstimatorSpec("mdn")) {
    spec_.z_score_x = ZScore::kStructured;
    spec_.support = {{-1e300, 1e300}};
    spec_.x_shape = {2};
    RandomStream random(5, StreamPurpose::kExample, 0, 0);
    for (int i = 0; i < 300; ++i) {
      theta_.push_back(random.Normal());
      x_.push_back(static_cast<float>(theta_.back() + random.Normal()));
      x_.push_back(static_cast<float>(1e-9 * theta_.back()));
    }
  }

  std::string Trained(const DataRows& x, std::span<const size_t> ends) {
    TrainingData data;
    data.theta = theta_;
    data.x = x;
    data.column_ends = ends;
    const auto result = Train(spec_, {.max_num_epochs = 3, .seed = 3}, data);
    if (!result.ok()) return std::string(result.status().message());
    return EncodeEstimator(*result->estimator);
  }

  EstimatorSpec spec_;
  std::vector<double> theta_, x_;
};

TEST_F(DataRowsTest, FloatsAreScaledAsDoublesAre) {
  const std::vector<float> floats(x_.begin(), x_.end());
  const std::vector<size_t> ends = {1, 2};
  const std::string whole = Trained(x_, {});
  EXPECT_EQ(Trained(floats, {}), whole);
  const std::string parts = Trained(x_, ends);
  EXPECT_EQ(Trained(floats, ends), parts);
  EXPECT_NE(parts, whole);
  EXPECT_GT(parts.size(), 1000u);
}

TEST_F(DataRowsTest, PartsMustEndOneBehindTheOther) {
  const std::vector<size_t> bad[] = {{1}, {0, 2}, {1, 1, 2}, {2, 1}, {3}};
  for (const std::vector<size_t>& ends : bad) {
    EXPECT_NE(Trained(x_, ends).find("do not end one behind the other"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace somafit
