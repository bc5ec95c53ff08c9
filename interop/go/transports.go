package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	cryptotls "crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	mplex "github.com/libp2p/go-libp2p-mplex"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

// securities and muxers are what --security and --muxer may be; no security means both, TLS first.
var (
	securities = []string{"", "noise", "tls"}
	muxers     = []string{"yamux", "mplex"}
)

// newTransports names all that the peer speaks; the multiaddr that is listened on or dialed chooses
// among them. Only TCP can be part of a private network.
func newTransports(opts options) ([]libp2p.Option, error) {
	all := []libp2p.Option{libp2p.Transport(tcp.NewTCPTransport)}
	if opts.psk != "" {
		file, err := os.Open(opts.psk)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		psk, err := pnet.DecodeV1PSK(file)
		if err != nil {
			return nil, err
		}
		all = append(all, libp2p.PrivateNetwork(psk))
	} else {
		certificate, err := newCertificate()
		if err != nil {
			return nil, err
		}
		all = append(all, libp2p.Transport(quic.NewTransport),
			libp2p.Transport(websocket.New,
				websocket.WithTLSConfig(&cryptotls.Config{Certificates: []cryptotls.Certificate{certificate}}),
				websocket.WithTLSClientConfig(&cryptotls.Config{InsecureSkipVerify: true})))
	}
	if opts.security != "noise" {
		all = append(all, libp2p.Security(tls.ID, tls.New))
	}
	if opts.security != "tls" {
		all = append(all, libp2p.Security(noise.ID, noise.New))
	}
	if opts.muxer == "mplex" {
		return append(all, libp2p.Muxer(mplex.ID, mplex.DefaultTransport)), nil
	}
	return append(all, libp2p.Muxer(yamux.ID, yamux.DefaultTransport)), nil
}

// newCertificate makes a self-signed certificate for 127.0.0.1, as /tls/ws needs to listen; dialers
// must not verify it.
func newCertificate() (cryptotls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cryptotls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return cryptotls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
