package main

import (
	"io"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

const (
	protocolVersion = "kith-interop/1.0.0"
	echoProtocol    = "/kith/echo/1.0.0"
	sinkProtocol    = "/kith/sink/1.0.0"
	resetProtocol   = "/kith/reset/1.0.0"
	noSuchProtocol  = "/kith/no-such-protocol/1.0.0"

	bufferBytes = 64 << 10
)

// serve registers the test protocols; go-libp2p itself serves ping and identify.
func serve(h host.Host) {
	h.SetStreamHandler(echoProtocol, echo)
	h.SetStreamHandler(sinkProtocol, sink)
	h.SetStreamHandler(resetProtocol, reset)
}

// echo sends back what it reads, one buffer at a time, and ends its side after the remote ended the
// other.
func echo(s network.Stream) {
	if _, err := io.CopyBuffer(s, s, make([]byte, bufferBytes)); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// sink reads to the end, then ends its side without having sent anything.
func sink(s network.Stream) {
	if _, err := io.CopyBuffer(io.Discard, s, make([]byte, bufferBytes)); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// reset resets both directions once the first byte has arrived.
func reset(s network.Stream) {
	_, _ = io.ReadFull(s, make([]byte, 1))
	_ = s.Reset()
}
