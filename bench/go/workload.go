package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// The workloads, as in ../workload.h.

const (
	headerBytes = 16
	chunkBytes  = 256 << 10
	last        = uint64(1) << 63
)

var zeros [chunkBytes]byte

func header(up, down uint64, isLast bool) []byte {
	if isLast {
		up |= last
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, up), down)
}

// wholeMessage is a header and its bytes; size counts both.
func wholeMessage(size, down int, isLast bool) []byte {
	up := max(0, size-headerBytes)
	return append(header(uint64(up), uint64(down), isLast), zeros[:up]...)
}

func writeZeros(w io.Writer, left uint64) error {
	for left != 0 {
		n := min(left, chunkBytes)
		if _, err := w.Write(zeros[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func skip(r io.Reader, left uint64, buffer []byte) error {
	for left != 0 {
		n, err := r.Read(buffer[:min(left, uint64(len(buffer)))])
		left -= uint64(n)
		if err != nil && left != 0 {
			return err
		}
	}
	return nil
}

func bufferFor(size uint64) []byte { return make([]byte, min(max(size, 1), chunkBytes)) }

// respond serves one inbound stream.
func respond(s stream) {
	defer s.Close()
	var head [headerBytes]byte
	var buffer []byte
	for {
		if _, err := io.ReadFull(s, head[:]); err != nil {
			return
		}
		up, down := binary.BigEndian.Uint64(head[:]), binary.BigEndian.Uint64(head[8:])
		if size := up &^ last; uint64(len(buffer)) < min(size, chunkBytes) {
			buffer = bufferFor(size)
		}
		if skip(s, up&^last, buffer) != nil || writeZeros(s, down) != nil {
			return
		}
		if up&last != 0 {
			_ = s.CloseWrite()
			_, _ = io.Copy(io.Discard, s) // a stream closed before its end has been read tells the peer to stop
			return
		}
	}
}

// exchange sends one message on a stream of its own: how long it took. A small one goes as `whole`.
func exchange(c session, whole []byte, up, down uint64) (time.Duration, error) {
	start := time.Now()
	s, err := c.open()
	if err != nil {
		return 0, err
	}
	if whole == nil {
		whole = header(up, down, true)
	}
	if _, err = s.Write(whole); err != nil {
		return 0, err
	}
	if err = writeZeros(s, up); err != nil {
		return 0, err
	}
	if err = s.CloseWrite(); err != nil {
		return 0, err
	}
	buffer := bufferFor(down)
	err = skip(s, down, buffer)
	elapsed := time.Since(start)
	_ = s.Close()
	return elapsed, err
}

// meter measures time and CPU from its creation to report().
type meter struct {
	start time.Time
	cpu   float64
}

func newMeter() meter { return meter{time.Now(), cpuSeconds()} }

func (m meter) report(scenario string, metrics func(seconds float64) string) {
	seconds, cpu := time.Since(m.start).Seconds(), cpuSeconds()-m.cpu
	fmt.Printf("{\"scenario\":%q,\"seconds\":%.6f,%s,\"cpu_s\":%.6f,\"peak_rss_kb\":%d}\n",
		scenario, seconds, metrics(seconds), cpu, statusKb("VmHWM:"))
}

func latency(values []time.Duration, unit float64, name string) string {
	slices.Sort(values)
	at := func(p float64) float64 { return values[int(p*float64(len(values)-1)+0.5)].Seconds() * unit }
	return fmt.Sprintf("\"p50_%s\":%.3f,\"p99_%s\":%.3f,\"p999_%s\":%.3f,\"max_%s\":%.3f",
		name, at(0.5), name, at(0.99), name, at(0.999), name, at(1))
}

func run(remote, scenario string, o options) error {
	switch scenario {
	case "upload", "download", "both":
		return bulk(remote, scenario, o)
	case "request":
		return requests(remote, o)
	case "pingpong":
		return pingpong(remote, o)
	case "beside":
		return beside(remote, o)
	case "connect":
		return connects(remote, o)
	case "idle":
		return idle(remote, o)
	case "idle-streams":
		return idleStreams(remote, o)
	}
	return errors.New("no such scenario")
}

// connections opens count connections, each from a node of its own unless the stack allows more.
func connections(remote string, count int, o options) ([]session, error) {
	var sessions []session
	var d dialer
	for range count {
		if _, reusable := d.(*quicDialer); !reusable {
			var err error
			if d, err = newDialer(remote, o); err != nil {
				return nil, err
			}
		}
		s, err := d.dial()
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// each runs n workers and returns all that they measured.
func each(n int, work func(i int) ([]time.Duration, error)) ([]time.Duration, error) {
	type result struct {
		latencies []time.Duration
		err       error
	}
	results := make(chan result, n)
	for i := range n {
		go func() {
			latencies, err := work(i)
			results <- result{latencies, err}
		}()
	}
	var all []time.Duration
	var failed error
	for range n {
		r := <-results
		all = append(all, r.latencies...)
		failed = errors.Join(failed, r.err)
	}
	return all, failed
}

// share is how many of n items worker i of k does.
func share(n, i, k int) int {
	if i < n%k {
		return n/k + 1
	}
	return n / k
}

func bulk(remote, scenario string, o options) error {
	conns, streams := o.number("conns", 1), o.number("streams", 1)
	bytes := uint64(max(1, o.number("bytes", 1<<30)/(conns*streams)))
	sessions, err := connections(remote, conns, o)
	if err != nil {
		return err
	}
	ways := [][2]uint64{{bytes, 1}, {0, bytes}}
	if scenario == "upload" {
		ways = ways[:1]
	} else if scenario == "download" {
		ways = ways[1:]
	}
	m := newMeter()
	latencies, err := each(conns*streams*len(ways), func(i int) ([]time.Duration, error) {
		way := ways[i%len(ways)]
		elapsed, err := exchange(sessions[i/len(ways)%conns], nil, way[0], way[1])
		return []time.Duration{elapsed}, err
	})
	if err != nil {
		return err
	}
	m.report(scenario, func(seconds float64) string {
		var sum, squares float64
		for _, l := range latencies {
			rate := float64(bytes) / l.Seconds()
			sum += rate
			squares += rate * rate
		}
		moved := float64(bytes) * float64(len(latencies))
		return fmt.Sprintf("\"bytes\":%.0f,\"gbit_s\":%.4f,\"jain\":%.4f",
			moved, moved*8e-9/seconds, sum*sum/(squares*float64(len(latencies))))
	})
	return nil
}

func requests(remote string, o options) error {
	n, inflight, down := o.number("n", 100_000), o.number("inflight", 1), o.number("size_down", 4000)
	message := wholeMessage(o.number("size_up", 512), down, true)
	sessions, err := connections(remote, 1, o)
	if err != nil {
		return err
	}
	batch := func(n int) ([]time.Duration, error) {
		return each(inflight, func(i int) ([]time.Duration, error) {
			mine := share(n, i, inflight)
			latencies := make([]time.Duration, 0, mine)
			for range mine {
				elapsed, err := exchange(sessions[0], message, 0, uint64(down))
				if err != nil {
					return nil, err
				}
				latencies = append(latencies, elapsed)
			}
			return latencies, nil
		})
	}
	if _, err = batch(min(n, 1000)); err != nil {
		return err
	}
	m := newMeter()
	latencies, err := batch(n)
	if err != nil {
		return err
	}
	m.report("request", func(seconds float64) string {
		return fmt.Sprintf("\"n\":%d,\"req_s\":%.1f,%s", n, float64(n)/seconds, latency(latencies, 1e6, "us"))
	})
	return nil
}

// ping sends a message on a stream that is open and reads size bytes: how long it took.
func ping(s stream, message []byte, size int, buffer []byte) (time.Duration, error) {
	start := time.Now()
	if _, err := s.Write(message); err != nil {
		return 0, err
	}
	err := skip(s, uint64(size), buffer)
	return time.Since(start), err
}

func pingpong(remote string, o options) error {
	n, size := o.number("n", 20_000), o.number("size", 64)
	message := wholeMessage(size, size, false)
	sessions, err := connections(remote, 1, o)
	if err != nil {
		return err
	}
	s, err := sessions[0].open()
	if err != nil {
		return err
	}
	buffer := make([]byte, size)
	warmUp := min(n, 500)
	var m meter
	var latencies []time.Duration
	for i := range warmUp + n {
		if i == warmUp {
			latencies = make([]time.Duration, 0, n)
			m = newMeter()
		}
		elapsed, err := ping(s, message, size, buffer)
		if err != nil {
			return err
		}
		latencies = append(latencies, elapsed)
	}
	m.report("pingpong", func(seconds float64) string {
		return fmt.Sprintf("\"n\":%d,\"req_s\":%.1f,%s", n, float64(n)/seconds, latency(latencies, 1e6, "us"))
	})
	return nil
}

// beside sends messages there and back on one stream while another, of the same connection, uploads
// without end.
func beside(remote string, o options) error {
	size, duration := o.number("size", 64), time.Duration(o.number("seconds", 3))*time.Second
	message := wholeMessage(size, size, false)
	sessions, err := connections(remote, 1, o)
	if err != nil {
		return err
	}
	bulk, err := sessions[0].open()
	if err != nil {
		return err
	}
	var moved atomic.Uint64
	go func() {
		_, err := bulk.Write(header(1<<50, 1, true))
		for err == nil {
			err = writeZeros(bulk, chunkBytes)
			moved.Add(chunkBytes)
		}
	}()
	s, err := sessions[0].open()
	if err != nil {
		return err
	}
	buffer := make([]byte, size)
	time.Sleep(time.Second)
	m, before := newMeter(), moved.Load()
	var latencies []time.Duration
	for time.Since(m.start) < duration {
		elapsed, err := ping(s, message, size, buffer)
		if err != nil {
			return err
		}
		latencies = append(latencies, elapsed)
	}
	bytes := moved.Load() - before
	if bytes == 0 {
		return errors.New("the upload stood still")
	}
	m.report("beside", func(seconds float64) string {
		return fmt.Sprintf("\"gbit_s\":%.4f,\"pings\":%d,%s",
			float64(bytes)*8e-9/seconds, len(latencies), latency(latencies, 1e6, "us"))
	})
	return nil
}

func connects(remote string, o options) error {
	n, inflight := o.number("n", 2000), o.number("inflight", 1)
	message := wholeMessage(0, 1, true)
	dialers := make([]dialer, inflight)
	for i := range dialers {
		var err error
		if dialers[i], err = newDialer(remote, o); err != nil {
			return err
		}
	}
	m := newMeter()
	latencies, err := each(inflight, func(i int) ([]time.Duration, error) {
		var latencies []time.Duration
		for range share(n, i, inflight) {
			start := time.Now()
			c, err := dialers[i].dial()
			if err != nil {
				return nil, err
			}
			if _, err = exchange(c, message, 0, 1); err != nil {
				return nil, err
			}
			latencies = append(latencies, time.Since(start))
			c.close()
		}
		return latencies, nil
	})
	if err != nil {
		return err
	}
	m.report("connect", func(seconds float64) string {
		return fmt.Sprintf("\"n\":%d,\"conn_s\":%.1f,%s", n, float64(n)/seconds, latency(latencies, 1e3, "ms"))
	})
	return nil
}

func idle(remote string, o options) error {
	conns := o.number("conns", 100)
	if _, err := connections(remote, 1, o); err != nil {
		return err
	}
	time.Sleep(time.Second)
	before := statusKb("VmRSS:")
	m := newMeter()
	if _, err := connections(remote, conns, o); err != nil {
		return err
	}
	time.Sleep(time.Duration(o.number("settle", 3)) * time.Second)
	after := statusKb("VmRSS:")
	m.report("idle", func(float64) string {
		return fmt.Sprintf("\"conns\":%d,\"rss_before_kb\":%d,\"rss_after_kb\":%d,\"kib_per_conn\":%.2f",
			conns, before, after, float64(after-before)/float64(conns))
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// idleStreams opens connections, says so, and after a line of stdin streams on each, which it keeps.
func idleStreams(remote string, o options) error {
	conns, streams := o.number("conns", 100), o.number("streams", 100)
	settle := time.Duration(o.number("settle", 3)) * time.Second
	message, buffer := wholeMessage(0, 1, false), make([]byte, 1)
	sessions, err := connections(remote, conns, o)
	if err != nil {
		return err
	}
	time.Sleep(settle)
	fmt.Println("{\"event\":\"connected\"}")
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	before := statusKb("VmRSS:")
	m := newMeter()
	var open []stream
	for _, session := range sessions {
		for range streams {
			s, err := session.open()
			if err != nil {
				return err
			}
			if _, err = ping(s, message, 1, buffer); err != nil {
				return err
			}
			open = append(open, s)
		}
	}
	time.Sleep(settle)
	after := statusKb("VmRSS:")
	m.report("idle-streams", func(float64) string {
		return fmt.Sprintf("\"streams\":%d,\"bytes_per_stream\":%.1f",
			len(open), float64(after-before)*1024/float64(len(open)))
	})
	for lines.Scan() {
	}
	return nil
}
