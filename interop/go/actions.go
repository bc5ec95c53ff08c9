package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"
)

// roles are what --role may be.
var roles = []string{"", "dialer", "listener"}

// runner runs actions on the one connection that connect made.
type runner struct {
	host    host.Host
	timeout time.Duration
	remote  peer.ID
	// identified is closed when identify ended; identity is set before that, unless it failed.
	identified chan struct{}
	identity   *event.EvtPeerIdentificationCompleted
	failure    error
}

// result is what an action adds to its JSON line.
type result = map[string]any

// connect makes a node, dials the address, which must end in /p2p/ID, and starts to wait for
// identify.
func (r *runner) connect(opts options, address string) error {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return err
	}
	r.remote = info.ID
	if r.host, err = newHost(opts, nil); err != nil {
		return err
	}
	serve(r.host)
	events, err := r.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerIdentificationFailed),
	})
	if err != nil {
		return err
	}
	r.identified = make(chan struct{})
	go func() {
		switch e := (<-events.Out()).(type) {
		case event.EvtPeerIdentificationCompleted:
			r.identity = &e
		case event.EvtPeerIdentificationFailed:
			r.failure = e.Reason
		}
		close(r.identified)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	if opts.role != "" {
		ctx = network.WithSimultaneousConnect(ctx, opts.role == "dialer", "asked for")
	}
	return r.host.Connect(ctx, *info)
}

// run runs one action, NAME or NAME:NUMBER, within the timeout.
func (r *runner) run(action string) (result, error) {
	name, text, hasNumber := strings.Cut(action, ":")
	number, err := strconv.Atoi(text)
	if hasNumber && (err != nil || number < 0) {
		return nil, fmt.Errorf("not a number: %q", text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	switch {
	case name == "ping" && hasNumber:
		return r.ping(ctx, number)
	case name == "identify" && !hasNumber:
		return r.identify(ctx)
	case name == "state" && !hasNumber:
		return r.state()
	case name == "echo" && hasNumber:
		return r.echo(ctx, number, 1)
	case name == "unknown" && !hasNumber:
		return r.unknown(ctx)
	case name == "reset" && !hasNumber:
		return r.reset(ctx)
	case name == "streams" && hasNumber:
		return r.streams(ctx, number)
	case name == "wait" && hasNumber:
		time.Sleep(time.Duration(number) * time.Millisecond)
		return nil, nil
	case name == "abort" && !hasNumber:
		return r.abort(ctx)
	}
	return nil, errors.New("no such action")
}

// open opens a stream that is reset when the context ends. go-libp2p sends the negotiation along
// with the first write if identify told that the remote has the protocol, and negotiates first
// otherwise.
func (r *runner) open(ctx context.Context, id protocol.ID) (network.Stream, error) {
	s, err := r.host.NewStream(network.WithNoDial(ctx, "one connection"), r.remote, id)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = s.Reset() })
	}
	return s, err
}

func (r *runner) ping(ctx context.Context, count int) (result, error) {
	pingCtx, cancel := context.WithCancel(network.WithNoDial(ctx, "one connection"))
	defer cancel()
	rtts := []float64{}
	replies := ping.Ping(pingCtx, r.host, r.remote)
	for len(rtts) < count {
		reply, ok := <-replies
		if !ok {
			reply.Error = ctx.Err()
		}
		if reply.Error != nil {
			return result{"rtt_us": rtts}, reply.Error
		}
		rtts = append(rtts, float64(reply.RTT.Nanoseconds())/1000)
	}
	return result{"rtt_us": rtts}, nil
}

func (r *runner) identify(ctx context.Context) (result, error) {
	select {
	case <-r.identified:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.identity == nil {
		return nil, r.failure
	}
	addrs := []string{}
	for _, addr := range r.identity.ListenAddrs {
		addrs = append(addrs, addr.String())
	}
	observed := ""
	if r.identity.ObservedAddr != nil {
		observed = r.identity.ObservedAddr.String()
	}
	return result{
		"peer_id":            r.identity.Peer.String(),
		"agent":              r.identity.AgentVersion,
		"protocol_version":   r.identity.ProtocolVersion,
		"protocols":          append([]protocol.ID{}, r.identity.Protocols...),
		"listen_addrs":       addrs,
		"observed_addr":      observed,
		"signed_peer_record": r.identity.SignedPeerRecord != nil,
	}, nil
}

// state says what the connection is made of.
func (r *runner) state() (result, error) {
	conns := r.host.Network().ConnsToPeer(r.remote)
	if len(conns) != 1 {
		return nil, fmt.Errorf("there are %d connections", len(conns))
	}
	return stateOf(conns[0]), nil
}

// echo sends size bytes and reads them back at the same time; the two directions are independent.
func (r *runner) echo(ctx context.Context, size int, seed uint32) (result, error) {
	s, err := r.open(ctx, echoProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()

	var sent [sha256.Size]byte
	written := make(chan error, 1)
	go func() {
		hash := sha256.New()
		both := io.MultiWriter(s, hash)
		_, err := io.CopyBuffer(both, newPattern(size, seed), make([]byte, bufferBytes))
		hash.Sum(sent[:0])
		if err == nil {
			err = s.CloseWrite()
		}
		written <- err
	}()

	hash := sha256.New()
	received, readErr := io.CopyBuffer(hash, s, make([]byte, bufferBytes))
	if readErr != nil {
		_ = s.Reset() // also ends the writer
	}
	writeErr := <-written
	info := result{"bytes": received, "sha256": hex.EncodeToString(hash.Sum(nil))}
	switch {
	case readErr != nil:
		return info, fmt.Errorf("reading after %d bytes: %w", received, readErr)
	case writeErr != nil:
		return info, fmt.Errorf("writing: %w", writeErr)
	case received != int64(size):
		return info, fmt.Errorf("sent %d bytes, received %d", size, received)
	case !bytes.Equal(hash.Sum(nil), sent[:]):
		return info, errors.New("the bytes received differ from those sent")
	}
	return info, nil
}

func (r *runner) unknown(ctx context.Context) (result, error) {
	s, err := r.open(ctx, noSuchProtocol)
	if err == nil {
		_ = s.Reset()
		return nil, errors.New("the remote accepted a protocol that does not exist")
	}
	if !errors.Is(err, multistream.ErrNotSupported[protocol.ID]{}) {
		return nil, err
	}
	return result{"refusal": err.Error()}, nil
}

func (r *runner) reset(ctx context.Context) (result, error) {
	s, err := r.open(ctx, resetProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	if _, err := s.Write([]byte{1}); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(s, make([]byte, 1))
	var remote *network.StreamError
	switch {
	case err == nil:
		return result{"seen": "data"}, errors.New("the remote sent data instead of a reset")
	case errors.Is(err, io.EOF):
		return result{"seen": "eof"}, errors.New("the remote ended the stream instead of resetting it")
	case errors.As(err, &remote) && remote.Remote:
		return result{"seen": "reset", "code": uint32(remote.ErrorCode)}, nil
	case errors.Is(err, network.ErrReset): // mplex has no codes
		return result{"seen": "reset"}, nil
	}
	return nil, err
}

func (r *runner) streams(ctx context.Context, count int) (result, error) {
	var wait sync.WaitGroup
	failures := make([]error, count)
	for i := range count {
		wait.Go(func() { _, failures[i] = r.echo(ctx, 1024, uint32(i+1)) })
	}
	wait.Wait()
	matched := 0
	for _, err := range failures {
		if err == nil {
			matched++
		}
	}
	return result{"matched": matched}, errors.Join(failures...)
}

// abort resets an echo stream while data flows in both directions.
func (r *runner) abort(ctx context.Context) (result, error) {
	s, err := r.open(ctx, echoProtocol)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	_, err = io.CopyBuffer(s, newPattern(bufferBytes, 1), make([]byte, bufferBytes))
	if err == nil {
		_, err = io.ReadFull(s, make([]byte, 1024))
	}
	return nil, err
}

// pattern is a reader of pseudo-random bytes, the same in every language: a 32-bit linear
// congruential generator (Numerical Recipes' constants), of which each step gives its top byte.
type pattern struct {
	left  int
	state uint32
}

func newPattern(size int, seed uint32) io.Reader { return &pattern{size, seed} }

func (p *pattern) Read(buf []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := min(len(buf), p.left)
	for i := range n {
		p.state = p.state*1664525 + 1013904223
		buf[i] = byte(p.state >> 24)
	}
	p.left -= n
	return n, nil
}
