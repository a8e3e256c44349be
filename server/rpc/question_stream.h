#pragma once

#include <memory>

#include "server/rpc/answer_stream.h"
#include "somafit/v1/inference_service.pb.h"

namespace somafit {

// One AskPosterior stream.
class QuestionStream final : public AnswerStream<v1::PosteriorAnswer> {
 public:
  // `request` lives until OnDone.
  static QuestionStream* Start(ServerParts& parts,
                               const v1::AskPosteriorRequest* request);

 private:
  QuestionStream(ServerParts& parts, const v1::AskPosteriorRequest* request)
      : AnswerStream("AskPosterior", parts), request_(request) {}

  absl::Status Ask() override;
  absl::Status Read(const std::string& answer, bool first,
                    v1::PosteriorAnswer& message) override;

  const v1::AskPosteriorRequest* request_;
};

}  // namespace somafit
