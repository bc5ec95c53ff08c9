// Private key files: libp2p's protobuf encoding, raw, as Kubo and the go-libp2p tools read and write it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kith/identity.h"

namespace cli {

struct FreeKey {
  void operator()(kith_key* key) const { kith_key_free(key); }
};
using Key = std::unique_ptr<kith_key, FreeKey>;

// A secret that is overwritten when it goes, whichever way.
struct Secret {
  std::vector<uint8_t> bytes;
  Secret() = default;
  Secret(Secret&&) = default;
  ~Secret();
};
// Reads the key file of a private network, as it is; not empty. Warns when others may read it. Throws Failure.
Secret read_network_key_file(const std::string& path);

// Reads a key; "-" is stdin. Warns when others may read the file. Throws Failure.
Key read_key_file(const std::string& path);
// Writes a key, readable by its owner only. `path` must not exist unless `force`: then it is replaced in one step.
// "-" is stdout, which must not be a terminal. Throws Failure or UsageError.
void write_key_file(const kith_key& key, const std::string& path, bool force);

std::string key_type_name(kith_key_type type);
std::string peer_id_of(const kith_key& key);
// The other text form of a peer id: CIDv1 in base32. Throws Failure with the reason if `id` is none.
std::string peer_id_as_cid(const std::string& id);
std::string peer_id_as_base58(const std::string& id);

}  // namespace cli
