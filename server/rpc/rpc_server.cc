#include "server/rpc/rpc_server.h"

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <spdlog/spdlog.h>

#include "proto/convert/digest.h"
#include "server/rpc/fit_handler.h"
#include "server/rpc/inference_handler.h"
#include "server/rpc/parts.h"
#include "server/rpc/planning.h"
#include "server/rpc/trainer_handler.h"
#include "server/rpc/worker_handler.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr int kMaxMessage = 16 << 20;
constexpr size_t kBufferBytes = size_t{1} << 30;  // of all calls together
constexpr int kSyncThreads = 64;                  // reflection only
constexpr int kMaxStreams = 1000;                 // of one connection
constexpr int kMaxMetadata = 16 << 10;
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr int kTicksPerWorkerCheck = 10;
constexpr auto kDrain = std::chrono::seconds(3);

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(
    const std::optional<TlsFiles>& tls) {
  if (!tls) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({tls->key, tls->certificate});
  return grpc::SslServerCredentials(options);
}

// Reflection is a plugin, and the only one here.
class NoPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    plugins->clear();
  }
};

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.SetMaxSendMessageSize(kMaxMessage);
  grpc::ResourceQuota quota("somafit");
  quota.Resize(kBufferBytes);
  quota.SetMaxThreads(kSyncThreads);
  builder.SetResourceQuota(quota);
  const auto minutes = [](int n) { return n * 60 * 1000; };
  const std::pair<const char*, int> arguments[] = {
      // Two servers on one port would share its connections.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata},
      {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 30'000},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, minutes(30)},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, minutes(5)},
  };
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, value);
  }
}

}  // namespace

struct RpcServer::State {
  State(RpcServerOptions given, std::unique_ptr<Store> opened)
      : options(std::move(given)),
        store(std::move(opened)),
        coordinator({.lease_s = options.lease_s}, &RandomHex128),
        strand(coordinator, *store, replies),
        datasets(*store),
        leases(strand, replies, options.lease_wait_s),
        trainers(strand, replies, options.lease_wait_s),
        parts{.store = *store,
              .strand = strand,
              .datasets = datasets,
              .leases = leases,
              .watches = watches,
              .traces = traces,
              .trainers = trainers,
              .questions = questions,
              .trainings = trainings,
              .replies = replies,
              .slow = slow,
              .access = options.listen.is_unix()
                            ? Access::Open()
                            : Access::WithToken(options.token),
              .version = options.version,
              .database = options.database,
              .allow_scripts = options.allow_scripts},
        fit_handler(parts),
        worker_handler(parts),
        inference_handler(parts),
        trainer_handler(parts) {
    strand.questions_changed = [this](const std::set<int64_t>& numbers) {
      questions.Wake(numbers);
    };
    strand.touched = [this](const std::set<int64_t>& fits) {
      watches.Wake(fits);
      trainings.Wake(fits);
    };
    strand.trainings_changed = [this](const std::set<int64_t>& fits) {
      trainings.Wake(fits);
    };
    strand.traces_changed = [this](const std::set<int64_t>& requests) {
      traces.Wake(requests);
    };
  }

  absl::Status Recover();
  absl::Status Listen();
  void KeepTime();
  void LogLostWorkers();
  void Stop();

  RpcServerOptions options;
  std::unique_ptr<Store> store;
  Executor replies{2};
  Executor slow{4};
  Coordinator coordinator;
  Strand strand;
  DatasetShelf datasets;
  WatchHub watches;
  TraceHub traces;
  QuestionHub questions;
  TrainingHub trainings;
  LeaseQueue leases;
  TrainerQueue trainers;
  ServerParts parts;
  FitHandler fit_handler;
  WorkerHandler worker_handler;
  InferenceHandler inference_handler;
  TrainerHandler trainer_handler;
  std::unique_ptr<grpc::Server> server;

  std::mutex time_mutex;
  std::condition_variable time_changed;
  bool time_over = false;
  std::thread ticker;
  std::map<std::string, std::string> worker_states;  // ticker only
};

absl::Status RpcServer::State::Recover() {
  SOMAFIT_ASSIGN_OR_RETURN(std::vector<StoredFit> fits, store->LoadFits());
  SOMAFIT_ASSIGN_OR_RETURN(const int64_t next_id, store->NextFitId());
  const size_t count = fits.size();
  absl::Status status;
  std::promise<void> durable;
  strand.Decide(
      [&](Coordinator& deciding, Now now, Effects& effects) {
        status = deciding.Recover(
            std::move(fits), next_id,
            [this](const FitRecord& fit) {
              return PlanOf(fit.spec, fit.model_hash, datasets);
            },
            now, effects);
      },
      [&durable] { durable.set_value(); });
  durable.get_future().wait();
  SOMAFIT_RETURN_IF_ERROR(status);
  strand.fit_count += static_cast<int64_t>(count);
  spdlog::info("event=recovered fits={} database=\"{}\"", count,
               options.database);
  return absl::OkStatus();
}

absl::Status RpcServer::State::Listen() {
  SOMAFIT_RETURN_IF_ERROR(CheckFree(options.listen));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  if (!options.reflection) builder.SetOption(std::make_unique<NoPlugins>());
  SetLimits(builder);
  int port = 0;
  builder.AddListeningPort(options.listen.Text(), CredentialsOf(options.tls),
                           &port);
  builder.RegisterService(&fit_handler);
  builder.RegisterService(&worker_handler);
  builder.RegisterService(&inference_handler);
  builder.RegisterService(&trainer_handler);
  // Whoever may enter the directory may use the socket otherwise.
  const mode_t mask = ::umask(0177);
  server = builder.BuildAndStart();
  ::umask(mask);
  if (server == nullptr || (!options.listen.is_unix() && port == 0)) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ",
                                               options.listen.Text(),
                                               "; see the messages above"));
  }
  if (!options.listen.is_unix()) options.listen.port = port;
  server->GetHealthCheckService()->SetServingStatus(true);
  ticker = std::thread([this] { KeepTime(); });
  return absl::OkStatus();
}

void RpcServer::State::KeepTime() {
  std::unique_lock lock(time_mutex);
  for (int n = 1;
       !time_changed.wait_for(lock, kTick, [this] { return time_over; }); ++n) {
    lock.unlock();
    strand.Decide([](Coordinator& deciding, Now now,
                     Effects& effects) { deciding.Tick(now, effects); },
                  nullptr);
    leases.Expire();
    trainers.Expire();
    if (n % kTicksPerWorkerCheck == 0) LogLostWorkers();
    if (options.start_trainer) {
      bool lacks = false;
      strand.Peek([&](Coordinator& deciding, RequestLog&) {
        lacks = deciding.LacksTrainer(ReadClock());
      });
      options.start_trainer(lacks);
    }
    lock.lock();
  }
}

void RpcServer::State::LogLostWorkers() {
  std::vector<WorkerView> workers;
  strand.Peek([&](Coordinator& deciding, RequestLog&) {
    workers = deciding.Workers(ReadClock());
  });
  std::map<std::string, std::string> states;
  for (const WorkerView& worker : workers) {
    const std::string key = absl::StrCat(worker.name, "@", worker.host);
    if (states[key] != "idle" && states[key] != "busy") {
      states[key] = worker.state;
    }
  }
  for (const auto& [key, state] : states) {
    const auto before = worker_states.find(key);
    if (state == "lost" && before != worker_states.end() &&
        before->second != "lost") {
      spdlog::info("event=worker_lost worker=\"{}\"", key);
    }
  }
  for (const auto& [key, state] : worker_states) {
    if (state != "lost" && !states.contains(key)) {
      spdlog::info("event=worker_gone worker=\"{}\"", key);
    }
  }
  worker_states = std::move(states);
}

void RpcServer::State::Stop() {
  if (store == nullptr) return;
  if (server != nullptr) {
    server->GetHealthCheckService()->SetServingStatus(false);
    leases.Drain();
    trainers.Drain();
    questions.Drain(QuestionsDraining());
    trainings.Drain(TrainingStream::Draining());
    watches.Drain(WatchStream::Draining());
    traces.Drain(TraceStream::Draining());
    server->Shutdown(std::chrono::system_clock::now() + kDrain);
    server->Wait();
  }
  {
    std::lock_guard lock(time_mutex);
    time_over = true;
  }
  time_changed.notify_all();
  if (ticker.joinable()) ticker.join();
  slow.Stop();
  strand.Stop();
  // Commits what was decided; callbacks go to `replies`, and end there.
  store.reset();
  replies.Stop();
  server.reset();
  if (options.listen.is_unix()) ::unlink(options.listen.socket_path.c_str());
}

RpcServer::RpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

RpcServer::~RpcServer() { Stop(); }

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    RpcServerOptions options, std::unique_ptr<Store> store) {
  std::unique_ptr<RpcServer> server(new RpcServer(
      std::make_unique<State>(std::move(options), std::move(store))));
  SOMAFIT_RETURN_IF_ERROR(server->state_->Recover());
  SOMAFIT_RETURN_IF_ERROR(server->state_->Listen());
  return server;
}

const ListenAddress& RpcServer::address() const {
  return state_->options.listen;
}

void RpcServer::Stop() { state_->Stop(); }

}  // namespace somafit
