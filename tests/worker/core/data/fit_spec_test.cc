#include "worker/core/data/fit_spec.h"

#include <set>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(EncodeModelSourceTest, TellsApartWhatConcatenationWouldNot) {
  const std::vector<ModelSource> sources = {
      {"", "", {}, {}},
      {"ab", "", {}, {}},
      {"a", "b", {}, {}},
      {"", "ab", {}, {}},
      {"", "", {{"ab", ""}}, {}},
      {"", "", {{"a", "b"}}, {}},
      {"", "", {{"a", ""}, {"b", ""}}, {}},
      {"", "", {}, {{"a", "b"}}},
      {"", "", {{"a", "1"}, {"b", "2"}}, {}},
      {"", "", {{"b", "2"}, {"a", "1"}}, {}},
      {std::string("a\0b", 3), "", {}, {}},
  };
  std::set<std::string> encodings;
  for (const ModelSource& source : sources) {
    encodings.insert(EncodeModelSource(source));
  }
  EXPECT_EQ(encodings.size(), sources.size());
  EXPECT_EQ(EncodeModelSource(sources[5]), EncodeModelSource(sources[5]));
}

}  // namespace
}  // namespace somafit
