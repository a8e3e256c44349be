// FitHandler::ListSamples.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/convert/evaluation.h"
#include "server/rpc/arguments.h"
#include "server/rpc/fit_handler.h"
#include "server/rpc/raw_reader.h"
#include "server/rpc/view.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Lists stay below what peers accept with gRPC's default settings.
constexpr size_t kMaxListBytes = size_t{3} << 20;
constexpr int kMaxRanges = 100;
constexpr int kMaxStatuses = 16;

absl::StatusOr<SampleQuery> QueryOf(const v1::ListSamplesRequest& request) {
  SampleQuery query;
  if (request.has_stage()) query.stage = request.stage();
  if (query.stage && *query.stage < 0) {
    return BadField("stage",
                    absl::StrCat("is ", *query.stage, "; stages count from 0"));
  }
  if (request.status_size() > kMaxStatuses ||
      request.ranges_size() > kMaxRanges) {
    return BadField(request.status_size() > kMaxStatuses ? "status" : "ranges",
                    "has too many entries");
  }
  for (const int number : request.status()) {
    const auto status = FromProto(static_cast<v1::SampleStatus>(number));
    if (!status.ok()) {
      return BadField("status", std::string(status.status().message()));
    }
    query.status.push_back(*status);
  }
  for (const v1::ColumnRange& given : request.ranges()) {
    ColumnRange range{.column = given.column(), .minimum = {}, .maximum = {}};
    if (given.has_minimum()) range.minimum = given.minimum();
    if (given.has_maximum()) range.maximum = given.maximum();
    if ((range.minimum && !std::isfinite(*range.minimum)) ||
        (range.maximum && !std::isfinite(*range.maximum))) {
      return BadField("ranges",
                      absl::StrCat("the range of \"",
                                   absl::CHexEscape(range.column.substr(0, 80)),
                                   "\" is not finite; leave an end out that "
                                   "does not bound"));
    }
    query.ranges.push_back(std::move(range));
  }
  absl::string_view order = request.order_by();
  query.descending = absl::ConsumeSuffix(&order, " desc");
  if (order != "sample") query.order_by = std::string(order);
  query.trace_errors = request.trace_errors();
  return query;
}

// Equal for requests whose pages belong together.
std::string Fingerprint(const v1::ListSamplesRequest& request) {
  v1::ListSamplesRequest bare = request;
  bare.clear_page_token();
  bare.clear_page_size();
  return absl::StrCat("ListSamples ", bare.SerializeAsString());
}

}  // namespace

FitHandler::Unary* FitHandler::ListSamples(
    Context* context, const v1::ListSamplesRequest* request,
    v1::ListSamplesResponse* response) {
  const auto begin = [&](const CallPtr& call) -> absl::Status {
    SOMAFIT_ASSIGN_OR_RETURN(std::string name, FitNameOf(request->name()));
    SOMAFIT_ASSIGN_OR_RETURN(const int size,
                             PageSizeOf(request->page_size(), 1000, 10'000));
    SOMAFIT_ASSIGN_OR_RETURN(SampleQuery query, QueryOf(*request));
    std::string fingerprint = Fingerprint(*request);
    if (!request->page_token().empty()) {
      SOMAFIT_ASSIGN_OR_RETURN(
          query.after_sample,
          ReadPageToken(request->page_token(), fingerprint, 0));
    }
    const auto read = [this, call, response, size, query = std::move(query),
                       fingerprint =
                           std::move(fingerprint)](const FitRecord& fit) {
      RawReader raw(parts_.store, query.trace_errors ? fit.n_raw : 0);
      const size_t one = SampleBytes(fit.parameters.size(), fit.outputs.size(),
                                     query.trace_errors ? fit.n_traces : 0) +
                         raw.row_bytes();
      const int64_t limit =
          std::min<int64_t>(size, std::max<int64_t>(kMaxListBytes / one, 1));
      SampleQuery page = query;
      page.limit = limit + 1;
      auto rows = parts_.store.ReadSamples(fit, page);
      absl::Status status = rows.status();
      if (rows.ok()) {
        const bool more = std::ssize(*rows) > limit;
        if (more) rows->pop_back();
        for (SampleRow& row : *rows) {
          // Of samples without a result there are none.
          if (query.trace_errors) {
            row.trace_errors.resize(fit.outputs.size() * fit.n_traces,
                                    std::numeric_limits<double>::quiet_NaN());
          }
          AddSample(row, !fit.spec.penalty.empty(),
                    response->mutable_samples());
          status.Update(raw.Append(
              row.raw, *response->mutable_samples()->mutable_raw_x()));
        }
        if (more) {
          response->set_next_page_token(
              MakePageToken(fingerprint, rows->back().sample));
        }
      }
      call->Finish(status);
    };
    auto found = std::make_shared<absl::StatusOr<FitRecord>>(
        absl::InternalError("not looked up"));
    parts_.strand.Decide(
        [&](Coordinator& coordinator, Now now, Effects&) {
          *found = coordinator.GetFit(name, now);
        },
        [this, call, found, read] {
          if (!found->ok()) return call->Finish(found->status());
          parts_.slow.Post([found, read] { read(**found); });
        });
    return absl::OkStatus();
  };
  return BeginCall(parts_, "ListSamples", context, "", begin);
}

}  // namespace somafit
