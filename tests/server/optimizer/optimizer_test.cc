#include "server/optimizer/optimizer.h"

#include <set>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(OptimizerCatalogueTest, HasUniqueNames) {
  std::set<std::string_view> names;
  for (const OptimizerEntry* entry : AllOptimizers()) {
    EXPECT_TRUE(names.insert(entry->name).second) << entry->name;
  }
  EXPECT_EQ(FindOptimizer("none"), nullptr);
  EXPECT_NE(FindOptimizer("de"), nullptr);
  EXPECT_NE(FindOptimizer("random"), nullptr);
}

}  // namespace
}  // namespace somafit
