// kith identify: what a peer says of itself.
#include <spdlog/fmt/fmt.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "node.h"
#include "output.h"

namespace cli {

namespace {

struct IdentifyOptions {
  std::string address;
  NodeOptions node;
  double timeout = 10;
  bool json = false;
};

class Answer final : public NodeObserver {
 public:
  void on_identified(kith_connection*, const PeerInfo& i) override { finish(i, ""); }
  void on_identify_failed(kith_connection*, const kith_error& e) override { finish({}, e.message); }
  void on_disconnected(kith_connection*, const kith_error& e) override { finish({}, e.message); }
  bool done() const { return done_; }
  const std::string& error() const { return error_; }
  const PeerInfo& info() const { return info_; }
  Node* node = nullptr;

 private:
  void finish(PeerInfo i, std::string e) {
    if (done_) return;
    done_ = true;
    info_ = std::move(i);
    error_ = std::move(e);
    node->wake();
  }
  bool done_ = false;
  std::string error_;
  PeerInfo info_;
};

void print_list(std::string_view title, const std::vector<std::string>& values) {
  for (const std::string& v : values) {
    print_line(fmt::format("{:16}  {}", title, printable(v)));
    title = "";
  }
}

int identify(const IdentifyOptions& o, int verbosity) {
  const Address address = parse_address_argument(o.address);
  Answer answer;
  Node node(o.node, verbosity, &answer);
  answer.node = &node;
  kith_connection* c = node.connect(address, to_milliseconds(o.timeout));
  if (!node.wait([&] { return answer.done(); }, to_milliseconds(o.timeout))) {
    if (Node::signal() != 0) throw Interrupted{Node::signal()};
    throw Failure(fmt::format("connected, but no identify message came within {} s", o.timeout));
  }
  if (!answer.error().empty()) {
    throw Failure("connected to " + std::string(kith_connection_peer_id(c)) + ", but " +
                  answer.error());
  }
  const PeerInfo& i = answer.info();
  if (o.json) {
    print_document({{"peer_id", kith_connection_peer_id(c)},
                    {"remote_addr", kith_connection_remote_address(c)},
                    {"agent", i.agent},
                    {"protocol_version", i.protocol_version},
                    {"observed_addr", i.observed_addr},
                    {"listen_addrs", i.listen_addrs},
                    {"protocols", i.protocols}});
    return kOk;
  }
  print_list("peer id", {kith_connection_peer_id(c)});
  print_list("reached at", {kith_connection_remote_address(c)});
  print_list("agent", {i.agent});
  print_list("protocol version", {i.protocol_version});
  print_list("it sees us at", {i.observed_addr});
  print_list("listens on", i.listen_addrs);
  print_list("protocols", i.protocols);
  return kOk;
}

}  // namespace

void add_identify_command(Program& program) {
  auto o = std::make_shared<IdentifyOptions>();
  CLI::App* identify_command =
      program.app.add_subcommand("identify", "Ask a node what it is and what it speaks");
  identify_command
      ->add_option("MADDR", o->address, "Where the node listens; /p2p/ID at the end is optional")
      ->required()
      ->type_name("");
  add_node_options(identify_command, &o->node);
  add_insecure_wss(identify_command, &o->node.wss.accept_any_certificate);
  add_timeout(identify_command, &o->timeout,
              "Give up on connecting, and on the answer, after this");
  add_json(identify_command, &o->json, "Print one JSON object");
  identify_command->footer(
      "Prints the peer id, agent, addresses and protocols of the node, and the address at which it "
      "sees\n"
      "us.\n\n"
      "Example:\n  kith identify /ip4/127.0.0.1/udp/4001/quic-v1");
  program.on(identify_command, [o, &program] { return identify(*o, program.verbosity); });
}

}  // namespace cli
