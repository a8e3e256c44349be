#pragma once

#include <optional>
#include <string>

#include "client/cli/arguments.h"
#include "client/lib/posterior.h"

namespace somafit {

// What commands that ask a posterior have in common: of which inference, which
// round, which x.
struct QueryOptions {
  ServerOptions server;
  std::string name;
  std::optional<int32_t> round;
  std::string x;
};
void AddQueryOptions(CLI::App* command, QueryOptions* options);
void AddSeed(CLI::App* command, std::string* seed);
absl::StatusOr<uint64_t> ReadSeed(const std::string& text);

// A posterior that is there, and the beginning of a request to it.
struct Query {
  FitClient client;
  v1::Posterior posterior;
  v1::AskPosteriorRequest request;

  std::vector<v1::Variable> parameters() const {
    return {posterior.parameters().begin(), posterior.parameters().end()};
  }
};
// Reads the command line, connects, fetches the posterior.
absl::StatusOr<Query> BeginQuery(const QueryOptions& options);

// The draws of a posterior. Says on stderr how many there are yet, where that
// is a terminal, and afterwards what is to be said of them.
absl::StatusOr<v1::PosteriorAnswer> AskForDraws(Query* query, int64_t n,
                                                uint64_t seed);
// Any other question; says on stderr what the trainer has to say.
absl::StatusOr<v1::PosteriorAnswer> Ask(FitClient* client,
                                        const v1::AskPosteriorRequest& request);

// Writes a whole file, or stdout for "" and "-".
absl::Status WriteWhole(const std::string& path, absl::string_view text);

}  // namespace somafit
