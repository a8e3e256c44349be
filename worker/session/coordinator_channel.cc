#include "worker/session/coordinator_channel.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/convert/status.h"

namespace somafit {
namespace {

constexpr int kMaxMessage = 16 << 20;
// The coordinator answers after 20 s.
constexpr auto kLongPollLimit = std::chrono::seconds(35);

std::shared_ptr<grpc::Channel> ChannelTo(const v1::Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  arguments.SetMaxSendMessageSize(kMaxMessage);
  const std::pair<const char*, int> settings[] = {
      // A new connection shall not wait for the back-off of the one before.
      {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
      {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50},
      {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000},
      {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000},
      {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_MAX_METADATA_SIZE, 64 << 10},
  };
  for (const auto& [name, value] : settings) arguments.SetInt(name, value);
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::InsecureChannelCredentials();
  if (!endpoint.ca().empty()) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = endpoint.ca();
    credentials = grpc::SslCredentials(options);
  }
  return grpc::CreateCustomChannel(endpoint.address(), credentials, arguments);
}

}  // namespace

CoordinatorChannel::CoordinatorChannel(const v1::Endpoint& endpoint)
    : address_(endpoint.address()),
      token_(endpoint.token()),
      channel_(ChannelTo(endpoint)) {}

void CoordinatorChannel::Prepare(grpc::ClientContext& context,
                                 std::chrono::seconds limit) const {
  context.set_deadline(std::chrono::system_clock::now() + limit);
  if (!token_.empty()) {
    context.AddMetadata("authorization", "Bearer " + token_);
  }
}

absl::Status CoordinatorChannel::Placed(const grpc::Status& status) const {
  const absl::Status result = FromGrpc(status);
  if (result.ok() || status.error_code() != grpc::StatusCode::UNAVAILABLE) {
    return result;
  }
  return absl::UnavailableError(
      absl::StrCat("the coordinator at ", address_,
                   " cannot be reached: ", result.message()));
}

absl::Status CoordinatorChannel::Wait(
    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  Prepare(context, kLongPollLimit);
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return absl::CancelledError("waiting was stopped");
    waiting_ = &context;
  }
  const grpc::Status status = call(&context);
  {
    std::lock_guard lock(mutex_);
    waiting_ = nullptr;
  }
  return Placed(status);
}

void CoordinatorChannel::StopWaiting() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  if (waiting_ != nullptr) waiting_->TryCancel();
}

}  // namespace somafit
