// Command peer is the benchmark's peer on go-libp2p and, for addresses quic://HOST:PORT, on quic-go
// alone. The command line, the output and the protocol are those of ../workload.h.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const usage = `usage: peer serve [--listen ADDRESS] [key=value...]
       peer run ADDRESS SCENARIO [key=value...]
       peer codec op=NAME input=VALUE
`

// options are the key=value arguments.
type options map[string]string

func (o options) number(key string, otherwise int) int {
	n, err := strconv.Atoi(o[key])
	if err != nil {
		return otherwise
	}
	return n
}

func main() {
	var words []string
	opts := options{}
	listen := "/ip4/127.0.0.1/udp/0/quic-v1"
	for i := 1; i < len(os.Args); i++ {
		key, value, isOption := strings.Cut(os.Args[i], "=")
		switch {
		case os.Args[i] == "--listen" && i+1 < len(os.Args):
			i++
			listen = os.Args[i]
		case isOption:
			opts[key] = value
		default:
			words = append(words, os.Args[i])
		}
	}
	var err error
	switch {
	case len(words) == 1 && words[0] == "serve":
		err = serve(listen, opts)
	case len(words) == 3 && words[0] == "run":
		err = run(words[1], words[2], opts)
	case len(words) == 1 && words[0] == "codec":
		err = codec(opts["op"], opts["input"])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func serve(listen string, o options) error {
	address, err := listenOn(listen, o)
	if err != nil {
		return err
	}
	cpu := cpuSeconds()
	fmt.Printf("{\"event\":\"listening\",\"addr\":%q}\n", address)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "rss" {
			fmt.Printf("{\"event\":\"rss\",\"rss_kb\":%d,\"cpu_s\":%.6f}\n", statusKb("VmRSS:"), cpuSeconds()-cpu)
		}
	}
	fmt.Printf("{\"event\":\"usage\",\"cpu_s\":%.6f,\"peak_rss_kb\":%d}\n", cpuSeconds()-cpu, statusKb("VmHWM:"))
	return nil
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)*1e-6
}

// statusKb is a field of /proc/self/status. Not getrusage's maximum, which remembers the process
// before exec.
func statusKb(field string) int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb
		}
	}
	return 0
}
