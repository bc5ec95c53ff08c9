// The node: identity and transports.

import 'reflect-metadata' // @peculiar/x509 needs it first
import { webcrypto } from 'node:crypto'
import { quic } from '@chainsafe/libp2p-quic'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { mplex } from '@libp2p/mplex'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { createLibp2p } from 'libp2p'

const keyTypes = { ed25519: 'Ed25519', secp256k1: 'secp256k1', ecdsa: 'ECDSA', rsa: 'RSA' }

// All that the peer speaks; the multiaddr that is listened on or dialed chooses among them.
const newTransports = async () => [quic(), tcp(), webSockets({ https: await newCertificate() })]

// What --security and --muxer choose from.
export const securities = { tls, noise }
// mplex counts what arrives for streams just reset, and closes the connection at five a second.
export const muxers = { yamux, mplex: () => mplex({ disconnectThreshold: Infinity }) }

/** Starts a node without limits on connections; no listen addresses means a pure dialer. */
export async function newNode (options, listen) {
  return createLibp2p({
    privateKey: await newKey(options),
    addresses: { listen },
    transports: await newTransports(),
    connectionEncrypters: options.security.map(name => securities[name]()),
    streamMuxers: [muxers[options.muxer]()],
    connectionManager: {
      inboundConnectionThreshold: Infinity, // 5 a second and host otherwise
      maxIncomingPendingConnections: 1000
    },
    services: {
      // A dialer identifies its one connection itself, because it wants to know of a failure.
      identify: identify({ runOnConnectionOpen: listen.length > 0 }),
      identifyPush: identifyPush(),
      ping: ping({ maxOutboundStreams: 100 }) // outbound for our own pinger: see actions.js
    }
  })
}

/** Makes a self-signed certificate for 127.0.0.1 and its key, in PEM, as /tls/ws needs to listen. */
async function newCertificate () {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify'])
  const hour = 60 * 60 * 1000
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    notBefore: new Date(Date.now() - hour),
    notAfter: new Date(Date.now() + 24 * hour),
    signingAlgorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])]
  }, webcrypto)
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
}

/** Generates the identity: fresh, or Ed25519 from the number given as --seed. */
async function newKey ({ key, seed }) {
  if (keyTypes[key] == null) {
    throw new Error(`no such key type: ${key}`)
  }
  if (seed == null) {
    return generateKeyPair(keyTypes[key], ...(key === 'rsa' ? [2048] : []))
  }
  if (key !== 'ed25519') {
    throw new Error('--seed makes Ed25519 keys only')
  }
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seed), true)
  return generateKeyPairFromSeed('Ed25519', bytes)
}
