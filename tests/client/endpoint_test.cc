#include "client/lib/endpoint.h"

#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/client.h"
#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

TEST(EndpointTest, ReadsTheFileAndWarnsOfOtherReaders) {
  const ScratchFolder folder;
  const std::string path = folder.Write(
      "e", R"({"address": "127.0.0.1:7700", "token": "abc", "new": 1})");
  chmod(path.c_str(), 0600);
  const absl::StatusOr<KnownEndpoint> known = ReadEndpointFile(path);
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(known->endpoint.address(), "127.0.0.1:7700");
  EXPECT_EQ(known->endpoint.token(), "abc");
  EXPECT_EQ(known->warning, "");
  chmod(path.c_str(), 0644);
  EXPECT_THAT(ReadEndpointFile(path)->warning, HasSubstr("chmod 600"));
}

TEST(EndpointTest, SaysWhatIsWrongWithTheFile) {
  const ScratchFolder folder;
  for (const std::string text :
       {"", "{", "[]", "{}", "{\"address\": \"\"}", "\x93NUMPY"}) {
    const absl::Status status =
        ReadEndpointFile(folder.Write("e", text)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("not an endpoint file"));
  }
  const absl::Status blanks =
      ReadEndpointFile(
          folder.Write("e", R"({"address": "a", "token": "b\nc"})"))
          .status();
  EXPECT_THAT(std::string(blanks.message()), HasSubstr("printable"));
  const absl::Status missing = ReadEndpointFile(folder.Path("no")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("somafit-server"));
}

TEST(EndpointTest, FindsTheFileOfTheEnvironment) {
  const ScratchFolder folder;
  const std::string path = folder.Write("e", R"({"address": "a:1"})");
  unsetenv("SOMAFIT_ENDPOINT");
  EXPECT_THAT(std::string(FindEndpoint("").status().message()),
              HasSubstr("SOMAFIT_ENDPOINT"));
  setenv("SOMAFIT_ENDPOINT", path.c_str(), 1);
  EXPECT_EQ(FindEndpoint("")->endpoint.address(), "a:1");
  const std::string other = folder.Write("f", R"({"address": "b:1"})");
  EXPECT_EQ(FindEndpoint(other)->endpoint.address(), "b:1");
  unsetenv("SOMAFIT_ENDPOINT");
}

TEST(EndpointTest, ExplainsCallsThatFail) {
  KnownEndpoint known;
  known.path = "fits.endpoint";
  known.endpoint.set_address("127.0.0.1:7700");
  const Connection connection(known);
  using grpc::StatusCode;
  EXPECT_EQ(connection
                .Explain({StatusCode::UNAVAILABLE,
                          "failed to connect to all addresses"})
                .message(),
            "no coordinator answers at 127.0.0.1:7700 (from fits.endpoint); "
            "start one with: somafit-server --listen 127.0.0.1:7700 --db "
            "fits.db --endpoint fits.endpoint");
  EXPECT_THAT(
      std::string(
          connection.Explain({StatusCode::UNAUTHENTICATED, "x"}).message()),
      HasSubstr("does not know the token in fits.endpoint"));
  EXPECT_EQ(connection.Explain({StatusCode::NOT_FOUND, "no fit"}).message(),
            "no fit");
  known.endpoint.set_ca("-----BEGIN CERTIFICATE-----");
  EXPECT_THAT(std::string(Connection(known)
                              .Explain({StatusCode::UNAVAILABLE,
                                        "Ssl handshake failed: bad"})
                              .message()),
              HasSubstr("no TLS connection to 127.0.0.1:7700"));
}

}  // namespace
}  // namespace somafit
