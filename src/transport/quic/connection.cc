#include "transport/quic/connection.h"

#include "crypto/x509.h"
#include "protocol/tls/certificate.h"
#include "transport/quic/listener.h"
#include "transport/quic/status.h"
#include "transport/quic/stream.h"
#include "transport/quic/transport.h"

namespace kith::transport::quic {

namespace {
static_assert(sizeof(QUIC_ADDR) >= sizeof(sockaddr_in6));
QUIC_ADDR quic_addr_of(const Endpoint& e) {
  QUIC_ADDR out{};
  if (e.is_v4()) {
    out.Ipv4 = e.v4;
  } else {
    out.Ipv6 = e.v6;
  }
  return out;
}
}  // namespace

QuicConnection::QuicConnection(QuicTransport& transport, const identity::PeerId& expected,
                               QuicDial* dial)
    : transport_(transport),
      expected_(expected),
      dial_(dial),
      handshake_deadline_(runtime::Timer::of<&QuicConnection::on_handshake_deadline>(
          transport.loop().timers(), this)),
      direction_(Direction::kOutbound) {}

QuicConnection::QuicConnection(QuicTransport& transport, QuicListener* listener,
                               Admission::Ticket ticket, HQUIC handle, const Endpoint& remote)
    : transport_(transport),
      handle_(handle),
      remote_(remote),
      listener_(listener),
      handshake_deadline_(runtime::Timer::of<&QuicConnection::on_handshake_deadline>(
          transport.loop().timers(), this)),
      ticket_(std::move(ticket)),
      direction_(Direction::kInbound) {
  handshake_deadline_.set(transport_.loop().now() + transport_.config().handshake_timeout);
  share_between_streams();
}

// MsQuic's default sends stream after stream: a bulk transfer would starve those opened after it.
void QuicConnection::share_between_streams() {
  const QUIC_STREAM_SCHEDULING_SCHEME scheme = QUIC_STREAM_SCHEDULING_SCHEME_ROUND_ROBIN;
  transport_.api().SetParam(handle_, QUIC_PARAM_CONN_STREAM_SCHEDULING_SCHEME, sizeof scheme,
                            &scheme);
}

Status QuicConnection::start_dial(const Endpoint& remote, const std::optional<Endpoint>& source) {
  const QUIC_API_TABLE& api = transport_.api();
  remote_ = remote;
  QUIC_STATUS status = api.ConnectionOpenInPartition(
      transport_.slot().registration(), transport_.slot().partition(), on_event, this, &handle_);
  if (QUIC_FAILED(status)) return error_of(status, "quic", "open a connection");
  share_between_streams();
  const QUIC_ADDR to = quic_addr_of(remote);
  status = api.SetParam(handle_, QUIC_PARAM_CONN_REMOTE_ADDRESS, sizeof to, &to);
  if (QUIC_SUCCEEDED(status) && source) {
    const uint8_t share = 1;
    const QUIC_ADDR from = quic_addr_of(*source);
    api.SetParam(handle_, QUIC_PARAM_CONN_SHARE_UDP_BINDING, sizeof share, &share);
    status = api.SetParam(handle_, QUIC_PARAM_CONN_LOCAL_ADDRESS, sizeof from, &from);
  }
  if (QUIC_SUCCEEDED(status)) {
    // The name is not sent as SNI for an IP address; the remote address above is the one that counts.
    status =
        api.ConnectionStart(handle_, transport_.client_configuration(),
                            remote.is_v4() ? QUIC_ADDRESS_FAMILY_INET : QUIC_ADDRESS_FAMILY_INET6,
                            remote.host().c_str(), remote.port());
  }
  if (QUIC_FAILED(status)) {
    // Closing here would wait for the worker, which is this thread; shutting down reports the end in a later turn.
    end(error_of(status, "quic", "dial " + quic_address(remote).to_string()));
    shut_down(0);
    return {};
  }
  handshake_deadline_.set(transport_.loop().now() + transport_.config().handshake_timeout);
  return {};
}

Endpoint QuicConnection::local_endpoint() const {
  QUIC_ADDR address{};
  uint32_t size = sizeof address;
  transport_.api().GetParam(handle_, QUIC_PARAM_CONN_LOCAL_ADDRESS, &size, &address);
  Endpoint e;
  std::memcpy(&e.v6, &address, sizeof e.v6);
  return e;
}

wire::Multiaddr QuicConnection::local_address() const { return quic_address(local_endpoint()); }
wire::Multiaddr QuicConnection::remote_address() const { return quic_address(remote_); }

Result<Stream*> QuicConnection::open_stream(StreamHandler* handler) {
  if (state_ != State::kOpen) return Error(KITH_ERR_CLOSED, "connection");
  const QUIC_API_TABLE& api = transport_.api();
  QuicStream* stream = transport_.streams().create(*this, nullptr, Direction::kOutbound);
  HQUIC handle = nullptr;
  QUIC_STATUS status =
      api.StreamOpen(handle_, QUIC_STREAM_OPEN_FLAG_NONE, QuicStream::on_event, stream, &handle);
  if (QUIC_SUCCEEDED(status)) {
    stream->set_handle(handle);
    // Starting alone sends nothing: the stream begins with its first bytes.
    status = api.StreamStart(handle, QUIC_STREAM_START_FLAG_SHUTDOWN_ON_FAIL);
    if (QUIC_FAILED(status)) api.StreamClose(handle);
  }
  if (QUIC_FAILED(status)) {
    transport_.streams().destroy(stream);
    return error_of(status, "quic", "open a stream");
  }
  ++num_streams_;
  stream->set_handler(handler);
  return static_cast<Stream*>(stream);
}

void QuicConnection::remove(QuicStream* stream) {
  transport_.streams().destroy(stream);
  if (--num_streams_ == 0 && !handle_) finish();
}

void QuicConnection::end(Error reason) {
  if (state_ == State::kEnding) return;
  state_ = State::kEnding;
  end_ = std::move(reason);
  handshake_deadline_.cancel();
}

void QuicConnection::close(uint64_t code) {
  if (state_ == State::kEnding) return;
  end(Error(KITH_ERR_CLOSED, "connection", "closed here"));
  shut_down(std::min(code, kMaxErrorCode));
}

void QuicConnection::abandon() {
  if (!handle_) return;
  end(Error(KITH_ERR_CANCELED, "connection", "the node is stopping"));
  transport_.api().ConnectionShutdown(handle_, QUIC_CONNECTION_SHUTDOWN_FLAG_SILENT, 0);
}

void QuicConnection::cancel_dial() {
  dial_ = nullptr;
  if (state_ == State::kEnding) return;
  end(Error(KITH_ERR_CANCELED, "dial"));
  shut_down(0);
}

const char* QuicConnection::where() const {
  if (state_ != State::kHandshaking) return "connection";
  return direction_ == Direction::kOutbound ? "dial" : "accept";
}

void QuicConnection::shut_down(uint64_t code) {
  transport_.api().ConnectionShutdown(handle_, QUIC_CONNECTION_SHUTDOWN_FLAG_NONE, code);
}

void QuicConnection::on_handshake_deadline() {
  end(Error(KITH_ERR_TIMEOUT, where(),
            "no complete handshake with " + quic_address(remote_).to_string() + " within " +
                std::to_string(transport_.config().handshake_timeout / seconds(1)) + " s"));
  shut_down(0);
}

Status QuicConnection::verify_peer(void* certificate, void* chain) {
  if (!certificate) {
    return Error(KITH_ERR_BAD_CERTIFICATE, "tls", "the peer presented no certificate");
  }
  size_t num_certificates = 0;
  KITH_ASSIGN(const ByteVector der,
              crypto::single_certificate_der(certificate, chain, &num_certificates));
  KITH_ASSIGN(const identity::PeerId peer,
              transport_.certificates().verify(der, transport_.loop().unix_seconds()));
  if (!expected_.empty() && !(peer == expected_)) {
    return Error(KITH_ERR_PEER_ID_MISMATCH, "tls",
                 "dialed " + expected_.to_string() + " but the peer is " + peer.to_string());
  }
  peer_ = peer;
  return {};
}

QUIC_STATUS QuicConnection::on_certificate(void* certificate, void* chain) {
  if (state_ != State::kHandshaking || !peer_.empty()) return QUIC_STATUS_BAD_CERTIFICATE;
  if (Status s = verify_peer(certificate, chain); !s.ok()) {
    end(s.error());
    return QUIC_STATUS_BAD_CERTIFICATE;
  }
  return QUIC_STATUS_SUCCESS;
}

void QuicConnection::on_connected() {
  if (state_ != State::kHandshaking) return;
  if (peer_.empty()) {  // identity never fails open, whatever the TLS library reports
    end(Error(KITH_ERR_BAD_CERTIFICATE, "tls", "the peer was not identified"));
    return shut_down(0);
  }
  if (ticket_) {
    if (Status s = ticket_.identify(peer_); !s.ok()) {
      end(s.error());
      return shut_down(kCodeResourceLimit);
    }
  }
  handshake_deadline_.cancel();
  state_ = State::kOpen;
  if (direction_ == Direction::kInbound) {
    QuicListener* listener = std::exchange(listener_, nullptr);
    if (listener) {
      listener->handler()->on_connection(*this);
    } else {
      close(0);  // the listener was closed meanwhile
    }
  } else if (QuicDial* dial = std::exchange(dial_, nullptr)) {
    dial->connection = nullptr;
    dial->handler->on_connected(*this);
  }
  KITH_CHECK(handler_ != nullptr || state_ == State::kEnding);
}

QUIC_STATUS QuicConnection::on_stream_started(HQUIC handle) {
  if (state_ != State::kOpen || !handler_) return QUIC_STATUS_ABORTED;
  QuicStream* stream = transport_.streams().create(*this, handle, Direction::kInbound);
  ++num_streams_;
  transport_.api().SetCallbackHandler(handle, reinterpret_cast<void*>(QuicStream::on_event),
                                      stream);
  handler_->on_stream(*this, *stream);
  if (!stream->handler()) stream->abort(0);
  return QUIC_STATUS_SUCCESS;
}

void QuicConnection::on_shutdown_complete() {
  end(Error(KITH_ERR_CONNECTION_LOST, "connection"));
  transport_.api().ConnectionClose(std::exchange(handle_, nullptr));
  // MsQuic may still hold streams that were opened in the same turn and never started: they end first.
  if (num_streams_ == 0) finish();
}

void QuicConnection::finish() {
  if (QuicDial* dial = std::exchange(dial_, nullptr)) {
    dial->connection = nullptr;
    dial->handler->on_failed(end_);
  } else if (listener_) {
    listener_->handler()->on_inbound_failed(remote_address(), end_);
  } else if (handler_) {
    handler_->on_closed(*this, end_);
  }
  QuicTransport& transport = transport_;
  transport.remove(this);
}

QUIC_STATUS QuicConnection::on_event(HQUIC, void* ctx, QUIC_CONNECTION_EVENT* event) {
  auto* self = static_cast<QuicConnection*>(ctx);
  switch (event->Type) {
    case QUIC_CONNECTION_EVENT_PEER_CERTIFICATE_RECEIVED:
      return self->on_certificate(event->PEER_CERTIFICATE_RECEIVED.Certificate,
                                  event->PEER_CERTIFICATE_RECEIVED.Chain);
    case QUIC_CONNECTION_EVENT_CONNECTED:
      self->on_connected();
      break;
    case QUIC_CONNECTION_EVENT_PEER_STREAM_STARTED:
      return self->on_stream_started(event->PEER_STREAM_STARTED.Stream);
    case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_TRANSPORT:
      self->end(error_of(static_cast<unsigned>(event->SHUTDOWN_INITIATED_BY_TRANSPORT.Status),
                         self->where(), ""));
      break;
    case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_PEER:
      self->end(
          Error(self->state_ == State::kHandshaking ? KITH_ERR_CONNECTION_REFUSED : KITH_ERR_CLOSED,
                "connection",
                "closed by the peer with code " +
                    std::to_string(event->SHUTDOWN_INITIATED_BY_PEER.ErrorCode)));
      break;
    case QUIC_CONNECTION_EVENT_PEER_ADDRESS_CHANGED:
      std::memcpy(&self->remote_.v6, event->PEER_ADDRESS_CHANGED.Address, sizeof self->remote_.v6);
      break;
    case QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE:
      self->on_shutdown_complete();
      break;
    default:
      break;
  }
  return QUIC_STATUS_SUCCESS;
}

}  // namespace kith::transport::quic
