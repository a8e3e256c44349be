#include "client/lib/connection.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "proto/convert/status.h"

namespace somafit {
namespace {

using std::chrono::milliseconds;

constexpr auto kDeadline = std::chrono::seconds(30);
constexpr milliseconds kPauses[] = {milliseconds(100), milliseconds(400),
                                    milliseconds(1000)};

std::shared_ptr<grpc::Channel> OpenChannel(const v1::Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  // Rounds carry all their samples.
  arguments.SetMaxReceiveMessageSize(256 << 20);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (endpoint.ca().empty()) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = endpoint.ca();
    credentials = grpc::SslCredentials(options);
  }
  return grpc::CreateCustomChannel(endpoint.address(), credentials, arguments);
}

}  // namespace

Connection::Connection(KnownEndpoint known) : known_(std::move(known)) {
  Open();
}

void Connection::Open() {
  const std::shared_ptr<grpc::Channel> channel = OpenChannel(known_.endpoint);
  stub_ = v1::FitService::NewStub(channel);
  inference_ = v1::InferenceService::NewStub(channel);
}

bool Connection::Refresh() {
  absl::StatusOr<KnownEndpoint> known = ReadEndpointFile(known_.path);
  if (!known.ok() || known->endpoint.SerializeAsString() ==
                         known_.endpoint.SerializeAsString()) {
    return false;
  }
  known_ = *std::move(known);
  Open();
  return true;
}

void Connection::Authorize(grpc::ClientContext* context) const {
  if (known_.endpoint.token().empty()) return;
  context->AddMetadata("authorization",
                       absl::StrCat("Bearer ", known_.endpoint.token()));
}

absl::Status Connection::Retry(
    const std::function<grpc::Status(grpc::ClientContext*)>& attempt) {
  grpc::Status status;
  for (size_t i = 0;; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    Authorize(&context);
    status = attempt(&context);
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
        i == std::size(kPauses)) {
      return Explain(status);
    }
    std::this_thread::sleep_for(kPauses[i]);
    Refresh();
  }
}

absl::Status Connection::Explain(const grpc::Status& status) const {
  const std::string& address = known_.endpoint.address();
  const std::string& path = known_.path;
  const std::string& said = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE: {
      // It answers, but nobody who trains is there.
      if (absl::StrContains(said, "trainer")) return FromGrpc(status);
      const std::string lower = absl::AsciiStrToLower(said);
      const bool tls = !known_.endpoint.ca().empty() &&
                       (absl::StrContains(lower, "ssl") ||
                        absl::StrContains(lower, "certificate"));
      if (tls) {
        return absl::UnavailableError(absl::StrCat(
            "no TLS connection to ", address, " (from ", path, "): ", said,
            "; take the endpoint file that the running server wrote"));
      }
      return absl::UnavailableError(
          absl::StrCat("no coordinator answers at ", address, " (from ", path,
                       "); start one with: somafit-server --listen ", address,
                       " --db fits.db --endpoint ", path));
    }
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::DeadlineExceededError(
          absl::StrCat("the coordinator at ", address, " (from ", path,
                       ") did not answer within 30 s; try again"));
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::UnauthenticatedError(absl::StrCat(
          "the coordinator at ", address, " does not know the token in ", path,
          "; take the endpoint file that this server wrote when it started"));
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(
          absl::StrCat("the server at ", address, " (from ", path,
                       ") does not offer this call: another version of "
                       "somafit-server, or another program; ",
                       said));
    default:
      return FromGrpc(status);
  }
}

}  // namespace somafit
