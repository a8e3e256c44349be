#include "proto/convert/status.h"

#include <gtest/gtest.h>

#include "somafit/v1/error_details.pb.h"

namespace somafit {
namespace {

TEST(StatusTest, CodesAreEqualOneToOne) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status sent = ToGrpc(status);
    EXPECT_EQ(static_cast<int>(sent.error_code()), code);
    EXPECT_EQ(FromGrpc(sent), status);
  }
}

TEST(StatusTest, DetailsTravel) {
  const absl::Status status =
      WithReason(absl::InvalidArgumentError("bad"), "BAD_FIELD",
                 {{"page_size", "is -1"}, {"name", "is empty"}});
  EXPECT_EQ(ReasonOf(status), "BAD_FIELD");
  const grpc::Status sent = ToGrpc(status);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(sent.error_details()));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "BAD_FIELD");
  EXPECT_EQ(info.domain(), "somafit");
  google::rpc::BadRequest request;
  ASSERT_TRUE(details.details(1).UnpackTo(&request));
  ASSERT_EQ(request.field_violations_size(), 2);
  EXPECT_EQ(request.field_violations(0).field(), "page_size");
  EXPECT_EQ(ReasonOf(FromGrpc(sent)), "BAD_FIELD");
}

TEST(StatusTest, NoReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_EQ(ReasonOf(absl::NotFoundError("x")), "");
  EXPECT_TRUE(WithReason(absl::OkStatus(), "X").ok());
}

// gRPC refuses trailers of more than 8 KiB, and the message with them.
TEST(StatusTest, LongMessagesFitIntoTrailers) {
  std::vector<FieldViolation> violations(
      100, {"model.equations", std::string(400, '\n')});
  const absl::Status status =
      WithReason(absl::InvalidArgumentError(std::string(100'000, '\n')),
                 "E_DIM", violations);
  const grpc::Status sent = ToGrpc(status);
  EXPECT_LE(3 * sent.error_message().size() + sent.error_details().size(),
            7500);
  EXPECT_EQ(ReasonOf(FromGrpc(sent)), "E_DIM");
}

TEST(StatusTest, BrokenUtf8IsRepaired) {
  const grpc::Status sent =
      ToGrpc(absl::InvalidArgumentError("a\xff"
                                        "b\xc3\xa9\xe2\x82"));
  EXPECT_EQ(sent.error_message(), "a?b\xc3\xa9??");
}

}  // namespace
}  // namespace somafit
