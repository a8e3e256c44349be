#include "server/rpc/listen_address.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace somafit {
namespace {

absl::Status Unreadable(const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text,
                   "\" is not an address to listen on; give HOST:PORT, such as "
                   "127.0.0.1:7700 (port 0 chooses one), or unix:/PATH"));
}

absl::Status CheckSocketFree(const std::string& path) {
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus()
                           : absl::UnavailableError(
                                 absl::StrCat("cannot listen on unix:", path,
                                              ": ", std::strerror(errno)));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen on unix:", path,
                     ": a file that is not a socket is there; remove it or "
                     "choose another path"));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answered =
      probe >= 0 && ::connect(probe, reinterpret_cast<sockaddr*>(&address),
                              sizeof address) == 0;
  if (probe >= 0) ::close(probe);
  if (!answered) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("cannot listen on unix:", path,
                   ": another server is listening there; stop it or choose "
                   "another path"));
}

}  // namespace

std::string ListenAddress::Text() const {
  if (is_unix()) return absl::StrCat("unix:", socket_path);
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", host, "]:", port)
            : absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress address;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    if (rest.empty() || rest.size() >= sizeof(sockaddr_un::sun_path)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the path of a unix socket has 1 to ",
                       sizeof(sockaddr_un::sun_path) - 1, " bytes, \"", rest,
                       "\" has ", rest.size(), "; choose a shorter directory"));
    }
    address.socket_path = std::string(rest);
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return Unreadable(text);
  std::string host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return Unreadable(text);
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return Unreadable(text);
  }
  const std::string port = text.substr(colon + 1);
  if (!absl::SimpleAtoi(port, &address.port) || address.port < 0 ||
      address.port > 65'535 ||
      port.find_first_not_of("0123456789") != std::string::npos) {
    return Unreadable(text);
  }
  address.host = host;
  return address;
}

bool IsLoopback(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  return ::inet_pton(AF_INET6, text.c_str(), &v6) == 1 &&
         std::memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

bool IsAnyHost(std::string_view host) {
  const std::string text(host);
  in_addr v4;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return v4.s_addr == 0;
  in6_addr v6;
  return ::inet_pton(AF_INET6, text.c_str(), &v6) == 1 &&
         std::memcmp(&v6, &in6addr_any, sizeof v6) == 0;
}

absl::Status CheckFree(const ListenAddress& address) {
  if (address.is_unix()) return CheckSocketFree(address.socket_path);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(
      address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", address.Text(), ": ",
                     ::gai_strerror(error), "; give an address of this host"));
  }
  absl::Status status = absl::OkStatus();
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int probe = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) continue;
    const int on = 1;
    ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool bound = ::bind(probe, at->ai_addr, at->ai_addrlen) == 0 &&
                       ::listen(probe, 1) == 0;
    const int cause = errno;
    ::close(probe);
    if (bound) continue;
    status = absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address.Text(), ": ", std::strerror(cause),
        cause == EADDRINUSE
            ? "; stop the other program or choose another port (0: any)"
            : "; choose another address"));
    break;
  }
  ::freeaddrinfo(found);
  return status;
}

}  // namespace somafit
