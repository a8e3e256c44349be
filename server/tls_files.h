#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "server/rpc/rpc_server.h"

namespace somafit {

// Reads and checks: each file can be read and is PEM, the certificate is valid
// today, and the key belongs to it. `ca_path` may be "": then the certificate.
absl::StatusOr<TlsFiles> ReadTlsFiles(const std::string& certificate_path,
                                      const std::string& key_path,
                                      const std::string& ca_path);

}  // namespace somafit
