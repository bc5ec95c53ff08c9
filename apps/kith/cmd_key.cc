// kith key gen, kith key show: private keys, which decide who a node is.
#include <spdlog/fmt/fmt.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "key_file.h"
#include "output.h"

namespace cli {

namespace {

const std::map<std::string, kith_key_type> kTypes = {{"ed25519", KITH_KEY_ED25519},
                                                     {"secp256k1", KITH_KEY_SECP256K1},
                                                     {"ecdsa", KITH_KEY_ECDSA},
                                                     {"rsa", KITH_KEY_RSA}};

struct GenOptions {
  std::string type = "ed25519";
  uint32_t bits = 0;
  std::string file = "-";
  bool force = false;
};

int generate(const GenOptions& o) {
  const kith_key_type type = kTypes.at(o.type);
  if (o.bits != 0 && type != KITH_KEY_RSA) {
    throw UsageError("--bits is for RSA: an " + o.type + " key has one size");
  }
  kith_key* made = nullptr;
  if (const kith_status status = kith_key_generate(&made, type, o.bits); status != KITH_OK) {
    throw Failure(std::string("cannot make a key: ") + kith_status_text(status));
  }
  const Key key(made);
  write_key_file(*key, o.file, o.force);
  if (o.file != "-") print_line(peer_id_of(*key));
  return kOk;
}

int show(const std::string& file, bool json) {
  const Key key = read_key_file(file);
  const std::string type = key_type_name(kith_key_get_type(key.get()));
  const std::string id = peer_id_of(*key);
  size_t size = 0;
  kith_key_encode_public(key.get(), nullptr, &size);
  std::vector<uint8_t> bytes(size);
  kith_key_encode_public(key.get(), bytes.data(), &size);
  if (json) {
    print_document({{"type", type},
                    {"peer_id", id},
                    {"peer_id_cid", peer_id_as_cid(id)},
                    {"public_key", hex(bytes)}});
    return kOk;
  }
  print_line("type        " + type);
  print_line("peer id     " + id);
  print_line("  as CIDv1  " + peer_id_as_cid(id));
  print_line("public key  " + hex(bytes));
  return kOk;
}

}  // namespace

void add_key_commands(Program& program) {
  CLI::App* key = program.app.add_subcommand("key", "Make and look at private keys");
  key->require_subcommand(1);
  key->footer("'kith key gen --help' and 'kith key show --help' say more.");

  auto gen_options = std::make_shared<GenOptions>();
  CLI::App* gen = key->add_subcommand("gen", "Make a private key");
  std::vector<std::string> names;
  for (const auto& [name, type] : kTypes) names.push_back(name);
  gen->add_option("--type", gen_options->type, "ed25519, secp256k1, ecdsa or rsa")
      ->type_name("TYPE")
      ->check(CLI::IsMember(names).description(""))
      ->capture_default_str();
  gen->add_option("--bits", gen_options->bits, "Size of an RSA key, 2048 to 8192 [2048]")
      ->type_name("N")
      ->check(CLI::Range(2048, 8192).description(""));
  gen->add_option("-o,--output", gen_options->file,
                  "File to make, readable by you only; - is stdout")
      ->type_name("FILE")
      ->capture_default_str();
  gen->add_flag("-f,--force", gen_options->force, "Replace the file if it exists");
  gen->footer(
      "The file holds libp2p's protobuf encoding, raw, as Kubo and the go-libp2p tools read it. "
      "Prints\n"
      "the peer id, or, without -o, the key itself.\n\n"
      "Examples:\n  kith key gen -o node.key\n  kith key gen --type rsa --bits 4096 -o rsa.key");
  program.on(gen, [gen_options] { return generate(*gen_options); });

  auto file = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* show_command = key->add_subcommand("show", "Show what a private key is for");
  show_command->footer(
      "Prints the type, the peer id in both text forms and the public key (protobuf, hex).\n\n"
      "Example:\n  kith key show node.key");
  show_command->add_option("FILE", *file, "Private key file; - is stdin")
      ->required()
      ->type_name("");
  add_json(show_command, json.get(), "Print one JSON object");
  program.on(show_command, [file, json] { return show(*file, *json); });
}

}  // namespace cli
