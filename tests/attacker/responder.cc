// What the attacker answers on streams of the node. See responder.h.
#include "tests/attacker/responder.h"

#include "tests/attacker/report.h"

namespace kith::attacker {
namespace {

constexpr size_t kBlockBytes = 16 * 1024;
constexpr size_t kMebibyteBytes = 1024 * 1024;
constexpr char kAgent[] = "kith-attacker";

// libp2p/specs identify/README.md, message Identify.
constexpr uint32_t kPublicKeyField = 1, kListenAddressField = 2, kProtocolField = 3,
                   kProtocolVersionField = 5, kAgentField = 6;

Bytes with_length(const Bytes& message) {
  Bytes out;
  append_varint(out, message.size());
  append(out, message);
  return out;
}

Bytes good_message(const IdentifyPlan& plan) {
  Bytes out;
  append_field(out, kPublicKeyField, plan.public_key);
  append_field(out, kProtocolField, kIdentify);
  append_field(out, kProtocolField, kPing);
  append_field(out, kProtocolVersionField, "ipfs/0.1.0");
  append_field(out, kAgentField, std::string_view(kAgent));
  return out;
}

// A protocol id of three characters for the first 3,844 numbers.
std::string short_protocol(size_t number) {
  static constexpr char kDigits[] =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string out = "/";
  do {
    out += kDigits[number % 62];
    number /= 62;
  } while (number > 0);
  if (out.size() == 2) out += '0';
  return out;
}

// The multiaddr /ip4/10.x.y.z, all different. It is the shortest kind that is right, so that 1,000
// of them and 200 protocols fit into one message of 8 KiB.
Bytes short_address(size_t number) {
  return {0x04, 10, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
          static_cast<uint8_t>(number)};
}

Bytes many_message(const IdentifyPlan& plan, size_t index) {
  Bytes out;
  append_field(out, kPublicKeyField, plan.public_key);
  size_t protocols = plan.protocols / plan.messages, addresses = plan.addresses / plan.messages;
  for (size_t i = 0; i < addresses; ++i) {
    append_field(out, kListenAddressField, short_address(index * addresses + i));
  }
  for (size_t i = 0; i < protocols; ++i) {
    append_field(out, kProtocolField, short_protocol(index * protocols + i));
  }
  append_field(out, kAgentField, std::string(plan.agent_bytes, 'k'));
  return out;
}

Bytes endless_message(const IdentifyPlan& plan, size_t index) {
  Bytes out = good_message(plan);
  append_field(out, kProtocolField, "/endless/" + std::to_string(index));
  append_field(out, kListenAddressField, short_address(index));
  return out;
}

}  // namespace

bool identify_ends(IdentifyAnswer answer) {
  return answer == IdentifyAnswer::kGood || answer == IdentifyAnswer::kMany;
}

Generator identify_generator(const IdentifyPlan& plan) {
  switch (plan.answer) {
    case IdentifyAnswer::kGood:
      return [plan](Bytes& block) {
        block = with_length(good_message(plan));
        return false;
      };
    case IdentifyAnswer::kMebibyte:
      return [sent = size_t{0}](Bytes& block) mutable {
        if (sent == 0) append_varint(block, kMebibyteBytes);
        block.resize(block.size() + kBlockBytes, 'a');
        sent += kBlockBytes;
        return sent < kMebibyteBytes;
      };
    case IdentifyAnswer::kEndless:
      return [plan, index = size_t{0}](Bytes& block) mutable {
        while (block.size() < kBlockBytes)
          append(block, with_length(endless_message(plan, index++)));
        return true;
      };
    case IdentifyAnswer::kMany:
      return [plan, index = size_t{0}](Bytes& block) mutable {
        block = with_length(many_message(plan, index));
        return ++index < plan.messages;
      };
    case IdentifyAnswer::kSilent:
      break;
  }
  return nullptr;
}

void Responder::receive(View bytes) {
  if (protocol_ == kPing) {
    stream_.send(Bytes(bytes.begin(), bytes.end()));
    return;
  }
  if (!protocol_.empty()) return;
  append(pending_, bytes);
  std::string line;
  while (protocol_.empty() && read_line(pending_, line)) answer(line);
  if (protocol_ == kPing && !pending_.empty()) stream_.send(std::move(pending_));
}

void Responder::finish() {
  if (protocol_ != kIdentify) stream_.send({}, true);
}

void Responder::answer(const std::string& line) {
  Bytes reply;
  if (!said_hello_) {
    append_line(reply, kMultistream);
    said_hello_ = true;
  }
  if (line == kMultistream) {
    stream_.send(std::move(reply));
    return;
  }
  bool is_known = line == kPing || line == kIdentify;
  append_line(reply, is_known ? line : "na");
  stream_.send(std::move(reply));
  if (!stream_.is_quiet()) {
    Line("stream_protocol").text("protocol", line).flag("agreed", is_known).print();
  }
  if (!is_known) return;
  protocol_ = line;
  agreed_at_ = Clock::now();
  if (line == kIdentify) stream_.pump(identify_generator(plan_), identify_ends(plan_.answer));
}

}  // namespace kith::attacker
