// TorchScript modules as embeddings: code, which is run only where it may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/convert/digest.h"
#include "tests/server/inference/script_module.h"
#include "tests/server/trainer/linear_lab.h"

namespace somafit {
namespace {

using testing::HasSubstr;

// 200 simulations of round 0, quick trainings, and `module`.
LinearLab Prepared(const std::string& module, bool allowed = true) {
  LinearLab lab("tsnpe", "mdn");
  lab.problem().mutable_training()->set_max_num_epochs(2);
  v1::NamedText* const option =
      lab.problem().mutable_estimator()->add_options();
  option->set_name("torch_script");
  option->set_text(Sha256Hex(module));
  lab.script = module;
  lab.Simulate(0, lab.Draw(0, 200)->theta);
  lab.allow_scripts = allowed;
  return lab;
}

TEST(Scripts, AreTrainedAndAsked) {
  LinearLab lab = Prepared(LinearModule(2, 3));
  const auto outcome = lab.Train(0);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  lab.estimators[0] = outcome->estimators;
  v1::AskPosteriorRequest ask;
  ask.mutable_draw()->set_n(5);
  const auto draws = lab.Ask(ask, 0);
  ASSERT_TRUE(draws.ok()) << draws.status();
  EXPECT_EQ(draws->theta_size(), 10);
  // The next round goes on from what was learned.
  lab.Simulate(1, lab.Draw(1, 100)->theta);
  EXPECT_TRUE(lab.Train(1).ok());
}

// Not the task's fault: another trainer may run it, or this one later.
TEST(Scripts, AreRefusedWithoutTheFlag) {
  LinearLab lab = Prepared(LinearModule(2, 3));
  lab.estimators[0] = lab.Train(0)->estimators;
  LinearLab refusing = Prepared(LinearModule(2, 3), false);
  refusing.estimators = lab.estimators;
  v1::AskPosteriorRequest ask;
  ask.mutable_draw()->set_n(5);
  for (const absl::Status& status :
       {refusing.Train(0).status(), refusing.Ask(ask, 0).status(),
        refusing.Draw(1, 5).status()}) {
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("--allow-torchscript"));
  }
}

TEST(Scripts, WhatIsNoneOrLiesIsSaid) {
  for (const auto& [module, words] : {
           std::pair<std::string, const char*>{"no module", "cannot be loaded"},
           {LinearModule(5, 3),
            "cannot be loaded or run on data of shape [n x "
            "2]"},
           {ScriptedModule("x.sum()"), "returns the shape"},
           {ScriptedModule("x.to(\"cpu\").double()"), "float32"},
       }) {
    LinearLab lab = Prepared(module);
    const absl::Status status = lab.Train(0).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
  LinearLab lab = Prepared(LinearModule(2, 3));
  lab.script += "x";
  EXPECT_TRUE(absl::IsDataLoss(lab.Train(0).status()));
}

TEST(Scripts, AreDeclaredAlone) {
  LinearLab lab = Prepared(LinearModule(2, 3));
  lab.problem().mutable_estimator()->add_embedding()->set_kind("gru");
  const absl::Status both = ReadProblem(lab.problem()).status();
  EXPECT_THAT(std::string(both.message()), HasSubstr("both as layers"));
  lab.problem().mutable_estimator()->clear_embedding();
  lab.problem().mutable_estimator()->mutable_options(0)->set_text("net.pt");
  const absl::Status file = ReadProblem(lab.problem()).status();
  EXPECT_THAT(std::string(file.message()),
              HasSubstr("`net.pt` is not the SHA-256 of a module"));
}

}  // namespace
}  // namespace somafit
