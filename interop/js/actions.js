// The actions of `peer dial`.

import { createHash } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { Uint8ArrayList } from 'uint8arraylist'
import { newNode } from './node.js'
import { bufferBytes, echoProtocol, noSuchProtocol, resetProtocol, serve, stateOf } from './serve.js'
import { chunks, readExactly, write } from './streams.js'

const pingProtocol = '/ipfs/ping/1.0.0'
const pingBytes = 32

/** Runs actions on the one connection that connect made. */
export class Runner {
  constructor (options) {
    this.timeoutMs = options.timeoutMs
    this.actions = {
      'ping:': options.ping === 'libp2p' ? this.libp2pPing : this.ping,
      identify: this.identify,
      state: this.state,
      'echo:': this.echo,
      unknown: this.unknown,
      reset: this.reset,
      'streams:': this.streams,
      'wait:': ms => new Promise(resolve => setTimeout(resolve, ms)),
      abort: this.abort
    }
  }

  /** Makes a node, dials the address, which must end in /p2p/ID, and starts to identify it. */
  async connect (options, address) {
    this.node = await newNode(options, [])
    await serve(this.node)
    const target = multiaddr(address)
    if (target.getComponents().at(-1)?.name !== 'p2p') {
      throw new Error('the address does not end in /p2p/ID')
    }
    this.connection = await this.node.dial(target, { signal: AbortSignal.timeout(this.timeoutMs) })
    this.identity = this.node.services.identify.identify(this.connection)
    this.identity.catch(() => {}) // the action reports it
  }

  /** Runs one action, NAME or NAME:NUMBER, within the timeout; adds what it found to the line. */
  async run (action, line) {
    const [, name, number] = /^([a-z]+:?)(\d*)$/.exec(action) ?? []
    const method = this.actions[name]
    if (method == null || name.endsWith(':') !== (number !== '')) {
      throw new Error('no such action')
    }
    // Streams are aborted by the signal, and the race ends what waits for something else.
    const signal = AbortSignal.timeout(this.timeoutMs)
    const expired = new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('timed out')))
    })
    const args = name.endsWith(':') ? [Number(number), line, signal] : [line, signal]
    await Promise.race([method.apply(this, args), expired])
  }

  /** Opens a stream that is aborted when the signal fires. */
  async open (protocol, signal) {
    const stream = await this.connection.newStream(protocol, { signal, maxOutboundStreams: 10000 })
    signal.addEventListener('abort', () => stream.abort(new Error('timed out')))
    return stream
  }

  /** Makes round trips on one stream, unlike js-libp2p's pinger, which opens a stream for each. */
  async ping (count, line, signal) {
    const stream = await this.open(pingProtocol, signal)
    const iterator = chunks(stream)
    const rest = new Uint8ArrayList()
    line.rtt_us = []
    for (let i = 0; i < count; i++) {
      const sent = new Pattern(pingBytes, i).next(pingBytes)
      const start = performance.now()
      stream.send(sent)
      const received = await readExactly(iterator, rest, pingBytes)
      line.rtt_us.push(Math.round((performance.now() - start) * 1e6) / 1e3)
      if (Buffer.compare(sent, received) !== 0) {
        throw new Error('the reply differs from the ping')
      }
    }
    await stream.close()
  }

  /** Pings by js-libp2p's service: a stream each, ended right after the 32 bytes; whole ms. */
  async libp2pPing (count, line, signal) {
    line.rtt_us = []
    for (let i = 0; i < count; i++) {
      const ms = await this.node.services.ping.ping(this.connection.remotePeer, { signal })
      line.rtt_us.push(1000 * ms)
    }
  }

  async identify (line) {
    const info = await this.identity
    Object.assign(line, {
      peer_id: info.peerId.toString(),
      agent: info.agentVersion,
      protocol_version: info.protocolVersion,
      protocols: info.protocols,
      listen_addrs: info.listenAddrs.map(String),
      observed_addr: info.observedAddr?.toString() ?? '',
      signed_peer_record: info.signedPeerRecord != null
    })
  }

  state (line) {
    Object.assign(line, stateOf(this.connection))
  }

  /** Sends `size` bytes and reads them back at the same time; the directions are independent. */
  async echo (size, line, signal, seed = 1) {
    const stream = await this.open(echoProtocol, signal)
    const send = async () => {
      const hash = createHash('sha256')
      const pattern = new Pattern(size, seed)
      while (pattern.left > 0) {
        const bytes = pattern.next(bufferBytes)
        hash.update(bytes)
        await write(stream, bytes)
      }
      await stream.close()
      return hash.digest('hex')
    }
    const receive = async () => {
      const hash = createHash('sha256')
      line.bytes = 0
      for await (const chunk of chunks(stream)) {
        for (const bytes of chunk) {
          hash.update(bytes)
        }
        line.bytes += chunk.byteLength
      }
      return hash.digest('hex')
    }
    const [sent, received] = await Promise.all([send(), receive()])
    line.sha256 = received
    if (line.bytes !== size) {
      throw new Error(`sent ${size} bytes, received ${line.bytes}`)
    }
    if (sent !== received) {
      throw new Error('the bytes received differ from those sent')
    }
  }

  async unknown (line, signal) {
    let stream
    try {
      stream = await this.open(noSuchProtocol, signal)
    } catch (err) {
      if (err.name !== 'UnsupportedProtocolError') {
        throw err
      }
      line.refusal = err.message
      return
    }
    stream.abort(new Error('not wanted'))
    throw new Error('the remote accepted a protocol that does not exist')
  }

  async reset (line, signal) {
    const stream = await this.open(resetProtocol, signal)
    stream.send(Uint8Array.of(1))
    try {
      const { done } = await chunks(stream).next()
      line.seen = done ? 'eof' : 'data'
    } catch (err) {
      line.seen = err.name === 'StreamResetError' ? 'reset' : 'error'
      if (line.seen === 'error') {
        throw err
      }
      return
    }
    stream.abort(new Error('not wanted'))
    throw new Error(line.seen === 'eof'
      ? 'the remote ended the stream instead of resetting it'
      : 'the remote sent data instead of a reset')
  }

  async streams (count, line, signal) {
    const echoes = Array.from({ length: count }, (_, i) => this.echo(1024, {}, signal, i + 1))
    const outcomes = await Promise.allSettled(echoes)
    const failures = outcomes.filter(outcome => outcome.status === 'rejected')
    line.matched = count - failures.length
    if (failures.length > 0) {
      throw new Error(failures.map(failure => failure.reason.message).join('\n'))
    }
  }

  /** Resets an echo stream while data flows in both directions. */
  async abort (line, signal) {
    const stream = await this.open(echoProtocol, signal)
    stream.send(new Pattern(bufferBytes, 1).next(bufferBytes))
    await readExactly(chunks(stream), new Uint8ArrayList(), 1024)
    stream.abort(new Error('aborted on purpose'))
  }
}

/**
 * Makes pseudo-random bytes, the same in every language: a 32-bit linear congruential generator
 * (Numerical Recipes' constants), of which each step gives its top byte.
 */
class Pattern {
  constructor (size, seed) {
    this.left = size
    this.state = seed
  }

  /** Returns the next bytes, at most `most`. */
  next (most) {
    const bytes = new Uint8Array(Math.min(most, this.left))
    for (let i = 0; i < bytes.length; i++) {
      this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0
      bytes[i] = this.state >>> 24
    }
    this.left -= bytes.length
    return bytes
  }
}
