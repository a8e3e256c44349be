#include "tests/server/study/coordinator_fixture.h"

#include "absl/strings/str_join.h"

namespace somafit {
namespace {

std::string Describe(const Write& write) {
  struct Visitor {
    std::string operator()(const ModelRecord&) { return "model"; }
    std::string operator()(const NewFit&) { return "new"; }
    std::string operator()(const UpdatedFit& w) {
      return absl::StrCat("fit:", std::string(FitStateName(w.fit.state)));
    }
    std::string operator()(const ChangedFit&) { return "changed"; }
    std::string operator()(const DeletedFit&) { return "deleted"; }
    std::string operator()(const StageRecord& w) {
      return absl::StrCat("stage:", w.stage, ":", w.rounds);
    }
    std::string operator()(const RoundRecord& w) {
      return absl::StrCat("round:", w.stage, ":", w.round, "@", w.first_sample,
                          "+", w.points.size());
    }
    std::string operator()(const DrawnSamples& w) {
      return absl::StrCat("drawn:", w.stage, ":", w.round, "@", w.first_sample,
                          "+", w.points.size());
    }
    std::string operator()(const ResultsRecord& w) {
      return absl::StrCat("results:", w.samples.size());
    }
    std::string operator()(const CancelledSamples&) { return "cancelled"; }
    std::string operator()(const EventRecord& w) {
      if (w.kind == EventRecord::Kind::kRound) {
        return absl::StrCat("event", w.seq, ":round:", w.stage, ":", w.round,
                            w.gated ? ":gated" : "");
      }
      return absl::StrCat("event", w.seq, ":",
                          std::string(FitStateName(w.state)),
                          w.reason.empty() ? "" : "(" + w.reason + ")");
    }
    std::string operator()(const RequestRecord&) { return "request"; }
    std::string operator()(const EstimatorRecord& w) {
      return absl::StrCat("estimators:", w.stage, ":", w.round);
    }
  };
  return std::visit(Visitor{}, write);
}

}  // namespace

std::string Describe(const WriteSet& writes) {
  std::vector<std::string> words;
  for (const Write& write : writes) words.push_back(Describe(write));
  return absl::StrJoin(words, " ");
}

}  // namespace somafit
