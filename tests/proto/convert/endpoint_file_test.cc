#include "proto/convert/endpoint_file.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

namespace somafit {
namespace {

std::string PathFor(const std::string& name) {
  const auto directory =
      std::filesystem::path(testing::TempDir()) / "somafit_endpoint_test";
  std::filesystem::create_directories(directory);
  return directory / name;
}

TEST(EndpointFileTest, ReadsWhatItWrote) {
  const std::string path = PathFor("a.endpoint");
  v1::Endpoint endpoint;
  endpoint.set_address("[::1]:7700");
  endpoint.set_token("0123456789abcdef");
  endpoint.set_ca("-----BEGIN CERTIFICATE-----\nx\n");
  ASSERT_TRUE(StoreEndpoint(path, endpoint).ok());
  struct stat found;
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600);
  const auto read = LoadEndpoint(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), endpoint.SerializeAsString());
  // Replaces, and leaves nothing beside it.
  endpoint.set_address("unix:/x");
  ASSERT_TRUE(StoreEndpoint(path, endpoint).ok());
  EXPECT_EQ(LoadEndpoint(path)->address(), "unix:/x");
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(path).parent_path())) {
    ++files;
  }
  EXPECT_EQ(files, 1);
  std::filesystem::remove(path);
}

TEST(EndpointFileTest, SaysWhatIsWrong) {
  EXPECT_TRUE(absl::IsNotFound(LoadEndpoint("/nowhere/x").status()));
  const std::string path = PathFor("b.endpoint");
  for (const char* text : {"", "{}", "{\"address\":", "[1]", "binary\x01"}) {
    std::ofstream(path) << text;
    const absl::Status status = LoadEndpoint(path).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << ": " << status;
    EXPECT_NE(std::string(status.message()).find(path), std::string::npos);
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace somafit
