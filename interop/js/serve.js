// The protocols that the peer serves. ping and identify are js-libp2p's own.

import { chunks, write } from './streams.js'

export const echoProtocol = '/kith/echo/1.0.0'
export const sinkProtocol = '/kith/sink/1.0.0'
export const resetProtocol = '/kith/reset/1.0.0'
export const stateProtocol = '/kith/state/1.0.0'
export const noSuchProtocol = '/kith/no-such-protocol/1.0.0'

export const bufferBytes = 64 << 10

const manyStreams = { maxInboundStreams: 10000, maxOutboundStreams: 10000 }

/** Registers the test protocols. */
export async function serve (node) {
  const served = [
    [echoProtocol, echo], [sinkProtocol, sink], [resetProtocol, reset], [stateProtocol, state]
  ]
  for (const [protocol, handler] of served) {
    await node.handle(protocol, (stream, connection) => {
      // Not returned: the stream is negotiated as soon as its handler returns.
      handler(stream, connection).catch(err => stream.abort(err))
    }, manyStreams)
  }
}

/**
 * Sends back what it reads, and ends its side after the remote ended the other. What arrives faster
 * than it can be sent back is kept in memory, because js-libp2p's QUIC transport cannot pause
 * reading.
 */
async function echo (stream) {
  for await (const chunk of chunks(stream)) {
    await write(stream, chunk)
  }
  await stream.close()
}

/** Reads to the end, then ends its side without having sent anything. */
async function sink (stream) {
  for await (const _ of chunks(stream)) {} // eslint-disable-line no-unused-vars
  await stream.close()
}

/** Resets both directions once the first byte has arrived. */
async function reset (stream) {
  await chunks(stream).next()
  stream.abort(new Error('reset on purpose'))
}

/** Sends what the connection is made of, as a JSON object, and ends its side. */
async function state (stream, connection) {
  await write(stream, new TextEncoder().encode(JSON.stringify(stateOf(connection))))
  await stream.close()
}

export function stateOf (connection) {
  return { security: connection.encryption ?? '', muxer: connection.multiplexer ?? '' }
}
