#include "server/rpc/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(ListenAddressTest, Reads) {
  struct Case {
    const char* text;
    const char* host;
    int port;
  };
  for (const Case& c :
       {Case{"127.0.0.1:7700", "127.0.0.1", 7700},
        Case{"localhost:0", "localhost", 0}, Case{"[::1]:65535", "::1", 65535},
        Case{"node.example:1", "node.example", 1}}) {
    const auto address = ParseListenAddress(c.text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_EQ(address->Text(), c.text);
  }
  EXPECT_EQ(ParseListenAddress("unix:/a/b")->socket_path, "/a/b");
}

TEST(ListenAddressTest, Refuses) {
  for (const char* text :
       {"", "7700", "host", ":7700", "host:", "host:x", "host:-1", "host:65536",
        "host:+1", "::1:70", "[]:1", "[::1:1", "unix:"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseListenAddress(text).status()))
        << text;
  }
  EXPECT_FALSE(ParseListenAddress("unix:/" + std::string(200, 'x')).ok());
}

TEST(ListenAddressTest, Loopback) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host :
       {"0.0.0.0", "::", "128.0.0.1", "10.0.0.1", "example", ""}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
  EXPECT_TRUE(IsAnyHost("0.0.0.0"));
  EXPECT_TRUE(IsAnyHost("::"));
  EXPECT_FALSE(IsAnyHost("127.0.0.1"));
}

TEST(ListenAddressTest, SaysThatAPortIsTaken) {
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(taken, 1), 0);
  ASSERT_EQ(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size),
            0);
  ListenAddress listen;
  listen.host = "127.0.0.1";
  listen.port = ntohs(address.sin_port);
  const absl::Status status = CheckFree(listen);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_NE(std::string(status.message()).find(listen.Text()),
            std::string::npos);
  ::close(taken);
  EXPECT_TRUE(CheckFree(listen).ok());
}

}  // namespace
}  // namespace somafit
