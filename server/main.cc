#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>
#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include "proto/convert/digest.h"
#include "proto/convert/endpoint_file.h"
#include "server/rpc/rpc_server.h"
#include "server/store/sqlite_store.h"
#include "server/tls_files.h"
#include "server/trainer_child.h"
#include "worker/core/base/status.h"
#include "worker/program/program.h"

namespace somafit {
namespace {

constexpr char kProgram[] = "somafit-server";

constexpr char kExamples[] = R"(
Examples:
  somafit-server --db fits.db --endpoint fits.endpoint
      For this host: listens on 127.0.0.1, on a free port.
  somafit-server --listen unix:/run/user/1000/somafit.sock --db fits.db \
      --endpoint fits.endpoint
      For this user: whoever may open the socket needs no token.
  somafit-server --listen 0.0.0.0:7700 --advertise node1.example --db fits.db \
      --endpoint fits.endpoint --tls-cert node1.crt --tls-key node1.key
      For other hosts: give workers and clients a copy of fits.endpoint.
)";

struct Options {
  std::string listen = "127.0.0.1:0";
  std::string database;
  std::string endpoint;
  std::string advertise;
  std::string certificate, key, ca;
  double lease_s = 30;
  std::string log_level = "info";
  bool allow_network_fs = false;
  bool no_reflection = false;
  bool allow_scripts = false;
  bool no_trainer = false;
};

void DescribeOptions(CLI::App& app, Options& options) {
  app.footer(kExamples);
  app.set_version_flag("--version", "somafit-server " SOMAFIT_VERSION);
  app.add_option("--listen", options.listen,
                 "HOST:PORT (port 0: a free one) or unix:/PATH")
      ->capture_default_str();
  app.add_option("--db", options.database,
                 "SQLite file that remembers everything; made if missing")
      ->required();
  app.add_option("--endpoint", options.endpoint,
                 "file to write for workers and clients: address, token, CA. "
                 "Its token is kept when it exists")
      ->required();
  app.add_option("--advertise", options.advertise,
                 "host name to write into the endpoint file (default: that of "
                 "--listen, or this host's name for 0.0.0.0 and ::)");
  auto* certificate = app.add_option("--tls-cert", options.certificate,
                                     "PEM of the server's certificate");
  auto* key = app.add_option("--tls-key", options.key, "PEM of its key");
  certificate->needs(key);
  key->needs(certificate);
  app.add_option("--tls-ca", options.ca,
                 "PEM that clients should trust (default: the certificate)")
      ->needs(certificate);
  app.add_option("--lease", options.lease_s,
                 "seconds of silence after which a worker's tasks go to others")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  AddLogLevel(app, options.log_level);
  app.add_flag("--allow-network-fs", options.allow_network_fs,
               "keep the database on a network file system although its locks "
               "may fail there");
  app.add_flag("--no-trainer", options.no_trainer,
               "start no somafit-trainer when an inference needs one and none "
               "is connected");
  app.add_flag("--allow-torchscript", options.allow_scripts,
               "take TorchScript modules as embeddings of inferences, and let "
               "the trainer that is started here run them: they are code");
  app.add_flag("--no-reflection", options.no_reflection,
               "do not describe the services to anybody who asks");
}

// gRPC's own lines, in our form.
void LogGrpc(gpr_log_func_args* line) {
  const auto level = line->severity == GPR_LOG_SEVERITY_ERROR
                         ? spdlog::level::warn
                         : spdlog::level::debug;
  spdlog::log(level, "event=grpc message=\"{}\"", line->message);
}

// Whether nobody else may have written the file.
bool IsPrivate(const std::string& path) {
  struct stat about = {};
  return ::lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
         about.st_uid == ::geteuid() && (about.st_mode & 077) == 0;
}

// The token that workers and clients already have, or a new one.
absl::StatusOr<std::string> TokenFor(const std::string& endpoint_path) {
  const absl::StatusOr<v1::Endpoint> known = LoadEndpoint(endpoint_path);
  if (known.ok() && !IsPrivate(endpoint_path)) {
    spdlog::warn(
        "event=endpoint_replaced reason=\"{} may have been written or read by "
        "others; it gets a new token\"",
        endpoint_path);
    return RandomHex128();
  }
  if (known.ok() && known->token().size() >= 32) return known->token();
  if (!known.ok() && !absl::IsNotFound(known.status())) {
    spdlog::warn("event=endpoint_replaced reason=\"{}\"",
                 std::string(known.status().message()));
  }
  return RandomHex128();
}

struct Prepared {
  RpcServerOptions rpc;
  v1::Endpoint endpoint;
};

absl::StatusOr<Prepared> Prepare(const Options& options) {
  Prepared prepared;
  SOMAFIT_ASSIGN_OR_RETURN(prepared.rpc.listen,
                           ParseListenAddress(options.listen));
  const ListenAddress& listen = prepared.rpc.listen;
  const bool tls = !options.certificate.empty();
  if (listen.is_unix() && tls) {
    return absl::InvalidArgumentError(
        "--tls-cert is of no use on a unix socket; leave it out");
  }
  if (!listen.is_unix() && !tls && !IsLoopback(listen.host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen ", options.listen,
        " is reachable from other hosts, which needs TLS; give --tls-cert and "
        "--tls-key, or listen on 127.0.0.1"));
  }
  if (tls) {
    SOMAFIT_ASSIGN_OR_RETURN(
        prepared.rpc.tls,
        ReadTlsFiles(options.certificate, options.key, options.ca));
    prepared.endpoint.set_ca(prepared.rpc.tls->ca);
  }
  if (!listen.is_unix()) {
    SOMAFIT_ASSIGN_OR_RETURN(prepared.rpc.token, TokenFor(options.endpoint));
    prepared.endpoint.set_token(prepared.rpc.token);
  }
  prepared.rpc.lease_s = options.lease_s;
  prepared.rpc.reflection = !options.no_reflection;
  prepared.rpc.allow_scripts = options.allow_scripts;
  prepared.rpc.version = SOMAFIT_VERSION;
  std::error_code error;
  const auto absolute = std::filesystem::absolute(options.database, error);
  prepared.rpc.database = error ? options.database : absolute.string();
  return prepared;
}

std::string AdvertisedAddress(const ListenAddress& listening,
                              const std::string& advertise) {
  ListenAddress shown = listening;
  if (shown.is_unix()) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(shown.socket_path, error);
    if (!error) shown.socket_path = absolute.string();
  } else if (!advertise.empty()) {
    shown.host = advertise;
  } else if (IsAnyHost(shown.host)) {
    shown.host = HostName();
  }
  return shown.Text();
}

absl::Status Serve(const Options& options, Prepared prepared,
                   const sigset_t& signals) {
  SOMAFIT_RETURN_IF_ERROR(CheckFree(prepared.rpc.listen));
  SqliteStoreOptions store_options;
  store_options.allow_network_fs = options.allow_network_fs;
  SOMAFIT_ASSIGN_OR_RETURN(
      std::unique_ptr<Store> store,
      SqliteStore::Open(options.database, std::move(store_options)));
  // Its endpoint file is written below, which it waits for.
  std::vector<std::string> arguments = {"--endpoint",  options.endpoint,
                                        "--idle-exit", "600",
                                        "--log-level", options.log_level};
  if (options.allow_scripts) arguments.push_back("--allow-torchscript");
  TrainerChild trainer(std::move(arguments));
  if (!options.no_trainer) {
    prepared.rpc.start_trainer = [&trainer](bool needed) {
      needed ? trainer.Start() : trainer.Connected();
    };
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      const std::unique_ptr<RpcServer> server,
      RpcServer::Start(std::move(prepared.rpc), std::move(store)));
  prepared.endpoint.set_address(
      AdvertisedAddress(server->address(), options.advertise));
  SOMAFIT_RETURN_IF_ERROR(StoreEndpoint(options.endpoint, prepared.endpoint));
  spdlog::info("event=serving address=\"{}\" endpoint=\"{}\" version={}",
               server->address().Text(), options.endpoint, SOMAFIT_VERSION);
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("event=stopping signal={}", signal);
  server->Stop();
  trainer.Stop();
  spdlog::info("event=stopped");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const sigset_t signals = BlockStopSignals();
  std::signal(SIGPIPE, SIG_IGN);

  Options options;
  CLI::App app("Somafit's coordinator: remembers fits, hands out work.");
  DescribeOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  StartLog(options.log_level);
  gpr_set_log_function(&LogGrpc);
  if (!ArmFaultsOfEnvironment(kProgram)) return 2;
  absl::StatusOr<Prepared> prepared = Prepare(options);
  if (!prepared.ok()) {
    PrintError(kProgram, prepared.status());
    return 2;
  }
  const absl::Status served = Serve(options, *std::move(prepared), signals);
  if (served.ok()) return 0;
  PrintError(kProgram, served);
  return 1;
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) { return somafit::Main(argc, argv); }
