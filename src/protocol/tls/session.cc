#include "protocol/tls/session.h"

#include <algorithm>
#include <string>
#include <utility>

namespace kith::tls {
namespace {
constexpr char kWhere[] = "tls";
}  // namespace

Result<Context> Context::make(const Credentials& credentials) {
  KITH_ASSIGN(crypto::TlsContext tls,
              crypto::TlsContext::make(credentials.certificate_der, credentials.private_key_der));
  return Context(std::move(tls));
}

Session::Session(const Config& config)
    : config_(config), alpn_(config.muxers.begin(), config.muxers.end()) {
  // "The "libp2p" protocol code MUST always be the last item in the multiplexer list."
  alpn_.push_back(kAlpn);
}

Session::~Session() = default;

Status Session::fail(Error error) {
  state_ = State::kFailed;
  remote_peer_ = {};
  muxer_ = {};
  error_ = std::move(error);
  return error_;
}

Status Session::start(OutputBytes& out) {
  if (state_ != State::kHandshaking || tls_.is_started()) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session was started before");
  }
  crypto::TlsConfig config;
  config.context = &config_.context->tls();
  config.is_client = config_.is_dialer;
  config.alpn = alpn_;
  config.verify = verify_peer;
  config.verify_ctx = this;
  if (Status s = tls_.start(config, out); !s.ok()) return fail(s.error());
  return {};
}

Status Session::verify_peer(void* session, Bytes certificate_der) {
  auto& self = *static_cast<Session*>(session);
  const Config& config = self.config_;
  KITH_ASSIGN(const VerifiedPeer peer, verify_certificate(certificate_der, config.now_unix_s));
  if (!config.expected_peer.empty() && !(peer.id == config.expected_peer)) {
    return Error(KITH_ERR_PEER_ID_MISMATCH, kWhere,
                 (config.is_dialer ? "dialed " : "expected ") + config.expected_peer.to_string() +
                     " but the peer is " + peer.id.to_string());
  }
  self.verified_ = peer.id;
  return {};
}

Status Session::open(void* session) {
  auto& self = *static_cast<Session*>(session);
  KITH_CHECK(!self.verified_.empty());
  self.remote_peer_ = self.verified_;
  const std::string_view alpn = self.tls_.alpn();
  if (alpn != kAlpn) self.muxer_ = alpn;
  self.state_ = State::kOpen;
  return {};
}

Status Session::receive(MutableBytes chunk, BytesSink plaintext, OutputBytes& out) {
  if (state_ == State::kFailed) return error_;
  if (state_ == State::kClosed) return Error(KITH_ERR_CLOSED, kWhere, "the session is closed");
  if (!tls_.is_started()) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session was not started");
  }
  if (Status s = tls_.receive(chunk, plaintext, open, this, out); !s.ok()) return fail(s.error());
  if (state_ == State::kFailed) return error_;  // encrypt() did, called by `plaintext`
  if (tls_.peer_closed()) state_ = State::kClosed;
  return {};
}

Status Session::encrypt(std::span<const Bytes> plaintext, OutputBytes& out) {
  if (state_ != State::kOpen) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "the session is not open");
  }
  if (Status s = tls_.encrypt(plaintext, out); !s.ok()) return fail(s.error());
  return {};
}

Status Session::close(OutputBytes& out) {
  if (state_ == State::kOpen || tls_.peer_closed()) tls_.shut_down(out);
  if (state_ != State::kFailed) state_ = State::kClosed;
  return {};
}

Status Session::end_of_input() const {
  if (tls_.peer_closed()) return {};
  return Error(KITH_ERR_CLOSED, kWhere,
               state_ == State::kHandshaking ? "the peer hung up during the handshake"
                                             : "the peer hung up without close_notify");
}

}  // namespace kith::tls
