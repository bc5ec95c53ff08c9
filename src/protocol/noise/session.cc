#include "protocol/noise/session.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/limits.h"
#include "crypto/secret.h"
#include "protocol/noise/handshake.h"
#include "protocol/noise/payload.h"

namespace kith::noise {
namespace {

constexpr char kWhere[] = "noise";
constexpr size_t kFrameBytes = kLengthBytes + kTagBytes;  // what a frame adds to its plaintext
constexpr size_t kMaxParts = 64;                          // spans in one frame

Result<crypto::X25519Key> random_key(Random random) {
  std::array<uint8_t, 32> seed;
  random(seed);
  auto key = crypto::X25519Key::from_private(seed);
  crypto::cleanse(seed);
  return key;
}

size_t read_length(Bytes b) { return static_cast<size_t>(b[0]) << 8 | b[1]; }

void write_length(uint8_t* out, size_t length) {
  out[0] = static_cast<uint8_t>(length >> 8);
  out[1] = static_cast<uint8_t>(length);
}

// Parts is the plaintext of one frame, gathered from the front of what is left of the caller's.
class Parts {
 public:
  explicit Parts(std::span<const Bytes> plaintext) : rest_(plaintext) {}

  // next gathers up to kMaxPlaintext bytes in up to kMaxParts spans; false when nothing is left.
  bool next() {
    count_ = size_ = 0;
    while (!rest_.empty() && count_ < kMaxParts && size_ < kMaxPlaintext) {
      const Bytes rest = rest_.front().subspan(offset_);
      const Bytes part = rest.first(std::min(rest.size(), kMaxPlaintext - size_));
      if (!part.empty()) parts_[count_++] = part;
      size_ += part.size();
      offset_ += part.size();
      if (part.size() == rest.size()) {
        rest_ = rest_.subspan(1);
        offset_ = 0;
      }
    }
    return size_ != 0;
  }
  std::span<const Bytes> spans() const { return {parts_.data(), count_}; }
  size_t size() const { return size_; }

 private:
  std::span<const Bytes> rest_;
  size_t offset_ = 0;  // in the first of rest_
  std::array<Bytes, kMaxParts> parts_;
  size_t count_ = 0;
  size_t size_ = 0;
};

}  // namespace

Result<Context> Context::make(const crypto::PrivateKey& identity_key, Random random_source) {
  KITH_ASSIGN(crypto::X25519Key static_key, random_key(random_source));
  KITH_ASSIGN(ByteVector payload, encode_identity(identity_key, static_key.public_key()));
  return Context(std::move(static_key), std::move(payload), random_source);
}

Session::Session(const Config& config) : config_(config) {}
Session::~Session() = default;

Status Session::fail(Error error) {
  state_ = State::kFailed;
  handshake_.reset();
  encryptor_.reset();
  decryptor_.reset();
  partial_ = {};
  remote_peer_ = {};
  muxer_ = {};
  remote_certhashes_.clear();
  error_ = std::move(error);
  return error_;
}

Status Session::start(OutputBytes& out) {
  if (state_ != State::kHandshaking || handshake_) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session was started before");
  }
  auto ephemeral = random_key(config_.context->random());
  if (!ephemeral.ok()) return fail(ephemeral.error());
  handshake_ = std::make_unique<Handshake>(
      config_.is_dialer ? Handshake::Role::kInitiator : Handshake::Role::kResponder,
      config_.prologue, config_.context->static_key(), std::move(ephemeral).value());
  config_.prologue = {};
  // "The initiator MUST NOT send extensions in their first message": nor anything else.
  return config_.is_dialer ? write_handshake(out, /*with_payload=*/false) : Status();
}

Status Session::write_handshake(OutputBytes& out, bool with_payload) {
  ByteVector payload;
  if (with_payload) {
    payload = to_vector(config_.context->payload());
    append_extensions(payload,
                      config_.is_dialer ? std::span<const ByteVector>() : config_.certhashes,
                      config_.muxers);
  }
  OutputBytes message;
  if (Status s = handshake_->write(payload, message); !s.ok()) return fail(s.error());
  write_length(out.extend(kLengthBytes), message.size());
  out.append(message.bytes());
  return {};
}

Status Session::agree_on_muxer(const std::vector<Bytes>& theirs) {
  if (config_.muxers.empty() || theirs.empty()) return {};  // multistream's business
  const auto ours = [&](Bytes name) {
    const auto it = std::find(config_.muxers.begin(), config_.muxers.end(), as_text(name));
    return it == config_.muxers.end() ? std::string_view() : *it;
  };
  // "The multiplexer to use is determined by picking the first item from the initiator's list that
  // both parties support."
  if (config_.is_dialer) {
    for (const std::string_view name : config_.muxers) {
      for (const Bytes b : theirs) {
        if (muxer_.empty() && as_text(b) == name) muxer_ = name;
      }
    }
  } else {
    for (const Bytes b : theirs) {
      if (muxer_.empty()) muxer_ = ours(b);
    }
  }
  if (muxer_.empty()) {
    return Error(KITH_ERR_PROTOCOL_NOT_SUPPORTED, kWhere, "the peer has none of our muxers");
  }
  return {};
}

Status Session::take_payload(Bytes in) {
  KITH_ASSIGN(const Payload payload, decode_payload(in));
  KITH_ASSIGN(const crypto::PublicKey key, verify_payload(payload, handshake_->remote_static()));
  verified_ = identity::PeerId::from_public_key(key);
  if (!config_.expected_peer.empty() && !(verified_ == config_.expected_peer)) {
    return Error(KITH_ERR_PEER_ID_MISMATCH, kWhere,
                 (config_.is_dialer ? "dialed " : "expected ") + config_.expected_peer.to_string() +
                     " but the peer is " + verified_.to_string());
  }
  for (const Bytes hash : payload.certhashes) remote_certhashes_.push_back(to_vector(hash));
  return agree_on_muxer(payload.muxers);
}

Status Session::take_handshake(Bytes message, OutputBytes& out) {
  auto payload = handshake_->read(message);
  if (!payload.ok()) return fail(payload.error());
  // The initiator's first message has no payload that would mean anything to us.
  const bool is_first = !config_.is_dialer && handshake_->is_our_turn();
  if (!is_first) {
    if (Status s = take_payload(*payload); !s.ok()) return fail(s.error());
  }
  if (handshake_->is_our_turn()) KITH_TRY(write_handshake(out, /*with_payload=*/true));
  if (!handshake_->is_done()) return {};
  KITH_CHECK(!verified_.empty());
  encryptor_.emplace(handshake_->encryptor());
  decryptor_.emplace(handshake_->decryptor());
  handshake_.reset();
  remote_peer_ = verified_;
  state_ = State::kOpen;
  return {};
}

Status Session::take_frame(MutableBytes frame, BytesSink plaintext) {
  if (Status s = decryptor_->open({}, frame); !s.ok()) return fail(s.error());
  const MutableBytes text = frame.first(frame.size() - kTagBytes);
  if (!text.empty()) plaintext(text);
  return {};
}

Status Session::take_message(MutableBytes message, BytesSink plaintext, OutputBytes& out) {
  return state_ == State::kOpen ? take_frame(message, plaintext) : take_handshake(message, out);
}

Status Session::check_length(size_t length) {
  if (state_ == State::kHandshaking && length > limits::kNoiseHandshakeBytes) {
    return fail(Error(KITH_ERR_MESSAGE_TOO_LARGE, kWhere,
                      "a handshake message of " + std::to_string(length) + " bytes"));
  }
  if (state_ == State::kOpen && length < kTagBytes) {
    return fail(Error(KITH_ERR_MALFORMED, kWhere, "a frame is too short"));
  }
  return {};
}

Status Session::begin_partial(size_t length) {
  KITH_TRY(check_length(length));
  // Memory that is not written to costs nothing: announcing a frame is no way to use up ours.
  partial_.bytes = new uint8_t[length];
  partial_.memory = Buffer::wrap(
      {partial_.bytes, length}, [](void*, const uint8_t* bytes, size_t) { delete[] bytes; },
      nullptr);
  if (state_ != State::kOpen) return {};
  if (Status s = decryptor_->begin_open(partial_.bytes); !s.ok()) return fail(s.error());
  return {};
}

Status Session::end_partial(BytesSink plaintext, OutputBytes& out) {
  const Partial done = std::exchange(partial_, {});
  const MutableBytes message(done.bytes, done.memory.size());
  if (state_ != State::kOpen) return take_handshake(message, out);
  if (Status s = decryptor_->end_open(message.last(kTagBytes)); !s.ok()) return fail(s.error());
  const MutableBytes text = message.first(message.size() - kTagBytes);
  if (text.empty()) return {};
  memory_of_piece_ = done.memory;
  plaintext(text);
  memory_of_piece_ = {};
  return {};
}

Status Session::gather(MutableBytes& chunk, BytesSink plaintext, OutputBytes& out) {
  for (; partial_.size < kLengthBytes && !chunk.empty(); chunk = chunk.subspan(1)) {
    partial_.length[partial_.size++] = chunk[0];
  }
  if (partial_.size < kLengthBytes) return {};
  const size_t length = read_length(partial_.length);
  if (!partial_.bytes) KITH_TRY(begin_partial(length));
  const size_t begin = partial_.size - kLengthBytes;
  Bytes piece = chunk.first(std::min(chunk.size(), length - begin));
  chunk = chunk.subspan(piece.size());
  partial_.size += piece.size();
  const size_t end = begin + piece.size();
  if (state_ == State::kOpen && begin < length - kTagBytes) {
    const Bytes text = piece.first(std::min(end, length - kTagBytes) - begin);
    decryptor_->open_piece(text);
    piece = piece.subspan(text.size());
  }
  std::copy(piece.begin(), piece.end(), partial_.bytes + (end - piece.size()));
  return end == length ? end_partial(plaintext, out) : Status();
}

Status Session::receive(MutableBytes chunk, BytesSink plaintext, OutputBytes& out) {
  if (state_ == State::kFailed) return error_;
  if (state_ == State::kClosed) return Error(KITH_ERR_CLOSED, kWhere, "the session is closed");
  if (state_ == State::kHandshaking && !handshake_) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session was not started");
  }
  while (!chunk.empty() && !has_ended()) {
    const bool has_length = partial_.size == 0 && chunk.size() >= kLengthBytes;
    const size_t length = has_length ? read_length(chunk) : 0;
    if (!has_length || chunk.size() - kLengthBytes < length) {
      KITH_TRY(gather(chunk, plaintext, out));
      continue;
    }
    KITH_TRY(check_length(length));
    const MutableBytes message = chunk.subspan(kLengthBytes, length);
    chunk = chunk.subspan(kLengthBytes + length);
    KITH_TRY(take_message(message, plaintext, out));
  }
  if (state_ == State::kFailed) return error_;  // encrypt() did, called by `plaintext`
  return {};
}

Status Session::encrypt(std::span<const Bytes> plaintext, OutputBytes& out) {
  if (state_ != State::kOpen) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session is not open");
  }
  const size_t begin = out.size();
  for (Parts parts(plaintext); parts.next();) {
    uint8_t* frame = out.extend(kFrameBytes + parts.size());
    write_length(frame, parts.size() + kTagBytes);
    if (Status s = encryptor_->seal({}, parts.spans(), frame + kLengthBytes); !s.ok()) {
      out.truncate(begin);
      return fail(s.error());
    }
  }
  return {};
}

Status Session::close(OutputBytes&) {
  if (has_ended()) return {};
  state_ = State::kClosed;
  handshake_.reset();
  partial_ = {};
  return {};
}

Status Session::end_of_input() const {
  if (state_ == State::kHandshaking) {
    return Error(KITH_ERR_CLOSED, kWhere, "the peer hung up during the handshake");
  }
  if (partial_.size != 0) return Error(KITH_ERR_CLOSED, kWhere, "the peer hung up within a frame");
  return {};
}

}  // namespace kith::noise
