#include "proto/convert/digest.h"
#include "tests/suites/store_records.h"
#include "tests/suites/store_suite.h"

// What every store does with what is addressed by its content or a request's
// id.

namespace somafit {

TEST_P(StoreSuite, KeepsTheFirstAnswerToARequest) {
  const RequestRecord request{"id", "CreateFit", "hash",
                              std::string("\0bytes", 6), 1'000'000};
  RequestRecord again = request;
  again.response = "other";
  Commit({request});
  Commit({again});
  const auto found = store_->FindRequest("id");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->method, "CreateFit");
  EXPECT_EQ((*found)->body_hash, "hash");
  EXPECT_EQ((*found)->response, request.response);
  EXPECT_EQ((*found)->time_us, 1'000'000);
  EXPECT_FALSE(store_->FindRequest("no")->has_value());
}

TEST_P(StoreSuite, KeepsModelsByHash) {
  const ModelSource source = ExampleFit(1, "f").spec.model;
  Commit({ModelRecord{"m", source}, ModelRecord{"m", source}});
  const auto found = store_->LoadModel("m");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(EncodeModelSource(*found), EncodeModelSource(source));
  EXPECT_TRUE(absl::IsNotFound(store_->LoadModel("n").status()));
}

TEST_P(StoreSuite, KeepsSmallAndLargeDatasets) {
  for (const size_t size : {size_t{0}, size_t{1000}, size_t{3'000'000}}) {
    std::string bytes(size, 'x');
    if (size > 0) bytes[size / 2] = '\0';
    const std::string hash = Sha256Hex(bytes);
    EXPECT_TRUE(absl::IsNotFound(store_->LoadDataset(hash).status()));
    ASSERT_TRUE(store_->PutDataset(hash, bytes).ok());
    ASSERT_TRUE(store_->PutDataset(hash, bytes).ok());
    Reopen();
    const auto found = store_->LoadDataset(hash);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(*found == bytes);
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(store_->PutDataset("../../etc/x", "bytes")));
}

}  // namespace somafit
