#include "transport/quic/listener.h"

#include <algorithm>

#include "protocol/tls/certificate.h"
#include "transport/quic/connection.h"
#include "transport/quic/status.h"
#include "transport/quic/transport.h"

namespace kith::transport::quic {

namespace {

// MsQuic binds the dual-stack wildcard address of a port, whatever address the listener has, and looks at addresses
// itself. Sockets of several loops may share a port (SO_REUSEPORT): the kernel would let a second process or loop take
// a part of our packets without an error. So ask first, as the socket that MsQuic is about to make.
Result<uint16_t> claim_port(const Slot& slot, Endpoint at, bool joins) {
  const uint16_t port = at.port();
  if (joins) return port;
  at.set_port(0);
  KITH_TRY(free_udp_port(at));  // is the address one of this machine's?
  const bool is_ours = std::any_of(slot.listening.begin(), slot.listening.end(),
                                   [&](const Endpoint& e) { return e.port() == port; });
  if (port != 0 && is_ours) return port;
  Endpoint any;
  any.v6.sin6_family = AF_INET6;
  any.set_port(port);
  at.set_port(port);
  Result<uint16_t> claimed = free_udp_port(any);
  return claimed.status() == KITH_ERR_IO ? free_udp_port(at) : claimed;  // there may be no IPv6
}

}  // namespace

Status QuicListener::start(Endpoint at) {
  const QUIC_API_TABLE& api = transport_.api();
  Slot& slot = transport_.slot();
  const std::string name = quic_address(at).to_string();
  const Result<uint16_t> port = claim_port(slot, at, transport_.config().joins_port);
  if (!port.ok()) {
    return Error(port.status(), "listen", name + ": " + std::string(port.error().detail()));
  }
  at.set_port(*port);
  auto handle = std::make_unique<Handle>(Handle{&transport_, this, nullptr, at});
  QUIC_STATUS status =
      api.ListenerOpen(slot.registration(), on_event, handle.get(), &handle->handle);
  if (QUIC_FAILED(status)) return error_of(status, "listen", name);
  const uint16_t partition = slot.partition();
  api.SetParam(handle->handle, QUIC_PARAM_LISTENER_PARTITION_INDEX, sizeof partition, &partition);
  QUIC_ADDR address{};
  std::memcpy(&address, &at.v6, sizeof at.v6);
  const QUIC_BUFFER alpn = {sizeof tls::kAlpn - 1,
                            reinterpret_cast<uint8_t*>(const_cast<char*>(tls::kAlpn))};
  status = api.ListenerStart(handle->handle, &alpn, 1, &address);
  if (QUIC_FAILED(status)) {
    api.ListenerClose(handle->handle);
    return error_of(status, "listen", name);
  }
  endpoint_ = at;
  slot.listening.push_back(at);
  transport_.listener_handles(+1);
  transport_.add(this);
  handle_ = handle.release();
  return {};
}

QuicListener::~QuicListener() {
  if (!handle_) return;
  transport_.remove(this);
  handle_->listener = nullptr;
  transport_.api().ListenerStop(handle_->handle);  // STOP_COMPLETE follows in a later turn
}

wire::Multiaddr QuicListener::address() const { return quic_address(endpoint_); }

QUIC_STATUS QuicListener::on_new_connection(const QUIC_NEW_CONNECTION_INFO* info, HQUIC handle) {
  if (!handler_ || transport_.is_shutting_down()) return QUIC_STATUS_CONNECTION_REFUSED;
  Endpoint remote;
  std::memcpy(&remote.v6, info->RemoteAddress, sizeof remote.v6);
  Status refusal;
  Admission::Ticket ticket =
      transport_.config().admission->admit(remote, transport_.loop().now(), &refusal);
  if (!ticket) {
    if (!refusal.ok()) handler_->on_inbound_failed(quic_address(remote), refusal.error());
    return QUIC_STATUS_CONNECTION_REFUSED;
  }
  auto* connection = new QuicConnection(transport_, this, std::move(ticket), handle, remote);
  transport_.api().SetCallbackHandler(handle, reinterpret_cast<void*>(QuicConnection::on_event),
                                      connection);
  const QUIC_STATUS status =
      transport_.api().ConnectionSetConfiguration(handle, transport_.server_configuration());
  if (QUIC_FAILED(status)) {  // MsQuic closes the handle itself
    delete connection;
    return status;
  }
  transport_.add(connection);
  return QUIC_STATUS_SUCCESS;
}

QUIC_STATUS QuicListener::on_event(HQUIC, void* ctx, QUIC_LISTENER_EVENT* event) {
  auto* handle = static_cast<Handle*>(ctx);
  if (event->Type == QUIC_LISTENER_EVENT_NEW_CONNECTION) {
    if (!handle->listener) return QUIC_STATUS_CONNECTION_REFUSED;
    return handle->listener->on_new_connection(event->NEW_CONNECTION.Info,
                                               event->NEW_CONNECTION.Connection);
  }
  if (event->Type == QUIC_LISTENER_EVENT_STOP_COMPLETE) {
    QuicTransport* transport = handle->transport;
    transport->api().ListenerClose(handle->handle);
    std::vector<Endpoint>& listening = transport->slot().listening;
    listening.erase(std::find(listening.begin(), listening.end(), handle->endpoint));
    delete handle;
    transport->listener_handles(-1);
  }
  return QUIC_STATUS_SUCCESS;
}

}  // namespace kith::transport::quic
