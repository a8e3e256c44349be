#include "client/lib/posterior_file.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "absl/strings/str_cat.h"

#include "client/lib/posterior.h"
#include "proto/convert/digest.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/names.h"

namespace somafit {
namespace {

constexpr int kVersion = 1;
constexpr size_t kChunk = size_t{1} << 20;
// Names that the columns of a user's own simulator may have.
constexpr int kMostNames = 1000;
constexpr size_t kLongestName = 80;
constexpr int64_t kMostColumns = 16384;

bool CanBeNames(const v1::Posterior& posterior) {
  std::set<std::string> seen;
  return posterior.features_size() > 0 &&
         posterior.features_size() <= kMostNames &&
         std::all_of(posterior.features().begin(), posterior.features().end(),
                     [&](const std::string& name) {
                       return IsIdentifier(name) &&
                              name.size() <= kLongestName &&
                              seen.insert(name).second;
                     });
}

int64_t ColumnsOf(const v1::Posterior& posterior) {
  int64_t n = posterior.features_size();
  for (const v1::TraceColumns& each : posterior.trace_columns()) {
    n += each.count();
  }
  return n;
}

// The inference without its model: who simulated is of no matter to the
// posterior.
v1::FitSpec SpecOf(const v1::Fit& fit, const v1::Posterior& posterior) {
  v1::FitSpec spec;
  spec.set_seed(fit.spec().seed());
  for (const v1::Variable& column : posterior.parameters()) {
    for (const v1::ParameterSpec& each : fit.spec().parameters()) {
      if (each.name() != column.name()) continue;
      *spec.add_parameters() = each;
      spec.mutable_parameters()->rbegin()->clear_start();
    }
  }
  spec.mutable_stop()->set_rounds(posterior.rounds_size());
  v1::InferenceSpec* const inference = spec.mutable_inference();
  *inference = fit.spec().inference();
  inference->clear_features();
  inference->clear_simulator();
  *inference->mutable_observation() = posterior.observation();
  if (CanBeNames(posterior)) {
    *inference->mutable_simulator()->mutable_features() = posterior.features();
  } else {
    inference->mutable_simulator()->set_n_features(ColumnsOf(posterior));
  }
  // The module is in the estimator's file; the coordinator that has this one
  // may be another.
  auto* const options = inference->mutable_estimator()->mutable_options();
  options->erase(std::remove_if(options->begin(), options->end(),
                                [](const v1::NamedText& option) {
                                  return option.name() == "torch_script";
                                }),
                 options->end());
  return spec;
}

// Of each round.
int NetsOf(const v1::PosteriorFile& file) {
  return std::max(file.spec().inference().estimator().ensemble(), 1);
}

absl::Status Import(FitClient* client, const std::string& name, int64_t round,
                    const v1::PosteriorFile::Round& trained) {
  const std::string request_id = RandomHex128();
  Connection& connection = client->connection();
  return connection.Retry([&](grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::time_point::max());
    v1::Fit fit;
    const auto stream = connection.inference().ImportEstimators(context, &fit);
    v1::ImportEstimatorsRequest part;
    part.set_name(name);
    part.set_request_id(request_id);
    part.set_round(round);
    *part.mutable_summary() = trained.summary();
    bool wanted = true;
    for (int m = 0; m < trained.estimators_size(); ++m) {
      const std::string& bytes = trained.estimators(m);
      for (size_t at = 0; at < bytes.size() && wanted; at += kChunk) {
        part.set_member(m);
        part.set_chunk(bytes.substr(at, kChunk));
        wanted = stream->Write(part);
        part.Clear();
      }
    }
    stream->WritesDone();
    return stream->Finish();
  });
}

}  // namespace

absl::StatusOr<v1::PosteriorFile> SavePosterior(FitClient* client,
                                                const std::string& name) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client->GetFit(name));
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Posterior posterior,
                           GetPosterior(client, name));
  if (posterior.rounds_size() == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, " has no posterior before its first round has been trained on"));
  }
  if (ColumnsOf(posterior) > kMostColumns) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, " learned from raw traces of ", ColumnsOf(posterior),
        " numbers, and a posterior without its model may have ", kMostColumns,
        "; its estimators alone can be written: somafit posterior -o FILE"));
  }
  v1::PosteriorFile file;
  file.set_version(kVersion);
  *file.mutable_spec() = SpecOf(fit, posterior);
  size_t bytes = file.ByteSizeLong();
  for (int round = 0; round < posterior.rounds_size(); ++round) {
    v1::PosteriorFile::Round* const trained = file.add_rounds();
    *trained->mutable_summary() = posterior.rounds(round);
    for (int member = 0; member < NetsOf(file); ++member) {
      v1::ExportEstimatorRequest request;
      request.set_name(name);
      request.set_round(round);
      request.set_member(member);
      std::string* const estimator = trained->add_estimators();
      SOMAFIT_RETURN_IF_ERROR(
          ExportEstimator(client, request, [&](absl::string_view piece) {
            estimator->append(piece.data(), piece.size());
          }));
      bytes += estimator->size() + trained->summary().ByteSizeLong();
      if (bytes > kMostPosteriorBytes) {
        return absl::FailedPreconditionError(absl::StrCat(
            name, " has estimators of more than ", kMostPosteriorBytes,
            " bytes; write those of single rounds: somafit posterior -o FILE"));
      }
    }
  }
  return file;
}

absl::StatusOr<v1::PosteriorFile> ParsePosteriorFile(const std::string& bytes,
                                                     const std::string& path) {
  v1::PosteriorFile file;
  if (!file.ParseFromString(bytes) || file.version() < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no posterior that somafit saved"));
  }
  if (file.version() > kVersion) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has version ", file.version(), ", and this somafit ",
        "knows version ", kVersion, "; update it"));
  }
  if (file.rounds().empty() || !file.spec().inference().has_simulator()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has no trained round; save it again"));
  }
  for (const v1::PosteriorFile::Round& round : file.rounds()) {
    if (round.estimators_size() != NetsOf(file) ||
        std::any_of(round.estimators().begin(), round.estimators().end(),
                    [](const std::string& each) { return each.empty(); }) ||
        file.spec().stop().rounds() != file.rounds_size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, " lacks estimators that it says it has; save it again"));
    }
  }
  return file;
}

absl::StatusOr<v1::Fit> LoadPosterior(FitClient* client,
                                      const v1::PosteriorFile& file,
                                      const std::string& name) {
  v1::FitSpec spec = file.spec();
  spec.set_name(name);
  if (name.empty()) spec.set_label("posterior");
  SOMAFIT_ASSIGN_OR_RETURN(const v1::Fit fit, client->CreateFit(spec));
  for (int round = 0; round < file.rounds_size(); ++round) {
    const absl::Status imported =
        Import(client, fit.name(), round, file.rounds(round));
    if (imported.ok()) continue;
    // Best effort: half a posterior is none.
    (void)client->CancelFit(fit.name());
    (void)client->DeleteFit(fit.name());
    return imported;
  }
  return client->GetFit(fit.name());
}

}  // namespace somafit
