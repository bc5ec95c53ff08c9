// kith id: a peer id, of a key or as text, in the form that is wanted.
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "key_file.h"
#include "output.h"

namespace cli {

namespace {

struct IdOptions {
  std::string peer_id;
  std::string key_file;
  bool cid = false;
  bool json = false;
};

int show_id(const IdOptions& o) {
  std::string id;
  if (!o.peer_id.empty()) {
    id = peer_id_as_base58(o.peer_id);
  } else if (!o.key_file.empty()) {
    id = peer_id_of(*read_key_file(o.key_file));
  } else {
    throw UsageError(
        "whose id? Name a key with --key FILE (or KITH_KEY), or give a peer id to convert. "
        "'kith key gen -o FILE' makes a key.");
  }
  if (o.json) {
    print_document({{"peer_id", id}, {"peer_id_cid", peer_id_as_cid(id)}});
  } else {
    print_line(o.cid ? peer_id_as_cid(id) : id);
  }
  return kOk;
}

}  // namespace

void add_id_command(Program& program) {
  auto o = std::make_shared<IdOptions>();
  CLI::App* id = program.app.add_subcommand("id", "Print the peer id of a key, or convert one");
  id->add_option("PEER_ID", o->peer_id, "A peer id to convert instead: base58 or any CID")
      ->type_name("");
  add_key(id, &o->key_file);
  id->add_flag("--cid", o->cid, "As CIDv1 (bafz...) instead of base58 (12D3..., Qm...)");
  add_json(id, &o->json, "Print one JSON object with both forms");
  id->footer("Examples:\n  kith id --key node.key\n  kith id --cid 12D3KooW...");
  program.on(id, [o] { return show_id(*o); });
}

}  // namespace cli
