package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

// newHost makes a node without resource limits, address discovery or relays; no listen addresses
// means a pure dialer.
func newHost(opts options, listen []string) (host.Host, error) {
	key, err := newKey(opts)
	if err != nil {
		return nil, err
	}
	transports, err := newTransports(opts)
	if err != nil {
		return nil, err
	}
	all := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("go-libp2p/0.51.0"),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.ListenAddrStrings(listen...),
	}
	if len(listen) == 0 {
		all = append(all, libp2p.NoListenAddrs)
	}
	return libp2p.New(append(all, transports...)...)
}

// newKey generates the identity: fresh, or Ed25519 from the number given as --seed.
func newKey(opts options) (crypto.PrivKey, error) {
	if opts.hasSeed {
		if opts.key != "ed25519" {
			return nil, fmt.Errorf("--seed makes Ed25519 keys only")
		}
		seed := make([]byte, 32)
		binary.LittleEndian.PutUint64(seed, opts.seed)
		return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	}
	types := map[string]int{
		"ed25519": crypto.Ed25519, "secp256k1": crypto.Secp256k1,
		"ecdsa": crypto.ECDSA, "rsa": crypto.RSA,
	}
	typ, ok := types[opts.key]
	if !ok {
		return nil, fmt.Errorf("no such key type: %s", opts.key)
	}
	key, _, err := crypto.GenerateKeyPairWithReader(typ, 2048, rand.Reader)
	return key, err
}

// addrsOf lists the addresses listened on, each ending in the peer id.
func addrsOf(h host.Host) ([]string, error) {
	addrs, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, addr := range addrs {
		texts = append(texts, addr.String()+"/p2p/"+h.ID().String())
	}
	return texts, nil
}
