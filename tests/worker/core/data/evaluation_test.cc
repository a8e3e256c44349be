#include "worker/core/data/evaluation.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(SampleStatusNameTest, NamesEveryStatus) {
  EXPECT_EQ(SampleStatusName(SampleStatus::kDrawn), "drawn");
  EXPECT_EQ(SampleStatusName(SampleStatus::kOk), "ok");
  EXPECT_EQ(SampleStatusName(SampleStatus::kNonfinite), "nonfinite");
  EXPECT_EQ(SampleStatusName(SampleStatus::kFailed), "failed");
  EXPECT_EQ(SampleStatusName(SampleStatus::kCancelled), "cancelled");
}

}  // namespace
}  // namespace somafit
