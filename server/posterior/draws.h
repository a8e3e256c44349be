#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace somafit {

// A share of tries, with its standard error.
struct Share {
  int64_t hits = 0, tries = 0;
  double value = 0;
  double error = 0;
};

// `hits` of `tries` independent tries. The error is the binomial one at
// (hits + 1) / (tries + 2), so that it is above 0 even where all or none hit.
Share ShareOf(int64_t hits, int64_t tries);
// Where the tries ended with a hit: value (hits - 1) / (tries - 1), which is
// free of the bias of stopping there (J. Haldane (1945), Biometrika 33).
Share ShareUntilHit(int64_t hits, int64_t tries);

enum class DrawEnd {
  kComplete,
  kMaxCandidates,  // the limit on candidates came first
  kStopped,        // the caller said so
};

// Draws that passed a test, in the order of their candidates' numbers; fewer
// than were wanted where `end` says why.
struct Draws {
  std::vector<double> theta;        // [n x D]
  std::vector<double> log_density;  // [n]; of what, the maker says
  Share acceptance;
  DrawEnd end = DrawEnd::kComplete;
  // Sentences for a person: few accepted, why it ended early, what was done
  // instead.
  std::vector<std::string> messages;
};

struct DrawLimits {
  int64_t max_candidates = 10'000'000;
  // Asked between batches; true ends drawing. Empty: never.
  std::function<bool()> stop = {};
  // Candidates per call of an estimator, at most. It changes no draw.
  int64_t batch = 10'000;
};

// Adds what a person should know of acceptance and end to the messages.
void DescribeEnd(Draws& draws, int64_t wanted);

}  // namespace somafit
