#include "client/lib/text_file.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;

absl::Status Write(const std::string& path) {
  absl::StatusOr<NewFile> file = NewFile::Create(path);
  if (!file.ok()) return file.status();
  file->Write("new");
  return file->Commit();
}

TEST(TextFileTest, AppearsWhenComplete) {
  const ScratchFolder folder;
  const std::string path = folder.Write("a", "old");
  {
    absl::StatusOr<NewFile> file = NewFile::Create(path);
    ASSERT_TRUE(file.ok()) << file.status();
    file->Write("new");
  }
  EXPECT_EQ(*ReadFile(path, 100), "old");
  EXPECT_TRUE(Write(path).ok());
  EXPECT_EQ(*ReadFile(path, 100), "new");
  EXPECT_TRUE(NewFile::Check(folder.Path("b")).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()),
                          std::filesystem::directory_iterator()),
            1);
}

TEST(TextFileTest, ReplacesWhatALinkLeadsTo) {
  const ScratchFolder folder;
  const std::string path = folder.Write("a", "old");
  const std::string link = folder.Path("link");
  std::filesystem::create_symlink("a", link);
  EXPECT_TRUE(Write(link).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(*ReadFile(path, 100), "new");
  std::filesystem::remove(path);
  EXPECT_THAT(std::string(Write(link).message()), HasSubstr("it is a link"));
}

TEST(TextFileTest, WritesToDevicesAndRefusesFolders) {
  const ScratchFolder folder;
  EXPECT_TRUE(NewFile::Check("/dev/null").ok());
  EXPECT_TRUE(Write("/dev/null").ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_EQ(Write("/dev/full").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Write(folder.path()).message()),
              HasSubstr("it is a folder"));
  EXPECT_FALSE(NewFile::Check(folder.Path("no/such")).ok());
}

}  // namespace
}  // namespace somafit
