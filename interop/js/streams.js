// Reading and writing js-libp2p streams without its two traps. `for await (const chunk of stream)`
// never ends if the remote's end arrived together with the negotiation; and `stream.onDrain()`
// waits once, the first time.

import { Uint8ArrayList } from 'uint8arraylist'

/**
 * Yields what arrives until the remote has ended its side. Throws if the stream fails; js-libp2p's
 * QUIC transport reports a remote reset as an ordinary end.
 */
export async function * chunks (stream) {
  const arrived = new Uint8ArrayList()
  let error
  let wake = () => {}
  const onMessage = evt => { arrived.append(evt.data); wake() }
  const onEnd = () => wake()
  const onClose = evt => { error = evt.error; wake() }
  stream.addEventListener('message', onMessage)
  stream.addEventListener('remoteCloseWrite', onEnd)
  stream.addEventListener('close', onClose)
  try {
    while (true) {
      if (arrived.byteLength > 0) {
        const chunk = arrived.sublist()
        arrived.consume(arrived.byteLength)
        yield chunk
      } else if (error != null) {
        throw error
      } else if (stream.remoteWriteStatus === 'closed' && stream.readBufferLength === 0) {
        return
      } else {
        await new Promise(resolve => { wake = resolve })
      }
    }
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('remoteCloseWrite', onEnd)
    stream.removeEventListener('close', onClose)
  }
}

/** Reads `length` bytes from an iterator of chunks, keeping what is left of the last in `rest`. */
export async function readExactly (iterator, rest, length) {
  while (rest.byteLength < length) {
    const { done, value } = await iterator.next()
    if (done) {
      throw new Error(`the stream ended ${length - rest.byteLength} bytes early`)
    }
    rest.append(value)
  }
  const bytes = rest.slice(0, length)
  rest.consume(length)
  return bytes
}

/** Sends, and waits until the stream takes more. */
export async function write (stream, data) {
  if (stream.send(data) || !stream.writableNeedsDrain) {
    return
  }
  await new Promise((resolve, reject) => {
    const done = evt => {
      stream.removeEventListener('drain', done)
      stream.removeEventListener('close', done)
      evt.type === 'drain' ? resolve() : reject(evt.error ?? new Error('the stream closed'))
    }
    stream.addEventListener('drain', done)
    stream.addEventListener('close', done)
  })
}
