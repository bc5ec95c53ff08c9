// kith addr: takes a multiaddr apart.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "address.h"
#include "command.h"
#include "key_file.h"
#include "output.h"

namespace cli {

namespace {

Json as_json(const Address& a) {
  Json parts = Json::array();
  for (const AddressPart& p : a.parts) {
    parts.push_back(
        {{"name", p.name}, {"code", p.code}, {"value", p.value}, {"hex", hex(p.bytes)}});
    if (p.name == "p2p") parts.back()["peer_id_cid"] = peer_id_as_cid(p.value);
  }
  const auto can_not_dial = why_not_dial(a);
  const auto can_not_listen = why_not_listen(a);
  Json out = {{"multiaddr", a.text}, {"hex", hex(a.bytes)}, {"components", std::move(parts)}};
  out["can_dial"] = !can_not_dial;
  if (can_not_dial) out["why_not_dial"] = *can_not_dial;
  out["can_listen"] = !can_not_listen;
  if (can_not_listen) out["why_not_listen"] = *can_not_listen;
  return out;
}

void explain(const Address& a) {
  size_t name_width = 0;
  size_t value_width = 0;
  for (const AddressPart& p : a.parts) {
    name_width = std::max(name_width, p.name.size());
    value_width = std::max(value_width, std::min<size_t>(p.value.size(), 20));
  }
  print_line(printable(a.text));
  for (const AddressPart& p : a.parts) {
    print_line(fmt::format("  {:{}}  {:{}}  {}", p.name, name_width, printable(p.value),
                           value_width, meaning_of(p)));
    print_line(fmt::format("  {:{}}  hex {}", "", name_width, hex(p.bytes)));
    if (p.name == "p2p")
      print_line(fmt::format("  {:{}}  cid {}", "", name_width, peer_id_as_cid(p.value)));
  }
  print_line(fmt::format("bytes   {} ({})", hex(a.bytes), count_text(a.bytes.size(), "byte")));
  const auto verdict = [](const std::optional<std::string>& why_not) {
    return why_not ? "no: " + printable(*why_not) : std::string("yes");
  };
  print_line("dial    " + verdict(why_not_dial(a)));
  print_line("listen  " + verdict(why_not_listen(a)));
}

}  // namespace

void add_addr_command(Program& program) {
  auto text = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* addr = program.app.add_subcommand("addr", "Take a multiaddr apart and explain it");
  addr->add_option("MADDR", *text, "A multiaddr")->required()->type_name("");
  add_json(addr, json.get(), "Print one JSON object");
  addr->footer(
      "Prints the components with their bytes, and whether this build can dial the address or "
      "listen\n"
      "on it. Nothing is sent.\n\n"
      "Example:\n  kith addr /ip4/127.0.0.1/udp/4001/quic-v1");
  program.on(addr, [text, json] {
    const Address address = parse_address(*text);
    if (*json) {
      print_document(as_json(address));
    } else {
      explain(address);
    }
    return kOk;
  });
}

}  // namespace cli
