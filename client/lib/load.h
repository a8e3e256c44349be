#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/lib/client.h"
#include "somafit/v1/fit.pb.h"
#include "worker/core/data/dataset.h"

namespace somafit {

// Reads the files that `spec.data` names, relative to `folder`, into a dataset
// in SI, with spec.dt between samples. InvalidArgument names the entry, the
// file and the place; all entries are read before it is reported.
absl::StatusOr<Dataset> LoadDataset(const v1::FitSpec& spec,
                                    const std::string& folder);

// Loads and uploads the data of a spec that names files; afterwards it names
// the stored dataset instead. A spec with a dataset stays as it is.
absl::Status StoreData(const std::string& folder, FitClient* client,
                       v1::FitSpec* spec);

// Uploads the TorchScript module that the estimator's option "torch_script" of
// an inference names by its file, relative to `folder`; afterwards it names the
// stored one. A SHA-256 stays as it is.
absl::Status StoreScript(const std::string& folder, FitClient* client,
                         v1::FitSpec* spec);

}  // namespace somafit
