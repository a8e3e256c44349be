#include <cmath>

#include "proto/convert/digest.h"
#include "proto/convert/status.h"
#include "somafit/v1/error_details.pb.h"
#include "tests/server/rpc/service_fixture.h"

namespace somafit {
namespace {

// The first BadRequest field of a status.
std::string FieldIn(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    google::rpc::BadRequest request;
    if (detail.UnpackTo(&request) && request.field_violations_size() > 0) {
      return request.field_violations(0).field();
    }
  }
  return "";
}

class BadRequestTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    v1::FitSpec spec = ExampleSpec(4, 2);
    spec.set_name("good");
    Create(spec);
  }

  void Refused(const char* what, const char* field,
               const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << what << ": " << status.error_message();
    EXPECT_EQ(FieldIn(status), field) << what << ": " << status.error_message();
    EXPECT_FALSE(ReasonIn(status).empty()) << what;
    EXPECT_FALSE(status.error_message().empty()) << what;
  }

  // Calls with each bad value that a field of a kind may have.
  template <typename Request, typename Call>
  void EachBadName(const char* method, const Request& good, const Call& call) {
    static const std::string kLong = std::string("fits/").append(64, 'a');
    for (const char* name : {"", "good", "fits/", "fits/Good", "fits/a/b",
                             "fits/a b", kLong.c_str(), "datasets/good"}) {
      SCOPED_TRACE(name);
      Request request = good;
      request.set_name(name);
      Refused(method, "name", call(request));
    }
  }
  template <typename Request, typename Call>
  void EachBadRequestId(const char* method, const Request& good,
                        const Call& call) {
    for (const std::string& id :
         {std::string("a b"), std::string("\n"), std::string(129, 'a'),
          std::string("\xc3\xa9")}) {
      Request request = good;
      request.set_request_id(id);
      Refused(method, "request_id", call(request));
    }
  }
};

TEST_F(BadRequestTest, NamesAndRequestIds) {
  v1::Fit fit;
  v1::GetFitRequest get;
  EachBadName("GetFit", get, [&](const auto& request) {
    return fits_->GetFit(Soon().get(), request, &fit);
  });
  const auto pause = [&](const auto& request) {
    return fits_->PauseFit(Soon().get(), request, &fit);
  };
  EachBadName("PauseFit", v1::PauseFitRequest(), pause);
  v1::PauseFitRequest good_pause;
  good_pause.set_name("fits/good");
  EachBadRequestId("PauseFit", good_pause, pause);
  const auto resume = [&](const auto& request) {
    return fits_->ResumeFit(Soon().get(), request, &fit);
  };
  EachBadName("ResumeFit", v1::ResumeFitRequest(), resume);
  v1::ResumeFitRequest good_resume;
  good_resume.set_name("fits/good");
  EachBadRequestId("ResumeFit", good_resume, resume);
  const auto cancel = [&](const auto& request) {
    return fits_->CancelFit(Soon().get(), request, &fit);
  };
  EachBadName("CancelFit", v1::CancelFitRequest(), cancel);
  v1::CancelFitRequest good_cancel;
  good_cancel.set_name("fits/good");
  EachBadRequestId("CancelFit", good_cancel, cancel);
  const auto erase = [&](const auto& request) {
    v1::DeleteFitResponse response;
    return fits_->DeleteFit(Soon().get(), request, &response);
  };
  EachBadName("DeleteFit", v1::DeleteFitRequest(), erase);
  v1::DeleteFitRequest good_delete;
  good_delete.set_name("fits/good");
  EachBadRequestId("DeleteFit", good_delete, erase);
  v1::AckRoundRequest ack;
  ack.set_decision(v1::GATE_DECISION_STOP);
  EachBadName("AckRound", ack, [&](const auto& request) {
    return fits_->AckRound(Soon().get(), request, &fit);
  });
  v1::EvaluatePointsRequest evaluate;
  evaluate.add_parameters("g");
  evaluate.add_points(1e-9);
  EachBadName("EvaluatePoints", evaluate, [&](const auto& request) {
    v1::EvaluatePointsResponse response;
    return fits_->EvaluatePoints(Soon().get(), request, &response);
  });
  EachBadName("ListSamples", v1::ListSamplesRequest(),
              [&](const auto& request) {
                v1::ListSamplesResponse response;
                return fits_->ListSamples(Soon().get(), request, &response);
              });
  EachBadName("WatchFit", v1::WatchFitRequest(), [&](const auto& request) {
    grpc::Status status;
    Watch(request.name(), 0, &status);
    return status;
  });
  EXPECT_EQ(Get("fits/good").state(), v1::FIT_STATE_RUNNING);
}

TEST_F(BadRequestTest, PagesAndEnums) {
  v1::ListFitsRequest fits;
  v1::ListFitsResponse fits_page;
  fits.set_page_size(-1);
  Refused("ListFits", "page_size",
          fits_->ListFits(Soon().get(), fits, &fits_page));
  fits.set_page_size(0);
  for (const char* token : {"x", "1", "-", "abc-1"}) {
    fits.set_page_token(token);
    Refused("ListFits", "page_token",
            fits_->ListFits(Soon().get(), fits, &fits_page));
  }
  v1::ListWorkersRequest workers;
  v1::ListWorkersResponse workers_page;
  workers.set_page_size(-7);
  Refused("ListWorkers", "page_size",
          fits_->ListWorkers(Soon().get(), workers, &workers_page));
  workers.set_page_size(1);
  workers.set_page_token("zz");
  Refused("ListWorkers", "page_token",
          fits_->ListWorkers(Soon().get(), workers, &workers_page));
  v1::ListSamplesRequest samples;
  v1::ListSamplesResponse samples_page;
  samples.set_name("fits/good");
  samples.set_page_size(-1);
  Refused("ListSamples", "page_size",
          fits_->ListSamples(Soon().get(), samples, &samples_page));
  samples.set_page_size(2);
  samples.set_stage(-1);
  Refused("ListSamples", "stage",
          fits_->ListSamples(Soon().get(), samples, &samples_page));
  samples.clear_stage();
  ASSERT_TRUE(fits_->ListSamples(Soon().get(), samples, &samples_page).ok());
  ASSERT_FALSE(samples_page.next_page_token().empty());
  // A token of another filter.
  samples.set_stage(0);
  samples.set_page_token(samples_page.next_page_token());
  Refused("ListSamples", "page_token",
          fits_->ListSamples(Soon().get(), samples, &samples_page));

  v1::AckRoundRequest ack;
  v1::Fit fit;
  ack.set_name("fits/good");
  Refused("AckRound", "decision", fits_->AckRound(Soon().get(), ack, &fit));
  ack.set_decision(static_cast<v1::GateDecision>(9));
  Refused("AckRound", "decision", fits_->AckRound(Soon().get(), ack, &fit));
  ack.set_decision(v1::GATE_DECISION_STOP);
  ack.set_stage(-1);
  Refused("AckRound", "stage", fits_->AckRound(Soon().get(), ack, &fit));
  ack.set_stage(0);
  ack.set_round(-1);
  Refused("AckRound", "round", fits_->AckRound(Soon().get(), ack, &fit));
  for (const char* family : {"", "optimizer", "Metrics"}) {
    v1::DescribeFamilyRequest describe;
    v1::DescribeFamilyResponse response;
    describe.set_family(family);
    Refused("DescribeFamily", "family",
            fits_->DescribeFamily(Soon().get(), describe, &response));
  }
}

TEST_F(BadRequestTest, Points) {
  struct Case {
    const char* field;
    std::vector<std::string> parameters;
    std::vector<double> points;
  };
  const Case cases[] = {
      {"parameters", {}, {1}},
      {"parameters", {"h"}, {1}},
      {"parameters", {"g", "g"}, {1, 2}},
      {"parameters", {"g", "h"}, {1, 2}},
      {"parameters", {""}, {1}},
      {"points", {"g"}, {}},
      {"points", {"g"}, {NAN}},
      {"points", {"g"}, {1, INFINITY}},
      {"points", {"g"}, std::vector<double>(100'001, 1)},
  };
  for (const Case& c : cases) {
    v1::EvaluatePointsRequest request;
    request.set_name("fits/good");
    for (const std::string& name : c.parameters) request.add_parameters(name);
    request.mutable_points()->Add(c.points.begin(), c.points.end());
    v1::EvaluatePointsResponse response;
    Refused("EvaluatePoints", c.field,
            fits_->EvaluatePoints(Soon().get(), request, &response));
  }
}

TEST_F(BadRequestTest, Fits) {
  v1::Fit fit;
  v1::CreateFitRequest request;
  Refused("no fit", "fit", fits_->CreateFit(Soon().get(), request, &fit));
  *request.mutable_fit() = ExampleSpec(2, 1);
  request.mutable_fit()->set_dataset(UploadExample());
  const v1::CreateFitRequest good = request;
  EachBadRequestId("CreateFit", good, [&](const auto& bad) {
    return fits_->CreateFit(Soon().get(), bad, &fit);
  });
  struct Case {
    const char* field;
    void (*change)(v1::FitSpec&);
  };
  const Case cases[] = {
      {"name", [](v1::FitSpec& m) { m.set_name("Bad name"); }},
      {"data", [](v1::FitSpec& m) { m.mutable_data(); }},
      {"dataset", [](v1::FitSpec& m) { m.clear_dataset(); }},
      {"n_samples", [](v1::FitSpec& m) { m.set_n_samples(-1); }},
      {"parameters.g.bounds",
       [](v1::FitSpec& m) {
         m.mutable_parameters(0)->set_bounds("[2*nS, 1*nS]");
       }},
  };
  for (const Case& c : cases) {
    request = good;
    c.change(*request.mutable_fit());
    Refused(c.field, c.field, fits_->CreateFit(Soon().get(), request, &fit));
  }
  request = good;
  request.mutable_fit()->set_dataset(
      std::string("datasets/").append(Sha256Hex("nothing")));
  const grpc::Status status = fits_->CreateFit(Soon().get(), request, &fit);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonIn(status), "DATASET_UNKNOWN");
  request = good;
  request.mutable_fit()->set_name("good");
  EXPECT_EQ(fits_->CreateFit(Soon().get(), request, &fit).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  v1::ListFitsResponse list;
  ASSERT_TRUE(fits_->ListFits(Soon().get(), {}, &list).ok());
  EXPECT_EQ(list.fits_size(), 1);
}

TEST_F(BadRequestTest, Uploads) {
  for (const std::string& bytes :
       {std::string(), std::string("nonsense"), std::string(1000, '\xff')}) {
    const auto context = Soon();
    v1::UploadDatasetResponse response;
    const auto writer = fits_->UploadDataset(context.get(), &response);
    v1::UploadDatasetRequest request;
    request.set_chunk(bytes);
    writer->Write(request);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(ReasonIn(status), "BAD_DATASET");
  }
  const auto context = Soon();
  v1::UploadDatasetResponse response;
  const auto writer = fits_->UploadDataset(context.get(), &response);
  v1::UploadDatasetRequest request;
  request.set_chunk(std::string((1 << 20) + 1, 'x'));
  writer->Write(request);
  writer->WritesDone();
  EXPECT_EQ(ReasonIn(writer->Finish()), "CHUNK_TOO_LARGE");
}

TEST_F(BadRequestTest, Workers) {
  const auto registered = [&](void (*change)(v1::RegisterRequest&)) {
    v1::RegisterRequest request;
    request.set_name("w");
    request.set_threads(1);
    request.set_numerics_version(1);
    change(request);
    v1::RegisterResponse response;
    return workers_->Register(Soon().get(), request, &response);
  };
  using R = v1::RegisterRequest;
  Refused("name", "name", registered([](R& r) { r.clear_name(); }));
  Refused("name", "name", registered([](R& r) { r.set_name("a\nb"); }));
  Refused("name", "name",
          registered([](R& r) { r.set_name(std::string(256, 'a')); }));
  Refused("host", "host", registered([](R& r) { r.set_host("\x01"); }));
  Refused("version", "version",
          registered([](R& r) { r.set_version(std::string(300, 'a')); }));
  Refused("threads", "threads", registered([](R& r) { r.set_threads(0); }));
  Refused("threads", "threads", registered([](R& r) { r.set_threads(-1); }));

  const std::string session = Register();
  v1::LeaseTasksRequest lease;
  v1::LeaseTasksResponse leased;
  lease.set_max_tasks(1);
  Refused("LeaseTasks", "session",
          workers_->LeaseTasks(Soon().get(), lease, &leased));
  lease.set_session(session);
  lease.set_max_tasks(0);
  Refused("LeaseTasks", "max_tasks",
          workers_->LeaseTasks(Soon().get(), lease, &leased));
  v1::HeartbeatRequest beat;
  v1::HeartbeatResponse beaten;
  Refused("Heartbeat", "session",
          workers_->Heartbeat(Soon().get(), beat, &beaten));
  beat.set_session(session);
  for (int i = 0; i < 10'001; ++i) beat.add_leases()->push_back('x');
  Refused("Heartbeat", "leases",
          workers_->Heartbeat(Soon().get(), beat, &beaten));

  const v1::Task task = Lease(session);
  const v1::ReportResultsRequest good = ResultsOf(session, task);
  struct Case {
    const char* field;
    void (*change)(v1::ReportResultsRequest&);
  };
  using P = v1::ReportResultsRequest;
  const Case cases[] = {
      {"session", [](P& r) { r.clear_session(); }},
      {"fit", [](P& r) { r.set_fit("good"); }},
      {"results", [](P& r) { r.clear_results(); }},
      {"results", [](P& r) { r.set_failure("why"); }},
      {"microseconds", [](P& r) { r.set_microseconds(-1); }},
      {"results", [](P& r) { r.mutable_results(0)->set_sample(-1); }},
      {"results",
       [](P& r) {
         r.mutable_results(0)->set_status(static_cast<v1::SampleStatus>(50));
       }},
      {"results", [](P& r) { r.mutable_results(0)->set_total_error(NAN); }},
      {"results", [](P& r) { r.mutable_results(0)->clear_output_error(); }},
  };
  for (const Case& c : cases) {
    v1::ReportResultsRequest request = good;
    c.change(request);
    v1::ReportResultsResponse response;
    Refused(c.field, c.field,
            workers_->ReportResults(Soon().get(), request, &response));
  }
  EXPECT_EQ(Get("fits/good").samples_done(), 0);
  v1::GetModelRequest model;
  v1::Model found;
  model.set_model("12");
  Refused("GetModel", "model", workers_->GetModel(Soon().get(), model, &found));
  model.set_model(Sha256Hex("nothing"));
  EXPECT_EQ(workers_->GetModel(Soon().get(), model, &found).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace somafit
