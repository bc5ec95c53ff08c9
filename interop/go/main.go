// Command peer is a small go-libp2p node that the interoperability tests drive. The command line
// and the output are the same for the peers in every language; ../README.md describes both.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
)

const usage = `usage: peer listen [FLAG]... [--listen MADDR]...
       peer dial MADDR ACTION... [FLAG]... [--timeout SECONDS]
flags: --key TYPE, --seed N, --security noise|tls, --muxer yamux|mplex, --psk FILE,
       --role dialer|listener
`

// options are the flags of both modes.
type options struct {
	key      string
	seed     uint64
	hasSeed  bool
	security string // empty: all
	muxer    string
	psk      string // a file; empty: no private network
	role     string // in a simultaneous connect; empty: an ordinary dial
	listen   []string
	timeout  time.Duration
}

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	opts, args, err := parse(os.Args[2:])
	if err != nil {
		fail(err.Error() + "\n" + usage)
	}
	switch {
	case os.Args[1] == "listen" && len(args) == 0:
		err = listen(opts)
	case os.Args[1] == "dial" && len(args) >= 1:
		dial(opts, args[0], args[1:])
	default:
		fail(usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// parse reads flags wherever they stand and returns the other arguments in order.
func parse(args []string) (options, []string, error) {
	var opts options
	var rest []string
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.key, "key", "ed25519", "")
	flags.Uint64Var(&opts.seed, "seed", 0, "")
	flags.StringVar(&opts.security, "security", "", "")
	flags.StringVar(&opts.muxer, "muxer", "yamux", "")
	flags.StringVar(&opts.psk, "psk", "", "")
	flags.StringVar(&opts.role, "role", "", "")
	flags.Func("listen", "", func(s string) error { opts.listen = append(opts.listen, s); return nil })
	seconds := flags.Float64("timeout", 60, "")
	for len(args) > 0 {
		if !strings.HasPrefix(args[0], "--") {
			rest = append(rest, args[0])
			args = args[1:]
			continue
		}
		if err := flags.Parse(args); err != nil {
			return opts, nil, err
		}
		args = flags.Args()
	}
	flags.Visit(func(f *flag.Flag) { opts.hasSeed = opts.hasSeed || f.Name == "seed" })
	if !slices.Contains(securities, opts.security) || !slices.Contains(muxers, opts.muxer) {
		return opts, nil, errors.New("no such security or muxer")
	}
	if !slices.Contains(roles, opts.role) {
		return opts, nil, errors.New("no such role")
	}
	opts.timeout = time.Duration(*seconds * float64(time.Second))
	if len(opts.listen) == 0 {
		opts.listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1"}
	}
	return opts, rest, nil
}

// listen serves the test protocols until stdin reaches its end.
func listen(opts options) error {
	h, err := newHost(opts, opts.listen)
	if err != nil {
		return err
	}
	serve(h)
	addrs, err := addrsOf(h)
	if err != nil {
		return err
	}
	report(map[string]any{"event": "listening", "peer_id": h.ID().String(), "addrs": addrs})
	_, _ = io.Copy(io.Discard, os.Stdin)
	closeWithin(h, 500*time.Millisecond)
	return nil
}

// dial connects once and runs the actions in order on that connection.
func dial(opts options, address string, actions []string) {
	r := &runner{timeout: opts.timeout}
	if err := r.connect(opts, address); err != nil {
		report(map[string]any{"action": "connect", "ok": false, "error": err.Error()})
		os.Exit(1)
	}
	allOk := true
	for _, action := range actions {
		start := time.Now()
		result, err := r.run(action)
		if result == nil {
			result = map[string]any{}
		}
		result["action"] = action
		result["ok"] = err == nil
		result["ms"] = float64(time.Since(start).Microseconds()) / 1000
		if err != nil {
			result["error"] = err.Error()
			allOk = false
		}
		report(result)
	}
	closeWithin(r.host, 500*time.Millisecond)
	if !allOk {
		os.Exit(1)
	}
}

// closeWithin closes the host but does not wait longer than limit for it.
func closeWithin(h host.Host, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() { _ = h.Close(); cancel() }()
	<-ctx.Done()
}

// report prints one JSON line; os.Stdout is not buffered.
func report(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // only strings, numbers and lists of them are ever put in
	}
	fmt.Println(string(text))
}

func fail(message string) {
	fmt.Fprint(os.Stderr, message)
	os.Exit(2)
}
