#include "worker/core/data/fit_spec.h"

#include <set>

#include <gtest/gtest.h>

namespace somafit {
namespace {

ModelSource With(void (*change)(ModelSource&)) {
  ModelSource source;
  change(source);
  return source;
}

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
      With([](ModelSource& s) { s.threshold = std::string("a"); }),
      With([](ModelSource& s) { s.reset = std::string(); }),
      With([](ModelSource& s) { s.reset = std::string("a"); }),
      With([](ModelSource& s) { s.refractory = std::string("a"); }),
      With([](ModelSource& s) {
        s.periodic = {{"a", "", ""}};
      }),
      With([](ModelSource& s) {
        s.periodic = {{"", "a", ""}};
      }),
      With([](ModelSource& s) {
        s.periodic = {{"", "", "a"}};
      }),
      With([](ModelSource& s) {
        s.timed_arrays = {{"a", "", "", {}, 0}};
      }),
      With([](ModelSource& s) {
        s.timed_arrays = {{"", "a", "", {}, 0}};
      }),
      With([](ModelSource& s) {
        s.timed_arrays = {{"", "", "a", {}, 0}};
      }),
      With([](ModelSource& s) {
        s.timed_arrays = {{"", "", "", {1, 2}, 0}};
      }),
      With([](ModelSource& s) {
        s.timed_arrays = {{"", "", "", {1, 2}, 1}};
      }),
      With([](ModelSource& s) {
        s.method_options = {{"a", ""}};
      }),
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
