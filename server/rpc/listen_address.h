#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace somafit {

// Where a server listens: a TCP port or a unix socket.
struct ListenAddress {
  std::string socket_path;  // not empty: a unix socket
  std::string host;
  int port = 0;  // 0: any free one

  bool is_unix() const { return !socket_path.empty(); }
  // "unix:/path", "127.0.0.1:7700", "[::1]:7700".
  std::string Text() const;
};

// "host:port", "[v6]:port" or "unix:/path".
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// 127.0.0.0/8, ::1 or "localhost".
bool IsLoopback(std::string_view host);
// 0.0.0.0 or ::.
bool IsAnyHost(std::string_view host);

// Says why the address cannot be listened on, if another program holds it or
// the system refuses it. A stale socket file of a killed server is no reason.
absl::Status CheckFree(const ListenAddress& address);

}  // namespace somafit
