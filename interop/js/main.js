// A small js-libp2p node that the interoperability tests drive. The command line and the output are
// the same for the peers in every language; ../README.md describes both.

import { parseArgs } from 'node:util'
import { Runner } from './actions.js'
import { muxers, newNode, securities } from './node.js'
import { serve } from './serve.js'

const usage = `usage: peer listen [FLAG]... [--listen MADDR]...
       peer dial MADDR ACTION... [FLAG]... [--ping own|libp2p] [--timeout SECONDS]
flags: --key TYPE, --seed N, --security noise|tls, --muxer yamux|mplex
`

/** Serves the test protocols until stdin reaches its end. */
async function listen (options) {
  const node = await newNode(options, options.listen)
  await serve(node)
  report({
    event: 'listening',
    peer_id: node.peerId.toString(),
    addrs: node.getMultiaddrs().map(String)
  })
  process.stdin.resume()
  await new Promise(resolve => process.stdin.once('end', resolve).once('error', resolve))
  await stopWithin(node, 500)
  return true
}

/** Connects once and runs the actions in order on that connection. */
async function dial (options, address, actions) {
  const runner = new Runner(options)
  try {
    await runner.connect(options, address)
  } catch (err) {
    report({ action: 'connect', ok: false, error: messageOf(err) })
    return false
  }
  let allOk = true
  for (const action of actions) {
    const start = performance.now()
    const line = { action }
    let error
    try {
      await runner.run(action, line)
    } catch (err) {
      error = messageOf(err)
      allOk = false
    }
    const ms = Math.round((performance.now() - start) * 1000) / 1000
    report({ ...line, ok: error == null, ms, error })
  }
  await stopWithin(runner.node, 500)
  return allOk
}

/** Stops the node but does not wait longer than `ms` for it. */
async function stopWithin (node, ms) {
  await Promise.race([node.stop(), new Promise(resolve => setTimeout(resolve, ms))])
}

/** Prints one JSON line; a pipe's stdout is not buffered. */
function report (line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

/** A dial wraps what went wrong at each address into an AggregateError. */
function messageOf (err) {
  const inner = (err.errors ?? []).map(messageOf)
  return [`${err.name}: ${err.message}`, ...inner].join('\n')
}

function fail (message) {
  process.stderr.write(message)
  process.exit(2)
}

function parse () {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: 'string', default: 'ed25519' },
      seed: { type: 'string' },
      security: { type: 'string' },
      muxer: { type: 'string', default: 'yamux' },
      ping: { type: 'string', default: 'own' },
      timeout: { type: 'string', default: '60' },
      listen: { type: 'string', multiple: true, default: ['/ip4/127.0.0.1/udp/0/quic-v1'] }
    }
  })
  const security = values.security == null ? Object.keys(securities) : [values.security]
  if (securities[security[0]] == null || muxers[values.muxer] == null) {
    throw new Error('no such security or muxer')
  }
  const timeoutMs = Number(values.timeout) * 1000
  return { options: { ...values, security, timeoutMs }, args: positionals }
}

let parsed
try {
  parsed = parse()
} catch (err) {
  fail(`${err.message}\n${usage}`)
}
const { options, args: [mode, ...args] } = parsed
try {
  let ok
  if (mode === 'listen' && args.length === 0) {
    ok = await listen(options)
  } else if (mode === 'dial' && args.length > 0) {
    ok = await dial(options, args[0], args.slice(1))
  } else {
    fail(usage)
  }
  process.exit(ok ? 0 : 1)
} catch (err) {
  process.stderr.write(`${messageOf(err)}\n`)
  process.exit(1)
}
