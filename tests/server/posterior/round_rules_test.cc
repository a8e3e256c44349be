#include "server/posterior/round_rules.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(RoundRulesTest, RoundFollowsFromTheProposal) {
  struct Row {
    ProposalKind proposal;
    std::optional<int> latest;
    int round;
  };
  for (const Row& row :
       {Row{ProposalKind::kPrior, {}, 0}, Row{ProposalKind::kPrior, 3, 0},
        Row{ProposalKind::kRestrictedPrior, 0, 0},
        Row{ProposalKind::kTruncatedPrior, 2, 0},
        Row{ProposalKind::kPosterior, {}, 1},
        Row{ProposalKind::kPosterior, 0, 1},
        Row{ProposalKind::kPosterior, 4, 5}}) {
    EXPECT_EQ(RoundOf(row.proposal, row.latest), row.round);
  }
}

TEST(RoundRulesTest, ChoosesWhatToTrainOn) {
  struct Row {
    Algorithm algorithm;
    int round;
    bool discard;
    int first;
  };
  for (const Row& row :
       {Row{Algorithm::kNpeA, 3, false, 3}, Row{Algorithm::kNpeB, 3, false, 0},
        Row{Algorithm::kNpeB, 3, true, 1}, Row{Algorithm::kNpeC, 0, true, 0},
        Row{Algorithm::kTruncatedNpe, 0, false, 0},
        Row{Algorithm::kNle, 2, true, 1}}) {
    const RoundRange range =
        RoundsToTrainOn(row.algorithm, row.round, row.discard);
    EXPECT_EQ(range.first, row.first);
    EXPECT_EQ(range.last, row.round);
  }
}

// 12 rows of two features, two of them invalid.
std::vector<double> WithInvalid() {
  std::vector<double> x;
  for (int i = 0; i < 24; ++i) x.push_back(std::sin(i));
  x[2] = NAN, x[3] = kInf, x[11] = -kInf;
  return x;
}

TEST(RoundRulesTest, LeavesOutInvalidRowsWhereThatIsRight) {
  struct Row {
    InvalidRows policy;
    Algorithm algorithm;
    int round;
    const char* message;  // of a success
    const char* error;
  };
  for (const Row& row : {
           Row{InvalidRows::kDefault, Algorithm::kNpeC, 0,
               "2 of 12 simulations of round 0 have invalid features (1 nan, 1 "
               "infinite) and are left out",
               nullptr},
           Row{InvalidRows::kDefault, Algorithm::kNpeC, 1, nullptr,
               "leaving them out here would change"},
           Row{InvalidRows::kExclude, Algorithm::kNpeC, 1,
               "biased towards parameters that are valid", nullptr},
           Row{InvalidRows::kDefault, Algorithm::kNle, 0, nullptr,
               "2 of 12 simulations"},
           Row{InvalidRows::kExclude, Algorithm::kNre, 0,
               "the likelihood is wrong unless", nullptr},
           Row{InvalidRows::kKeep, Algorithm::kNpeA, 0, nullptr,
               "are to be excluded if"},
       }) {
    const auto valid =
        SelectValidRows(WithInvalid(), 2, row.policy, row.algorithm, row.round);
    if (row.error != nullptr) {
      EXPECT_THAT(std::string(valid.status().message()), HasSubstr(row.error));
      continue;
    }
    ASSERT_TRUE(valid.ok()) << valid.status();
    EXPECT_THAT(valid->rows, ElementsAre(0, 2, 3, 4, 6, 7, 8, 9, 10, 11));
    EXPECT_THAT(valid->messages, ElementsAre(HasSubstr(row.message)));
  }
  const std::vector<double> few(18, 1.0);
  EXPECT_THAT(std::string(SelectValidRows(few, 2, InvalidRows::kDefault,
                                          Algorithm::kNpeC, 0)
                              .status()
                              .message()),
              HasSubstr("only 9 of 9 simulations"));
}

TEST(RoundRulesTest, WarnsOfFeaturesThatTellNothing) {
  std::vector<double> x;
  for (int i = 0; i < 100; ++i) {
    x.push_back(5);
    x.push_back(std::sin(i));
    x.push_back(i == 50 ? 1e6 : std::cos(i));
  }
  const std::vector<std::string> names = {"rate", "mean", "energy"};
  EXPECT_THAT(FeatureWarnings(x, 3, names),
              ElementsAre(HasSubstr("the features \"rate\" are the same"),
                          HasSubstr("\"energy\" (1) have values")));
  EXPECT_THAT(FeatureWarnings(x, 3),
              ElementsAre(HasSubstr("the features 0 are"), testing::_));
  EXPECT_THAT(FeatureWarnings(std::vector<double>(40, 2.0), 4),
              ElementsAre(HasSubstr("all 10 simulations have the same")));
  std::vector<double> twice;
  for (int i = 0; i < 100; ++i) twice.push_back(i / 2);
  EXPECT_THAT(FeatureWarnings(twice, 1),
              ElementsAre(HasSubstr("50 of 100 simulations")));
  std::vector<double> fine;
  for (int i = 0; i < 100; ++i) fine.push_back(i);
  EXPECT_TRUE(FeatureWarnings(fine, 1).empty());
  EXPECT_TRUE(FeatureWarnings(std::span(fine).first(1), 1).empty());
}

TEST(RoundRulesTest, NeedsEnoughToTrainAndValidate) {
  EXPECT_TRUE(CheckTrainingSize(10, 0.1).ok());
  EXPECT_FALSE(CheckTrainingSize(9, 0.1).ok());
  EXPECT_FALSE(CheckTrainingSize(100, 0).ok());
  EXPECT_FALSE(CheckTrainingSize(100, 1).ok());
  EXPECT_FALSE(CheckTrainingSize(100, 0.99).ok());
}

}  // namespace
}  // namespace somafit
