#include "server/posterior/draws.h"

#include <cmath>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {

Share ShareOf(int64_t hits, int64_t tries) {
  SOMAFIT_CHECK(hits >= 0 && hits <= tries);
  Share share{hits, tries, 0, 1};
  if (tries == 0) return share;
  const auto n = static_cast<double>(tries);
  const double p = (static_cast<double>(hits) + 1) / (n + 2);
  share.value = static_cast<double>(hits) / n;
  share.error = std::sqrt(p * (1 - p) / n);
  return share;
}

Share ShareUntilHit(int64_t hits, int64_t tries) {
  Share share = ShareOf(hits, tries);
  if (hits > 1) {
    share.value =
        static_cast<double>(hits - 1) / static_cast<double>(tries - 1);
  }
  return share;
}

void DescribeEnd(Draws& draws, int64_t wanted) {
  const Share& acceptance = draws.acceptance;
  if (draws.end != DrawEnd::kComplete) {
    draws.messages.push_back(absl::StrCat(
        acceptance.hits, " of ", wanted, " draws after ", acceptance.tries,
        " candidates: ",
        draws.end == DrawEnd::kStopped
            ? "stopped"
            : "the limit on candidates; raise it, or sample in another way"));
  }
  if (acceptance.tries >= 1000 && acceptance.value < 0.01) {
    draws.messages.push_back(absl::StrCat(
        "only ", RoundedText(100 * acceptance.value, 2),
        " % of the candidates were accepted: sampling by Markov chains, a "
        "truncated proposal or parameters mapped to unbounded ones would be "
        "faster"));
  }
}

}  // namespace somafit
