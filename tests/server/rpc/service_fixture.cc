#include "tests/server/rpc/service_fixture.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <spdlog/spdlog.h>

#include "proto/convert/status.h"
#include "server/store/sqlite_store.h"
#include "worker/core/base/elementary.h"
#include "worker/core/data/dataset.h"
#include "worker/core/units/unit.h"

namespace somafit {

std::unique_ptr<grpc::ClientContext> Soon() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(20));
  return context;
}

std::string ReasonIn(const grpc::Status& status) {
  return ReasonOf(FromGrpc(status));
}

void ServiceTest::SetUp() {
  spdlog::set_level(spdlog::level::off);
  std::string pattern = testing::TempDir() + "/somafit_rpc_XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  directory_ = pattern;
  StartServer();
}

void ServiceTest::TearDown() {
  StopServer();
  std::filesystem::remove_all(directory_);
}

void ServiceTest::StartServer(double lease_s, double wait_s) {
  auto store = SqliteStore::Open(directory_ + "/fits.db");
  ASSERT_TRUE(store.ok()) << store.status();
  RpcServerOptions options;
  options.listen.socket_path = directory_ + "/socket";
  options.lease_s = lease_s;
  options.lease_wait_s = wait_s;
  options.version = "test";
  auto server = RpcServer::Start(std::move(options), *std::move(store));
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(
      server_->address().Text(), grpc::InsecureChannelCredentials(), arguments);
  fits_ = v1::FitService::NewStub(channel_);
  workers_ = v1::WorkerService::NewStub(channel_);
}

void ServiceTest::StopServer() {
  if (server_ != nullptr) server_->Stop();
  server_.reset();
}

v1::FitSpec ServiceTest::ExampleSpec(int64_t samples, int64_t rounds) {
  v1::FitSpec spec;
  spec.mutable_model()->set_equations(
      "dv/dt = (g*(El - v) + I)/C : volt\ng : siemens (constant)\n");
  for (const auto& [name, text] :
       {std::pair{"El", "-65*mV"}, std::pair{"C", "200*pF"}}) {
    auto* constant = spec.mutable_model()->add_constants();
    constant->set_name(name);
    constant->set_text(text);
  }
  auto* initial = spec.mutable_model()->add_initial_values();
  initial->set_name("v");
  initial->set_text("El");
  spec.set_dt("0.1*ms");
  auto* parameter = spec.add_parameters();
  parameter->set_name("g");
  parameter->set_bounds("[1*nS, 100*nS]");
  spec.set_n_samples(samples);
  spec.mutable_stop()->set_rounds(rounds);
  spec.set_seed(7);
  return spec;
}

std::string ServiceTest::UploadExample() {
  Dataset dataset;
  dataset.inputs = {{"I", FindUnit("amp")->dimension}};
  dataset.outputs = {{"v", FindUnit("volt")->dimension}};
  for (int i = 0; i < 2; ++i) {
    dataset.traces.push_back(
        {.dt = 1e-4,
         .weight = 1,
         .inputs = {std::vector<double>(50, 5e-10 * (i + 1))},
         .targets = {std::vector<double>(50, -0.06 + 2e-3 * i)}});
  }
  const std::string bytes = EncodeDataset(dataset);
  const auto context = Soon();
  v1::UploadDatasetResponse response;
  const auto writer = fits_->UploadDataset(context.get(), &response);
  constexpr size_t kPiece = 100;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    v1::UploadDatasetRequest request;
    request.set_chunk(bytes.substr(at, kPiece));
    if (!writer->Write(request)) break;
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.dataset();
}

v1::Fit ServiceTest::Create(v1::FitSpec spec) {
  v1::CreateFitRequest request;
  *request.mutable_fit() = std::move(spec);
  request.mutable_fit()->set_dataset(UploadExample());
  v1::Fit fit;
  const grpc::Status status = fits_->CreateFit(Soon().get(), request, &fit);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return fit;
}

v1::Fit ServiceTest::Get(const std::string& name) {
  v1::GetFitRequest request;
  request.set_name(name);
  v1::Fit fit;
  const grpc::Status status = fits_->GetFit(Soon().get(), request, &fit);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return fit;
}

std::string ServiceTest::Register() {
  v1::RegisterRequest request;
  request.set_name("w");
  request.set_host("here");
  request.set_threads(1);
  request.set_version("test");
  request.set_numerics_version(kNumericsVersion);
  v1::RegisterResponse response;
  const grpc::Status status =
      workers_->Register(Soon().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.session();
}

double ServiceTest::ErrorOf(double g) { return (g - 5e-9) * (g - 5e-9) * 1e16; }

v1::ReportResultsRequest ServiceTest::ResultsOf(const std::string& session,
                                                const v1::Task& task) {
  v1::ReportResultsRequest report;
  report.set_session(session);
  report.set_lease(task.lease());
  report.set_fit(task.fit());
  report.set_microseconds(10);
  for (int i = 0; i < task.points_size(); ++i) {
    v1::SampleResult* result = report.add_results();
    const double error = ErrorOf(task.points(i));
    result->set_sample(task.first_sample() + i);
    result->set_status(v1::SAMPLE_STATUS_OK);
    result->set_total_error(error);
    result->add_output_error(error);
    result->add_output_error_normalized(error);
    result->add_trace_error(error);
    result->add_trace_error(error);
  }
  return report;
}

v1::Task ServiceTest::Lease(const std::string& session) {
  v1::LeaseTasksRequest request;
  request.set_session(session);
  request.set_max_tasks(1);
  v1::LeaseTasksResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(5));
  (void)workers_->LeaseTasks(&context, request, &response);
  return response.tasks_size() > 0 ? response.tasks(0) : v1::Task();
}

void ServiceTest::Work(const std::string& session, const std::string& fit,
                       int tasks) {
  for (int done = 0; done < tasks; ++done) {
    const v1::FitState state = Get(fit).state();
    if (state != v1::FIT_STATE_RUNNING) return;
    const v1::Task task = Lease(session);
    if (task.lease().empty()) return;
    v1::ReportResultsResponse response;
    const grpc::Status status = workers_->ReportResults(
        Soon().get(), ResultsOf(session, task), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    // The round's end follows the answer: let it happen before the next look.
    if (task.first_sample() + task.points_size() == Get(fit).samples_drawn()) {
      for (int i = 0; i < 500; ++i) {
        const v1::Fit now = Get(fit);
        if (now.samples_done() < now.samples_drawn() ||
            now.state() != v1::FIT_STATE_RUNNING) {
          break;
        }
      }
    }
  }
}

std::vector<v1::FitEvent> ServiceTest::Watch(
    const std::string& fit, int64_t after, grpc::Status* status,
    const std::function<bool(const v1::FitEvent&)>& stop) {
  v1::WatchFitRequest request;
  request.set_name(fit);
  request.set_after_seq(after);
  const auto context = Soon();
  const auto reader = fits_->WatchFit(context.get(), request);
  std::vector<v1::FitEvent> events;
  v1::FitEvent event;
  while (reader->Read(&event)) {
    events.push_back(event);
    if (stop && stop(event)) context->TryCancel();
  }
  const grpc::Status ended = reader->Finish();
  if (status != nullptr) *status = ended;
  return events;
}

}  // namespace somafit
