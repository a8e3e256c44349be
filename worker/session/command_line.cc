#include "worker/session/command_line.h"

#include <thread>
#include <unistd.h>
#include <utility>

#include "worker/program/program.h"

namespace somafit {

CLI::Option* AddSessionArguments(CLI::App& app, SessionArguments& arguments,
                                 const std::string& threads) {
  CLI::Option* endpoint =
      app.add_option("--endpoint", arguments.endpoint,
                     "endpoint file that the coordinator wrote; may come later")
          ->envname("SOMAFIT_ENDPOINT");
  app.add_option("--threads", arguments.threads, threads)
      ->check(CLI::Range(1, 4096));
  app.add_option("--name", arguments.name,
                 "name to show (default: host and process id)");
  app.add_option("--idle-exit", arguments.idle_exit_s,
                 "end when there was no task for so many seconds")
      ->check(CLI::Range(0.0, 1e9));
  return endpoint;
}

Identity IdentityOf(const SessionArguments& arguments, std::string version) {
  Identity identity;
  identity.host = HostName();
  identity.name = arguments.name.empty()
                      ? identity.host + "-" + std::to_string(::getpid())
                      : arguments.name;
  identity.version = std::move(version);
  const unsigned cores = std::thread::hardware_concurrency();
  identity.threads = arguments.threads > 0 ? arguments.threads
                     : cores > 0           ? static_cast<int>(cores)
                                           : 1;
  return identity;
}

}  // namespace somafit
