#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "proto/convert/digest.h"
#include "server/rpc/access.h"
#include "server/rpc/call.h"
#include "server/rpc/dataset_shelf.h"
#include "server/rpc/executor.h"
#include "server/rpc/lease_queue.h"
#include "server/rpc/question_hub.h"
#include "server/rpc/strand.h"
#include "server/rpc/trace_stream.h"
#include "server/rpc/trainer_queue.h"
#include "server/rpc/training_stream.h"
#include "server/rpc/watch_stream.h"
#include "server/study/store.h"

namespace somafit {

// What the handlers work with. Everything outlives them.
struct ServerParts {
  Store& store;
  Strand& strand;
  DatasetShelf& datasets;
  LeaseQueue& leases;
  WatchHub& watches;
  TraceHub& traces;
  TrainerQueue& trainers;
  QuestionHub& questions;
  TrainingHub& trainings;
  Executor& replies;  // quick work
  Executor& slow;     // what reads files, decodes or compiles
  Access access;
  std::string version;
  std::string database;
  bool allow_scripts = false;  // TorchScript modules, which trainers run
};

using CallPtr = std::shared_ptr<UnaryCall>;

// Begins a unary call: checks the token, then calls `begin(call)`. That either
// sees to it that the call will be finished, and returns Ok, or returns what it
// is to be refused with.
template <typename Begin>
grpc::ServerUnaryReactor* BeginCall(const ServerParts& parts,
                                    std::string_view method,
                                    grpc::CallbackServerContext* context,
                                    const std::string& request_id,
                                    Begin&& begin) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_shared<UnaryCall>(method, reactor, request_id);
  absl::Status status = parts.access.Check(*context);
  if (status.ok()) status = begin(call);
  if (!status.ok()) call->Finish(status);
  return reactor;
}

// SHA-256 of a request without its id: what makes two requests equal.
template <typename Request>
std::string BodyHash(const Request& request) {
  Request body = request;
  body.clear_request_id();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    body.SerializeToCodedStream(&coded);
  }
  return Sha256Hex(bytes);
}

// Makes a decision once per request id and answers the call with it.
// `decide(coordinator, now, effects)` returns StatusOr<Response>.
template <typename Response, typename Decide>
void AnswerOnce(ServerParts& parts, const CallPtr& call,
                const Strand::Once& once, Response* response,
                const Decide& decide) {
  parts.strand.DecideOnce(
      once,
      [&decide](Coordinator& coordinator, Now now,
                Effects& effects) -> absl::StatusOr<std::string> {
        absl::StatusOr<Response> made = decide(coordinator, now, effects);
        if (!made.ok()) return made.status();
        return made->SerializeAsString();
      },
      [call, response](absl::StatusOr<std::string> bytes) {
        absl::Status status = bytes.status();
        if (status.ok() && !response->ParseFromString(*bytes)) {
          status = absl::DataLossError(
              "the stored answer to this request cannot be read; ask with "
              "GetFit what became of it");
        }
        call->Finish(status);
      });
}

// Answers after everything decided so far is durable. `look(coordinator, now)`
// runs under the strand's lock and returns a Status or StatusOr; `answer` gets
// it on the reply executor and returns the call's status.
template <typename Look, typename Answer>
void AnswerRead(ServerParts& parts, const CallPtr& call, const Look& look,
                Answer answer) {
  using Result = std::invoke_result_t<Look, Coordinator&, Now>;
  auto result = std::make_shared<std::optional<Result>>();
  parts.strand.Decide(
      [&look, &result](Coordinator& coordinator, Now now, Effects&) {
        result->emplace(look(coordinator, now));
      },
      [call, result, answer = std::move(answer)] {
        call->Finish(answer(**result));
      });
}

}  // namespace somafit
