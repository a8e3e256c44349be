#include "worker/core/data/column_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;

TEST(ColumnNamesTest, AppendsToNamesThatAreTaken) {
  const SampleColumnNames names =
      NameSampleColumns({"Stage", "gl", "GL", "v_error"}, {"v", "w"});
  EXPECT_THAT(names.parameters, ElementsAre("Stage_", "gl", "GL_", "v_error"));
  EXPECT_THAT(names.errors, ElementsAre("v_error_", "w_error"));
  EXPECT_THAT(names.normalized,
              ElementsAre("v_error_normalized", "w_error_normalized"));
}

}  // namespace
}  // namespace somafit
