package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/quic-go/quic-go"
)

const (
	protocolID = "/kith/bench/1.0.0"
	quicScheme = "quic://"
)

// stream is what both stacks have. CloseWrite ends our side, Close is for a stream that is done with.
type stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// session is a connection that we dialed.
type session interface {
	open() (stream, error)
	close()
}

// dialer makes new connections to one remote, one after the other.
type dialer interface {
	dial() (session, error)
}

// listenOn serves at a multiaddr or at quic://HOST:PORT, and returns its address.
func listenOn(listen string, o options) (string, error) {
	if at, ok := strings.CutPrefix(listen, quicScheme); ok {
		return listenQuic(at)
	}
	h, err := newHost(libp2p.ListenAddrStrings(listen), o)
	if err != nil {
		return "", err
	}
	h.SetStreamHandler(protocolID, func(s network.Stream) { respond(s) })
	addrs, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return "", err
	}
	return addrs[0].String() + "/p2p/" + h.ID().String(), nil
}

// newDialer makes a node that dials.
func newDialer(remote string, o options) (dialer, error) {
	if at, ok := strings.CutPrefix(remote, quicScheme); ok {
		identity, err := newIdentity()
		if err != nil {
			return nil, err
		}
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		address, err := net.ResolveUDPAddr("udp4", at)
		return &quicDialer{&quic.Transport{Conn: socket}, address, identity}, err
	}
	info, err := peer.AddrInfoFromString(remote)
	if err != nil {
		return nil, err
	}
	h, err := newHost(libp2p.NoListenAddrs, o)
	if err != nil {
		return nil, err
	}
	h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	return &libp2pDialer{h, info.ID}, nil
}

// newHost makes a node with QUIC and with TCP, which has one way to be secured.
func newHost(listen libp2p.Option, o options) (host.Host, error) {
	security := libp2p.Security(libp2ptls.ID, libp2ptls.New)
	switch o["security"] {
	case "", "tls":
	case "noise":
		security = libp2p.Security(noise.ID, noise.New)
	default:
		return nil, fmt.Errorf("security is noise or tls")
	}
	return libp2p.New(listen,
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Transport(tcp.NewTCPTransport),
		security,
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics())
}

// A host has one connection to a peer, so that each dial closes the one before.
type libp2pDialer struct {
	host host.Host
	peer peer.ID
}

func (d *libp2pDialer) dial() (session, error) {
	_, err := d.host.Network().DialPeer(context.Background(), d.peer)
	return d, err
}
func (d *libp2pDialer) open() (stream, error) {
	return d.host.NewStream(context.Background(), d.peer, protocolID)
}
func (d *libp2pDialer) close() { _ = d.host.Network().ClosePeer(d.peer) }

// quicConfig has go-libp2p's limits.
var quicConfig = &quic.Config{
	MaxIncomingStreams:         256,
	MaxIncomingUniStreams:      5,
	MaxStreamReceiveWindow:     10 << 20,
	MaxConnectionReceiveWindow: 15 << 20,
	KeepAlivePeriod:            15 * time.Second,
	Versions:                   []quic.Version{quic.Version1},
}

// newIdentity makes what libp2p's TLS configurations, one for each connection, are made from.
func newIdentity() (*libp2ptls.Identity, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	return libp2ptls.NewIdentity(key)
}

func tlsConfig(identity *libp2ptls.Identity) *tls.Config {
	config, _ := identity.ConfigForPeer("")
	config.NextProtos = []string{"libp2p"}
	return config
}

func listenQuic(at string) (string, error) {
	identity, err := newIdentity()
	if err != nil {
		return "", err
	}
	config := &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return tlsConfig(identity), nil },
	}
	listener, err := quic.ListenAddr(at, config, quicConfig)
	if err != nil {
		return "", err
	}
	go func() {
		for {
			connection, err := listener.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				for {
					s, err := connection.AcceptStream(context.Background())
					if err != nil {
						return
					}
					go respond(&quicStream{s})
				}
			}()
		}
	}()
	return quicScheme + listener.Addr().String(), nil
}

type quicDialer struct {
	transport *quic.Transport
	remote    net.Addr
	identity  *libp2ptls.Identity
}

func (d *quicDialer) dial() (session, error) {
	connection, err := d.transport.Dial(context.Background(), d.remote, tlsConfig(d.identity), quicConfig)
	return &quicSession{connection}, err
}

type quicSession struct{ connection *quic.Conn }

func (s *quicSession) open() (stream, error) {
	opened, err := s.connection.OpenStreamSync(context.Background())
	return &quicStream{opened}, err
}

func (s *quicSession) close() { _ = s.connection.CloseWithError(0, "") }

type quicStream struct{ *quic.Stream }

func (s *quicStream) CloseWrite() error { return s.Stream.Close() }

// Close ends our side and reads the end of the other, which alone makes quic-go forget the stream.
func (s *quicStream) Close() error {
	err := s.Stream.Close()
	_, _ = io.Copy(io.Discard, s.Stream)
	return err
}
