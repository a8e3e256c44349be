#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "server/rpc/listen_address.h"
#include "server/study/store.h"

namespace somafit {

// PEM texts.
struct TlsFiles {
  std::string certificate;  // with its chain
  std::string key;
  std::string ca;  // what clients should trust
};

struct RpcServerOptions {
  ListenAddress listen;
  std::optional<TlsFiles> tls;  // TCP only
  std::string token;            // TCP only, and needed there
  double lease_s = 30;
  double lease_wait_s = 20;  // of a LeaseTasks call
  bool reflection = true;
  std::string version;
  std::string database;        // shown by GetServerInfo
  bool allow_scripts = false;  // TorchScript modules, which trainers run
  // Called some times a second: whether inferences wait and no trainer is
  // connected. May be empty.
  std::function<void(bool needed)> start_trainer = {};
};

// The coordinator behind its services: recovers what the store holds, listens,
// keeps time, and stops in order.
class RpcServer {
 public:
  // Listening and SERVING when it returns.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      RpcServerOptions options, std::unique_ptr<Store> store);
  ~RpcServer();  // Stop

  // Where it listens, with the chosen port.
  const ListenAddress& address() const;

  // NOT_SERVING; ends waits and streams; lets calls finish for at most 3 s;
  // then makes everything durable and closes the store. Idempotent.
  void Stop();

 private:
  struct State;
  explicit RpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace somafit
