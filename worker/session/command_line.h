#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "worker/session/session_port.h"

namespace somafit {

// What the command lines of programs that work for a coordinator have in
// common.
struct SessionArguments {
  std::string endpoint;
  std::string name;
  int threads = 0;
  std::optional<double> idle_exit_s;
};

// Returns --endpoint. `threads` says what threads are for.
CLI::Option* AddSessionArguments(CLI::App& app, SessionArguments& arguments,
                                 const std::string& threads);

// The identity that was asked for, by default of this process on all cores.
Identity IdentityOf(const SessionArguments& arguments, std::string version);

}  // namespace somafit
