// What applications and services register with a swarm, and the handlers of negotiated streams.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/multistream/listener.h"
#include "transport/transport.h"

namespace kith::swarm {

class PeerConnection;

// A ProtocolStream handles a stream that we open: on_open once the peer has agreed to a protocol, before any data;
// or only on_closed, whose error then says why not.
class ProtocolStream : public transport::StreamHandler {
 public:
  virtual void on_open(transport::Stream& stream, std::string_view protocol) = 0;

 protected:
  ~ProtocolStream() = default;
};

// A ProtocolHandler serves the streams that peers open for a protocol.
class ProtocolHandler {
 public:
  // Must set the stream's handler, or abort the stream.
  virtual void on_stream(PeerConnection& connection, transport::Stream& stream,
                         std::string_view protocol) = 0;

 protected:
  ~ProtocolHandler() = default;
};

// ProtocolRegistry: protocol id -> handler. Ids are exact; 1 to 1,000 bytes without a newline.
class ProtocolRegistry final : public multistream::ProtocolTable {
 public:
  // KITH_ERR_INVALID_STATE if the id is taken. `handler` is borrowed until remove().
  Status add(std::string_view id, ProtocolHandler* handler);
  void remove(std::string_view id);
  ProtocolHandler* find(std::string_view id) const;
  bool supports(std::string_view id) const override { return find(id) != nullptr; }
  std::vector<std::string_view> list() const override;

 private:
  std::map<std::string, ProtocolHandler*, std::less<>> handlers_;
};

}  // namespace kith::swarm
