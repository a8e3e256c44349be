#include "worker/core/base/fault.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(FaultTest, CrashesAtTheNthHit) {
  EXPECT_EXIT(
      {
        (void)ArmFaults("other:crash:1,here:crash:3");
        FaultPoint("here");
        FaultPoint("nowhere");
        FaultPoint("here");
        FaultPoint("here");
        std::exit(0);
      },
      testing::ExitedWithCode(137), "");
  EXPECT_EXIT(
      {
        (void)ArmFaults("here:crash:3");
        FaultPoint("here");
        FaultPoint("here");
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(FaultTest, RefusesWhatItCannotRead) {
  for (const char* text : {"x", "x:crash", "x:crash:0", "x:crash:y", "x:hang:1",
                           ":crash:1", "x:delay=:1", "x:crash:1:2"}) {
    EXPECT_FALSE(ArmFaults(text).ok()) << text;
  }
}

}  // namespace
}  // namespace somafit
