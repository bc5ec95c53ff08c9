package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/proto"
)

// What it costs to read and write single values; see ../rows.py for the operations and ../codec.cc
// for kith's side.

// sink keeps results, so that no work is left out.
var sink any

// measure repeats work, which does ops operations, and prints what CPU time and allocations one takes.
func measure(ops int, work func() error) error {
	batch := func(rounds int) error {
		for range rounds {
			if err := work(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := batch(1000); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, rounds := newMeter(), 0
	for time.Since(m.start) < 300*time.Millisecond {
		if err := batch(1000); err != nil {
			return err
		}
		rounds += 1000
	}
	cpu := cpuSeconds() - m.cpu
	m.report("codec", func(float64) string {
		runtime.ReadMemStats(&after)
		n := float64(rounds * ops)
		return fmt.Sprintf("\"n\":%.0f,\"ns_per_op\":%.3f,\"allocs_per_op\":%.3f",
			n, cpu*1e9/n, float64(after.Mallocs-before.Mallocs)/n)
	})
	return nil
}

func varints(in []byte) ([]uint64, error) {
	var values []uint64
	for len(in) != 0 {
		value, n, err := varint.FromUvarint(in)
		if err != nil {
			return nil, err
		}
		values, in = append(values, value), in[n:]
	}
	return values, nil
}

func codec(op, input string) error {
	switch op {
	case "multiaddr-text":
		return measure(1, func() error {
			address, err := multiaddr.NewMultiaddr(input)
			sink = address
			return err
		})
	case "peer-id-parse":
		return measure(1, func() error {
			id, err := peer.Decode(input)
			sink = id
			return err
		})
	case "peer-id-print":
		id, err := peer.Decode(input)
		if err != nil {
			return err
		}
		return measure(1, func() error {
			sink = id.String()
			return nil
		})
	}
	in, err := hex.DecodeString(input)
	if err != nil {
		return err
	}
	switch op {
	case "multiaddr-binary":
		return measure(1, func() error {
			address, err := multiaddr.NewMultiaddrBytes(in)
			sink = address
			return err
		})
	case "varint-decode":
		return varintDecode(in)
	case "varint-encode":
		return varintEncode(in)
	case "protobuf":
		return measure(1, func() error {
			message := &pb.Identify{}
			sink = message
			return proto.Unmarshal(in, message)
		})
	case "identify":
		return measure(1, func() error { return readIdentify(in) })
	}
	return errors.New("no such operation")
}

func varintDecode(in []byte) error {
	values, err := varints(in)
	if err != nil {
		return err
	}
	var sum uint64
	err = measure(len(values), func() error {
		for rest := in; len(rest) != 0; {
			value, n, err := varint.FromUvarint(rest)
			if err != nil {
				return err
			}
			sum += value
			rest = rest[n:]
		}
		return nil
	})
	sink = sum
	return err
}

func varintEncode(in []byte) error {
	values, err := varints(in)
	if err != nil {
		return err
	}
	buffer := make([]byte, binary.MaxVarintLen64)
	size := 0
	err = measure(len(values), func() error {
		for _, value := range values {
			size += varint.PutUvarint(buffer, value)
		}
		return nil
	})
	sink = size
	return err
}

// readIdentify reads a message and the addresses in it.
func readIdentify(in []byte) error {
	message := &pb.Identify{}
	if err := proto.Unmarshal(in, message); err != nil {
		return err
	}
	for _, address := range append(message.ListenAddrs, message.ObservedAddr) {
		parsed, err := multiaddr.NewMultiaddrBytes(address)
		if err != nil {
			return err
		}
		sink = parsed
	}
	return nil
}
