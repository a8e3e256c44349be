#pragma once

#include <csignal>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include <CLI/CLI.hpp>

namespace somafit {

// What programs do between main and their work. `program` is the name of the
// one that runs, with which its messages begin.

// Prints what went wrong.
void PrintError(const char* program, const absl::Status& status);

// Whether this processor has the instructions for which everything here is
// compiled; prints if not. Call first: without them any other may end the
// program without a word.
bool ProcessorSuffices(const char* program);

// The exit status if the command line says all (help, version, a mistake).
std::optional<int> Parse(CLI::App& app, int argc, char** argv);

// --log-level, and the log that it asks for: lines to stderr.
void AddLogLevel(CLI::App& app, std::string& level);
void StartLog(const std::string& level);

// Arms what the environment's SOMAFIT_FAULTS names; prints and returns false
// where that cannot be read. Call before other threads.
bool ArmFaultsOfEnvironment(const char* program);

std::string HostName();

// Leaves SIGTERM and SIGINT to sigwait; call before other threads, which
// inherit that.
sigset_t BlockStopSignals();

// Runs `work`, then ends the program, with status 1 and a message if it failed.
// At a signal, for which `next_signal` waits, calls `stop` from another thread,
// upon which `work` shall return; at a second one ends the program at once.
[[noreturn]] void WorkUntilSignal(const char* program,
                                  const std::function<int()>& next_signal,
                                  const std::function<void()>& stop,
                                  const std::function<absl::Status()>& work);

}  // namespace somafit
