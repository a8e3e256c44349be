#include "proto/convert/digest.h"

#include <set>

#include <gtest/gtest.h>

namespace somafit {
namespace {

TEST(DigestTest, MatchesFips180) {
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(DigestTest, KnowsADigest) {
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("x")));
  EXPECT_FALSE(IsSha256Hex(Sha256Hex("x").substr(1)));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'A')));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'g')));
}

TEST(DigestTest, RandomNamesDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(RandomHex128());
  EXPECT_EQ(names.size(), 1000);
  EXPECT_EQ(names.begin()->size(), 32);
}

TEST(DigestTest, ComparesSecrets) {
  EXPECT_TRUE(EqualSecrets("secret", "secret"));
  EXPECT_FALSE(EqualSecrets("secret", "secreT"));
  EXPECT_FALSE(EqualSecrets("secret", "secret "));
}

}  // namespace
}  // namespace somafit
