// Every limit on what a remote peer controls, in one place. Each has a test that reaches it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace kith::limits {

// wire
inline constexpr size_t kVarintBytes = 9;            // unsigned-varint spec: 63 bits
inline constexpr size_t kMultiaddrBytes = 4096;      // one binary multiaddr
inline constexpr size_t kMultiaddrTextBytes = 8192;  // one multiaddr as text
inline constexpr size_t kMultihashDigestBytes = 256;
inline constexpr size_t kBigNumberBytes = 320;      // written in base36 or base58: quadratic cost
inline constexpr size_t kBigNumberTextBytes = 512;  // characters read from base36 or base58

// identity and tls
inline constexpr size_t kPublicKeyBytes = 2048;  // protobuf of a public key; RSA 8192 fits
inline constexpr size_t kRsaMinBits = 2048;
inline constexpr size_t kRsaMaxBits = 8192;
inline constexpr size_t kRsaMaxSpkiBytes = 1088;        // refused by length before parsing
inline constexpr size_t kRsaMaxPrivateKeyBytes = 4800;  // PKCS#1 of 8192 bits fits; the same
inline constexpr size_t kPrivateKeyBytes = 8192;        // protobuf of a private key
inline constexpr size_t kCertificateBytes = 4096;       // DER of the one certificate of a peer
inline constexpr size_t kCertificateExtensions = 32;    // in that certificate
inline constexpr size_t kVerifiedCertificates = 1024;   // remembered as verified, per node
inline constexpr size_t kEnvelopeBytes = 16 * 1024;     // signed envelope
inline constexpr size_t kPeerRecordAddresses = 256;     // addresses kept of one signed peer record
inline constexpr size_t kPeerIdTextBytes = 128;         // longest text of a peer id in any base

// noise, and tls over a byte pipe
inline constexpr size_t kNoiseHandshakeBytes = 8 * 1024;  // one handshake message; RSA 8192 fits
inline constexpr size_t kNoiseMuxers = 64;                // that a peer names in its payload
inline constexpr size_t kNoiseMuxerBytes = 256;           // the name of one
inline constexpr size_t kNoiseCertHashes = 16;            // in that payload
inline constexpr size_t kNoiseCertHashBytes = 128;        // one of them
inline constexpr size_t kTlsCertificateMessageBytes = 8 * 1024;  // the certificate and its frame
// Messages after the handshake, key updates above all, without data between. rustls bears 32 key
// updates, Go 16 records of any kind. Of records without content OpenSSL itself bears 32.
inline constexpr size_t kTlsMessagesWithoutData = 32;

// websocket
inline constexpr size_t kWebsocketHeadBytes = 8 * 1024;  // a request to upgrade, or its answer
inline constexpr size_t kWebsocketHeaders = 64;          // fields in it
inline constexpr size_t kWebCertificateMessageBytes = 32 * 1024;  // a web server's certificates

// multistream
inline constexpr size_t kMultistreamLineBytes = 1024;     // one line with its newline
inline constexpr size_t kMultistreamLsBytes = 16 * 1024;  // the answer to ls
inline constexpr size_t kMultistreamProposals = 64;  // proposals a listener answers on one stream
inline constexpr Duration kNegotiationTimeout = seconds(10);

// identify
inline constexpr size_t kIdentifyMessageBytes = 8 * 1024;  // one message
inline constexpr size_t kIdentifyMessages = 10;            // messages that are merged
inline constexpr size_t kIdentifyAddresses = 256;          // after the merge
inline constexpr size_t kIdentifyProtocols = 1024;         // after the merge
inline constexpr size_t kIdentifyStringBytes = 1024;       // agent and protocol version
inline constexpr size_t kIdentifyPushStreams = 2;          // per connection
inline constexpr Duration kIdentifyTimeout = seconds(10);

// ping
inline constexpr size_t kPingBytes = 32;
inline constexpr size_t kPingStreamsPerConnection = 2;
inline constexpr Duration kPingTimeout = seconds(20);      // an echo we wait for
inline constexpr Duration kPingIdleTimeout = seconds(60);  // an inbound ping stream without a ping

// stream multiplexers: yamux and mplex
inline constexpr size_t kMuxerOutboundStreams =
    256;                                         // at once; rust closes beyond 512 of both sides
inline constexpr size_t kMuxerEarlyStreams = 8;  // before the peer answered; js closes beyond 10
inline constexpr size_t kMuxerWaitingStreams = 1024;  // opened beyond these two
inline constexpr size_t kMuxerOwedResets = 1024;      // answers that the peer does not read
inline constexpr size_t kMuxerChurnBurst = 2000;      // frames of no use: base/churn_budget.h
inline constexpr size_t kMuxerChurnPerSecond = 1000;
inline constexpr size_t kMuxerPinnedBlocks =
    32;  // of 264 KiB, that waiting bytes of one connection keep; then they are copied,
inline constexpr size_t kMuxerPieceBytes = 16 * 1024;       // in pieces of so many
inline constexpr size_t kMuxerDroppedBytes = 1024 * 1024;   // of a stream that we stopped reading
inline constexpr uint32_t kYamuxWindow = 16 * 1024 * 1024;  // of one stream, at most
inline constexpr size_t kYamuxWindowGrowth = 32 * 1024 * 1024;  // of all, above the initial 256 KiB
inline constexpr Duration kYamuxStuckStream =
    seconds(60);  // without credit from a peer that has ended its side
inline constexpr Duration kYamuxKeepAlive = seconds(30);
inline constexpr Duration kYamuxPingTimeout = seconds(20);
inline constexpr size_t kMplexOutboundStreams = 128;        // at once; rust resets beyond
inline constexpr size_t kMplexMessageBytes = 1024 * 1024;   // one message
inline constexpr size_t kMplexHeldBytes = 4 * 1024 * 1024;  // received and not consumed, one stream
inline constexpr size_t kMplexHeldTotal = 32 * 1024 * 1024;  // the same, of one connection

// connections
inline constexpr Duration kHandshakeTimeout = seconds(10);  // absolute: first packet to known peer
inline constexpr uint16_t kStreamsPerConnection = 256;      // inbound, bidirectional
inline constexpr size_t kInboundConnections = 4096;
inline constexpr size_t kInboundHandshakes = 1024;  // of these, not yet identified
inline constexpr size_t kInboundPerAddress = 8;     // IPv4 address or IPv6 /64; /48: 8 times
inline constexpr size_t kInboundBurst = 16;         // new ones of an address at once, and then
inline constexpr Duration kInboundInterval = seconds(5);  // one more after each of these
inline constexpr size_t kInboundIdleAddresses = 8192;     // remembered without a connection
inline constexpr size_t kInboundPerPeer = 8;
inline constexpr size_t kNegotiatingStreams = 256;      // inbound, per connection, no protocol yet
inline constexpr size_t kWaitingBytes = 1024 * 1024;    // answers that the peer does not read
inline constexpr Duration kTcpKeepAlive = seconds(30);  // silence, and then this many
inline constexpr int kTcpProbes = 4;                    // unanswered probes, so often:
inline constexpr Duration kTcpProbeInterval = seconds(10);  // the peer is gone
inline constexpr size_t kTcpFinishing = 1024;  // sockets that wait for the peer to hang up
inline constexpr size_t kDialAddresses = 64;   // addresses of one dial

}  // namespace kith::limits
