#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace somafit {

// What a subcommand does, once the command line is read: its exit status.
using DescribeAction = std::function<int()>;

// Adds `check` and `compile` to somafit-worker; the one that was given sets
// `action`. Both read an experiment's outline on stdin, as the programs
// `somafit check` and `somafit compile` write it, and print to stdout; mistakes
// and warnings go to stderr. Exit status: 0; 1 where the experiment has
// mistakes; 2 where stdin holds no outline.
void AddDescribeCommands(CLI::App& app, DescribeAction* action);

}  // namespace somafit
