// Encoding and merging of identify messages. Spec: see message.h.
#include "protocol/identify/message.h"

#include "wire/protobuf.h"

namespace kith::identify {
namespace {

constexpr const char* kWhere = "identify";

// What we send: no message larger than rust-libp2p's limit, and one less than go-libp2p merges,
// which counts the end of the stream as one.
constexpr size_t kSentMessageBytes = 4096;
constexpr size_t kSentMessages = limits::kIdentifyMessages - 1;

// The longest id that fits in a multistream line.
constexpr size_t kProtocolIdBytes = limits::kMultistreamLineBytes - 1;

// message Identify, proto2.
enum Field : uint32_t {
  kPublicKey = 1,
  kListenAddr = 2,
  kProtocol = 3,
  kObservedAddr = 4,
  kProtocolVersion = 5,
  kAgentVersion = 6,
  kSignedPeerRecord = 8,
};

Error too_large(const char* what, size_t size, size_t limit) {
  return Error(KITH_ERR_MESSAGE_TOO_LARGE, kWhere,
               std::string(what) + " of " + std::to_string(size) + " bytes; the limit is " +
                   std::to_string(limit));
}

// The limit of a field that has one, with its name for the error; {nullptr, 0} for the others.
struct FieldLimit {
  const char* name;
  size_t bytes;
};
FieldLimit limit_of(uint32_t number) {
  switch (number) {
    case kPublicKey:
      return {"a public key", limits::kPublicKeyBytes};
    case kProtocolVersion:
      return {"a protocol version", limits::kIdentifyStringBytes};
    case kAgentVersion:
      return {"an agent version", limits::kIdentifyStringBytes};
    default:
      return {nullptr, 0};
  }
}

// Collects fields into messages of at most kSentMessageBytes, a new one whenever a field does not
// fit.
class Parts {
 public:
  Status add(Field number, Bytes value) {
    if (const FieldLimit limit = limit_of(number); limit.name && value.size() > limit.bytes) {
      return too_large(limit.name, value.size(), limit.bytes);
    }
    const size_t size = wire::ProtoWriter::bytes_size(number, value.size());
    if (size > limits::kIdentifyMessageBytes) {
      return too_large("a field", size, limits::kIdentifyMessageBytes);
    }
    if (!part_.empty() && part_.size() + size > kSentMessageBytes) end_part();
    wire::ProtoWriter(part_).bytes(number, value);
    return {};
  }
  // For a field whose emptiness says that it is left out.
  Status add_if_set(Field number, Bytes value) {
    return value.empty() ? Status() : add(number, value);
  }

  Result<ByteVector> finish() && {
    end_part();
    if (num_parts_ > kSentMessages) {
      return Error(KITH_ERR_LIMIT, kWhere,
                   std::to_string(num_parts_) + " messages would be needed; peers merge " +
                       std::to_string(kSentMessages));
    }
    return std::move(out_);
  }

 private:
  void end_part() {
    wire::append_frame(out_, part_);
    part_.clear();
    ++num_parts_;
  }

  ByteVector out_;
  ByteVector part_;
  size_t num_parts_ = 0;
};

}  // namespace

Result<ByteVector> encode(const IdentifyMessage& message) {
  Parts parts;
  KITH_TRY(parts.add_if_set(kPublicKey, message.public_key));
  KITH_TRY(parts.add_if_set(kProtocolVersion, as_bytes(message.protocol_version)));
  KITH_TRY(parts.add_if_set(kAgentVersion, as_bytes(message.agent_version)));
  if (message.observed_addr) KITH_TRY(parts.add(kObservedAddr, message.observed_addr->bytes()));
  for (const std::string& id : message.protocols) KITH_TRY(parts.add(kProtocol, as_bytes(id)));
  for (const wire::Multiaddr& addr : message.listen_addrs) {
    KITH_TRY(parts.add(kListenAddr, addr.bytes()));
  }
  KITH_TRY(parts.add_if_set(kSignedPeerRecord, message.signed_peer_record));
  return std::move(parts).finish();
}

size_t Reader::receive(Bytes in) {
  Bytes rest = in;
  while (error_.status() == KITH_OK && !rest.empty()) {
    size_t consumed = 0;
    switch (frames_.receive(rest, &consumed)) {
      case wire::FrameState::kNeedMore:
        is_mid_message_ = true;
        break;
      case wire::FrameState::kDone:
        is_mid_message_ = false;
        if (Status merged = merge(frames_.payload()); !merged.ok()) error_ = merged.error();
        break;
      case wire::FrameState::kMalformed:
        error_ = Error(KITH_ERR_MALFORMED, kWhere,
                       "the length of a message is not a minimal varint of at most 9 bytes");
        break;
      case wire::FrameState::kTooLarge:
        error_ = Error(
            KITH_ERR_MESSAGE_TOO_LARGE, kWhere,
            "a message of more than " + std::to_string(limits::kIdentifyMessageBytes) + " bytes");
        break;
    }
    rest = rest.subspan(consumed);
  }
  return in.size();
}

Result<IdentifyMessage> Reader::finish() {
  if (error_.status() == KITH_OK) {
    if (is_mid_message_) {
      error_ = Error(KITH_ERR_MALFORMED, kWhere, "the peer ended the stream within a message");
    } else if (num_messages_ == 0) {
      error_ = Error(KITH_ERR_MALFORMED, kWhere, "the peer ended the stream without a message");
    }
  }
  if (error_.status() != KITH_OK) return error_;
  if (auto addr = wire::Multiaddr::decode(observed_addr_); addr.ok()) {
    message_.observed_addr = std::move(addr).value();
  } else if (!observed_addr_.empty()) {
    ++message_.num_skipped_addrs;
  }
  return std::move(message_);
}

Status Reader::merge(Bytes encoded) {
  if (num_messages_ == limits::kIdentifyMessages) {
    return Error(KITH_ERR_LIMIT, kWhere,
                 "more than " + std::to_string(limits::kIdentifyMessages) + " messages");
  }
  ++num_messages_;
  wire::ProtoReader reader(encoded);
  for (wire::ProtoField field; reader.next(&field);) {
    // A field of another type than ours is an unknown one.
    if (field.type != wire::ProtoField::Type::kBytes) continue;
    KITH_TRY(merge_field(field.number, field.bytes));
  }
  if (reader.malformed()) return Error(KITH_ERR_MALFORMED, kWhere, "a message is not protobuf");
  return {};
}

Status Reader::merge_field(uint32_t number, Bytes value) {
  if (const FieldLimit limit = limit_of(number); limit.name && value.size() > limit.bytes) {
    return too_large(limit.name, value.size(), limit.bytes);
  }
  switch (number) {
    case kPublicKey:
      message_.public_key = to_vector(value);
      break;
    case kListenAddr:
      add_addr(value);
      break;
    case kProtocol:
      add_protocol(as_text(value));
      break;
    case kObservedAddr:
      observed_addr_ = to_vector(value);
      break;
    case kProtocolVersion:
      message_.protocol_version = as_text(value);
      break;
    case kAgentVersion:
      message_.agent_version = as_text(value);
      break;
    case kSignedPeerRecord:
      message_.signed_peer_record = to_vector(value);
      break;
    default:
      break;
  }
  return {};
}

void Reader::add_addr(Bytes encoded) {
  // Those that do not parse count as well, so that the work is bounded too.
  if (message_.listen_addrs.size() + message_.num_skipped_addrs < limits::kIdentifyAddresses) {
    if (auto addr = wire::Multiaddr::decode(encoded); addr.ok()) {
      message_.listen_addrs.push_back(std::move(addr).value());
      return;
    }
  }
  ++message_.num_skipped_addrs;
}

void Reader::add_protocol(std::string_view id) {
  if (id.empty() || id.size() > kProtocolIdBytes || id.find('\n') != id.npos ||
      message_.protocols.size() == limits::kIdentifyProtocols) {
    ++message_.num_skipped_protocols;
    return;
  }
  message_.protocols.emplace_back(id);
}

wire::Multiaddr trim_observed_addr(const wire::Multiaddr& addr) {
  wire::Multiaddr trimmed = addr;
  auto ends_with = [&trimmed](uint32_t code) {
    const auto last = trimmed.last();
    return last && last->protocol->code == code;
  };
  if (ends_with(wire::proto::kP2p)) trimmed = trimmed.without_last();
  while (ends_with(wire::proto::kCerthash)) trimmed = trimmed.without_last();
  return trimmed;
}

}  // namespace kith::identify
