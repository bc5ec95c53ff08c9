package main

import (
	"encoding/json"
	"io"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

const (
	protocolVersion = "kith-interop/1.0.0"
	echoProtocol    = "/kith/echo/1.0.0"
	sinkProtocol    = "/kith/sink/1.0.0"
	resetProtocol   = "/kith/reset/1.0.0"
	stateProtocol   = "/kith/state/1.0.0"
	noSuchProtocol  = "/kith/no-such-protocol/1.0.0"

	bufferBytes = 64 << 10
)

// serve registers the test protocols; go-libp2p itself serves ping and identify.
func serve(h host.Host) {
	h.SetStreamHandler(echoProtocol, echo)
	h.SetStreamHandler(sinkProtocol, sink)
	h.SetStreamHandler(resetProtocol, reset)
	h.SetStreamHandler(stateProtocol, state)
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

// state sends what the connection is made of, as a JSON object, and ends its side.
func state(s network.Stream) {
	if err := json.NewEncoder(s).Encode(stateOf(s.Conn())); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func stateOf(c network.Conn) map[string]any {
	state := c.ConnState()
	return map[string]any{
		"transport":   state.Transport,
		"security":    string(state.Security),
		"muxer":       string(state.StreamMultiplexer),
		"early_muxer": state.UsedEarlyMuxerNegotiation,
	}
}
