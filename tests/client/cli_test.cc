// Runs the program itself, without a server.

#include <cstdio>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int status = -1;
  std::string text;  // stdout and stderr
};

Outcome RunProgram(const std::string& arguments) {
  const std::string command = "env -u SOMAFIT_ENDPOINT " SOMAFIT_PROGRAM " " +
                              arguments + " 2>&1 </dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  Outcome outcome;
  char piece[4096];
  while (const size_t n = fread(piece, 1, sizeof(piece), pipe)) {
    outcome.text.append(piece, n);
  }
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TEST(CliTest, EveryCommandHasHelpWithAnExample) {
  for (const std::string command :
       {"", "submit", "watch", "results", "evaluate", "generate", "list",
        "show", "pause", "resume", "cancel", "delete", "ack", "workers",
        "describe", "run", "check", "compile"}) {
    const Outcome outcome = RunProgram(command + " --help");
    EXPECT_EQ(outcome.status, 0) << command;
    EXPECT_THAT(outcome.text, HasSubstr("  somafit " + command));
  }
  EXPECT_THAT(RunProgram("--help").text, HasSubstr("Exit status: 0 success"));
  EXPECT_THAT(RunProgram("--version").text, HasSubstr("somafit 0."));
}

TEST(CliTest, ExitStatusAndMessageOfMistakes) {
  const ScratchFolder folder;
  const std::string good = folder.Write(
      "good.yaml",
      "dt: 1*ms\nmodel: {equations: 'dv/dt = -v/ms : volt'}\n"
      "data: {outputs: {v: {file: v.csv, unit: mV}}}\nstop: {rounds: 1}\n");
  const std::string bad = folder.Write("bad.yaml", "seed: x\nstep: 1\n");
  const std::string closed =
      folder.Write("closed", R"({"address": "127.0.0.1:1", "token": "t"})");
  std::filesystem::permissions(closed, std::filesystem::perms(0600));
  const std::string open =
      folder.Write("open", R"({"address": "127.0.0.1:1", "token": "t"})");
  std::filesystem::permissions(open, std::filesystem::perms(0644));
  const std::string broken = folder.Write("broken", "{");
  const std::string points = folder.Write("points.csv", "g\n1\n");
  struct Case {
    std::string arguments;
    int status;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"", 2, "a command is missing"},
      {"frobnicate", 2, "frobnicate"},
      {"list --frobnicate", 2, "--frobnicate"},
      {"list", 2, "give --endpoint FILE or set SOMAFIT_ENDPOINT"},
      {"list --endpoint " + folder.Path("none"), 3,
       "there is no endpoint file"},
      {"list --endpoint " + broken, 2, "not an endpoint file"},
      {"list --endpoint " + closed, 3,
       "no coordinator answers at 127.0.0.1:1 (from " + closed +
           "); start one with: somafit-server"},
      {"list --endpoint " + open, 3, "warning: " + open + " holds a token"},
      {"submit", 2, "file is required"},
      {"submit " + folder.Path("none.yaml"), 4, "none.yaml: No such file"},
      {"submit " + bad, 2,
       "bad.yaml:1:7: \"seed\" must be a whole number from 0 on, not \"x\""},
      {"submit " + bad, 2, "bad.yaml:2:1: unknown key \"step\""},
      {"submit " + good + " --set stop.round=1", 2,
       "--set stop.round=1: unknown key \"round\" in \"stop\""},
      {"submit " + good + " --seed x", 2, "--seed \"x\" is not a whole"},
      {"submit " + good + " --seed -1", 2, "--seed"},
      {"submit " + good + " --seed 1.5", 2, "--seed \"1.5\" is not a whole"},
      {"submit " + good + " --seed 18446744073709551616", 2, "2^64-1"},
      {"submit " + good + " --name Bad", 2, "\"Bad\" cannot be a fit's name"},
      {"submit " + good + " --endpoint " + closed, 2, "v.csv: No such file"},
      {"watch 'fits/a b'", 2, "cannot be a fit's name"},
      {"watch a --after x", 2, "--after \"x\" is not a sequence number"},
      {"watch a --after=-1", 2, "--after \"-1\" is not a sequence number"},
      {"watch a --format xml", 2, "--format"},
      {"watch a --endpoint " + closed, 3, "no coordinator answers"},
      {"results a --stage x", 2, "neither a number from 0 nor \"all\""},
      {"results a --format xml", 2, "--format"},
      {"evaluate a", 2, "--params is required"},
      {"evaluate a --params " + folder.Path("none.csv"), 4, "none.csv"},
      {"evaluate a --params " + points + " --endpoint " + closed, 3,
       "no coordinator answers"},
      {"evaluate a --params " + points + " -o " + folder.Path("no/such"), 2,
       "no/such: No such file"},
      {"results a -o " + folder.path(), 2, "it is a folder"},
      {"generate a", 2, "--output is required"},
      {"generate a --output v -o v.txt", 2, "ends in .csv, .npy or .svg"},
      {"generate a --output v -o /dev/null", 2, "in .csv, .npy or .svg"},
      {"generate a --output v -o " + folder.Path("no/such.npy"), 2,
       "no/such.npy: No such file"},
      {"generate a --output v --best --params " + points, 2, "--params"},
      {"generate a --output v --params " + folder.Path("none.csv"), 4,
       "none.csv"},
      {"generate a --output v --endpoint " + closed, 3,
       "no coordinator answers"},
      {"run " + good + " --results " + folder.Path("no/such"), 2,
       "no/such: No such file"},
      {"run " + good + " --resume a --seed 1", 2, "remove --seed"},
      {"run " + good + " --resume a --set stop.rounds=3", 2, "remove --seed"},
      {"delete a", 2, "add --yes"},
      {"ack a", 2, "either --continue or --stop"},
      {"ack a --continue --stop", 2, "either --continue or --stop"},
      {"describe birds", 2, "birds"},
      {"describe features --endpoint " + closed, 3, "no coordinator answers"},
      {"posterior", 2, "name is required"},
      {"posterior a --endpoint " + closed, 3, "no coordinator answers"},
      {"posterior a --export " + folder.Path("no/such"), 2, "no/such"},
      {"sample a -n 0", 2, "-n"},
      {"sample a --seed x", 2, "--seed \"x\" is not a whole"},
      {"sample a -o draws.txt", 2, "ends in .csv, .npy or .npz"},
      {"sample a -o " + folder.Path("no/such.csv"), 2, "no/such.csv"},
      {"sample a --round -1", 2, "--round"},
      {"sample a --endpoint " + closed, 3, "no coordinator answers"},
      {"density a", 2, "--points is required"},
      {"density a --points " + folder.Path("none.csv"), 4, "none.csv"},
      {"map 'a b'", 2, "cannot be a fit's name"},
      {"pairplot a", 2, "--output is required"},
      {"pairplot a -o plot.png", 2, "end the name in .svg"},
      {"pairplot a -o p.svg --style dots", 2, "--style"},
      {"conditional a -o plot.pdf", 2, "end the name in .svg"},
      {"conditional a --points x.csv --condition g=1", 2, "give one"},
      {"generate a --output v --posterior 3 --params " + points, 2,
       "--posterior"},
      {"generate a --output v --posterior-mean --map", 2, "--map"},
      {"run " + good, 2, "v.csv: No such file"},
      {"run " + good + " --db " + folder.Path("no/such.db"), 2,
       "there is no folder"},
      {"run " + good + " --workers 0", 2, "--workers"},
      {"run " + good + " --set gate.enabled=true", 2, "gate.enabled"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.arguments);
    const Outcome outcome = RunProgram(each.arguments);
    EXPECT_EQ(outcome.status, each.status) << outcome.text;
    EXPECT_THAT(outcome.text, HasSubstr(each.message));
  }
}

TEST(CliTest, ARunThatFailsLeavesNothing) {
  const ScratchFolder folder;
  folder.Write("v.csv", "x\n");
  const std::string file = folder.Write(
      "fit.yaml", "dt: 1*ms\ndata: {outputs: {v: {file: v.csv, unit: mV}}}\n");
  EXPECT_EQ(RunProgram("run " + file).status, 2);
  EXPECT_FALSE(std::filesystem::exists(folder.Path("fit.db")));
}

}  // namespace
}  // namespace somafit
