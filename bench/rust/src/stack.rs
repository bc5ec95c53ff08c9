//! The two stacks behind one face: rust-libp2p, and quinn with libp2p's TLS.

use std::{collections::HashMap, error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt,
    io::{ReadHalf, WriteHalf},
};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    noise,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    tcp, tls, yamux,
};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use tokio::sync::{mpsc, oneshot};

use crate::{Options, streams, workload};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/kith/bench/1.0.0");
const BUFFER_BYTES: usize = 256 << 10;
const SMALL_BYTES: usize = 64;

/// Reader is the receiving half of a stream.
pub enum Reader {
    Libp2p(ReadHalf<Stream>, Vec<u8>),
    Quinn(quinn::RecvStream),
}

impl Reader {
    /// Reads what is there, at least a byte and at most `max`, and gives it to `take`; 0 at the end.
    pub async fn read(&mut self, max: usize, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        match self {
            // An idle stream, which waits for a header, keeps no buffer.
            Reader::Libp2p(stream, _) if max <= SMALL_BYTES => {
                let mut small = [0; SMALL_BYTES];
                let n = stream.read(&mut small[..max]).await?;
                take(&small[..n]);
                Ok(n)
            }
            Reader::Libp2p(stream, buffer) => {
                if buffer.is_empty() {
                    buffer.resize(max.clamp(4096, BUFFER_BYTES), 0);
                }
                let room = max.min(buffer.len());
                let n = stream.read(&mut buffer[..room]).await?;
                take(&buffer[..n]);
                Ok(n)
            }
            Reader::Quinn(stream) => match stream.read_chunk(max, true).await? {
                Some(chunk) => {
                    take(&chunk.bytes);
                    Ok(chunk.bytes.len())
                }
                None => Ok(0),
            },
        }
    }
}

/// Writer is the sending half of a stream.
pub enum Writer {
    Libp2p(WriteHalf<Stream>),
    Quinn(quinn::SendStream),
}

impl Writer {
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Writer::Libp2p(stream) => stream.write_all(&bytes).await,
            Writer::Quinn(stream) => Ok(stream.write_chunk(bytes).await?),
        }
    }
    /// Sends what is buffered; quinn does by itself.
    pub async fn flush(&mut self) -> io::Result<()> {
        match self {
            Writer::Libp2p(stream) => stream.flush().await,
            Writer::Quinn(_) => Ok(()),
        }
    }
    pub async fn finish(&mut self) -> io::Result<()> {
        match self {
            Writer::Libp2p(stream) => stream.close().await,
            Writer::Quinn(stream) => Ok(stream.finish()?),
        }
    }
}

/// Session is a connection that we dialed.
#[derive(Clone)]
pub enum Session {
    Libp2p(PeerId, ConnectionId, streams::Control, mpsc::UnboundedSender<Command>),
    Quinn(quinn::Connection),
}

impl Session {
    pub async fn open(&self) -> Result<(Reader, Writer), String> {
        match self {
            Session::Libp2p(peer, connection, control, _) => {
                let stream = control.open(*peer, *connection, PROTOCOL).await?;
                Ok(halves(stream))
            }
            Session::Quinn(connection) => {
                let (send, receive) = connection.open_bi().await.map_err(text)?;
                Ok((Reader::Quinn(receive), Writer::Quinn(send)))
            }
        }
    }
    pub fn close(&self) {
        match self {
            Session::Libp2p(_, connection, _, commands) => {
                let _ = commands.send(Command::Close(*connection));
            }
            Session::Quinn(connection) => connection.close(0u32.into(), b""),
        }
    }
}

fn halves(stream: Stream) -> (Reader, Writer) {
    let (read, write) = stream.split();
    (Reader::Libp2p(read, Vec::new()), Writer::Libp2p(write))
}

/// Stack is a node that serves, dials, or both.
pub enum Stack {
    Libp2p(streams::Control, mpsc::UnboundedSender<Command>),
    Quinn(quinn::Endpoint),
}

pub enum Command {
    Dial(Multiaddr, oneshot::Sender<Result<(PeerId, ConnectionId), String>>),
    Close(ConnectionId),
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    identify: identify::Behaviour,
}

impl Stack {
    /// Starts a node that listens on `listen`, a multiaddr or quic://HOST:PORT; returns its address.
    pub async fn serve(listen: &str, options: &Options) -> Result<(Stack, String), String> {
        if let Some(address) = listen.strip_prefix("quic://") {
            let endpoint = endpoint(address)?;
            tokio::spawn(accept(endpoint.clone()));
            let address = endpoint.local_addr().map_err(text)?;
            return Ok((Stack::Quinn(endpoint), format!("quic://{address}")));
        }
        let (address_tx, mut addresses) = mpsc::unbounded_channel();
        let (stack, peer) = libp2p_node(Some(listen), address_tx, options)?;
        let address = addresses.recv().await.ok_or("the node ended")?;
        Ok((stack, format!("{address}/p2p/{peer}")))
    }

    /// Starts a node that can dial `remote`.
    pub fn dialer(remote: &str, options: &Options) -> Result<Stack, String> {
        if remote.starts_with("quic://") {
            return Ok(Stack::Quinn(endpoint("127.0.0.1:0")?));
        }
        Ok(libp2p_node(None, mpsc::unbounded_channel().0, options)?.0)
    }

    /// Makes a new connection.
    pub async fn dial(&self, remote: &str) -> Result<Session, String> {
        match self {
            Stack::Quinn(endpoint) => {
                let address: SocketAddr =
                    remote.strip_prefix("quic://").unwrap_or(remote).parse().map_err(text)?;
                let connecting = endpoint.connect(address, "l").map_err(text)?;
                Ok(Session::Quinn(connecting.await.map_err(text)?))
            }
            Stack::Libp2p(control, commands) => {
                let mut address: Multiaddr = remote.parse().map_err(text)?;
                if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
                    address.pop();
                }
                let (reply, outcome) = oneshot::channel();
                let _ = commands.send(Command::Dial(address, reply));
                let (peer, connection) = outcome.await.map_err(text)??;
                Ok(Session::Libp2p(peer, connection, control.clone(), commands.clone()))
            }
        }
    }
}

fn libp2p_node(
    listen: Option<&str>,
    listening: mpsc::UnboundedSender<Multiaddr>,
    options: &Options,
) -> Result<(Stack, PeerId), String> {
    let (behaviour, control) = streams::new(vec![(PROTOCOL, |stream| {
        let (reader, writer) = halves(stream);
        workload::respond(reader, writer).map(|_| ()).boxed()
    })]);
    let mut swarm = SwarmBuilder::with_existing_identity(Keypair::generate_ed25519())
        .with_tokio()
        .with_quic()
        .with_other_transport(|key| tcp_transport(key, options.word("security", "tls")))
        .map_err(text)?
        .with_behaviour(|key| Behaviour {
            streams: behaviour,
            identify: identify::Behaviour::new(identify::Config::new(
                "kith-bench/1.0.0".into(),
                key.public(),
            )),
        })
        .map_err(text)?
        .with_swarm_config(|config| {
            config
                .with_idle_connection_timeout(Duration::from_secs(3600))
                .with_max_negotiating_inbound_streams(1024)
        })
        .build();
    if let Some(address) = listen {
        swarm.listen_on(address.parse().map_err(text)?).map_err(text)?;
    }
    let peer = *swarm.local_peer_id();
    let (commands, inbox) = mpsc::unbounded_channel();
    tokio::spawn(drive(swarm, inbox, listening));
    Ok((Stack::Libp2p(control, commands), peer))
}

/// TCP with yamux and one way to secure it.
fn tcp_transport(
    key: &Keypair,
    security: &str,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn Error + Send + Sync>> {
    let pipe = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1Lazy);
    let muxer = yamux::Config::default();
    Ok(match security {
        "noise" => pipe.authenticate(noise::Config::new(key)?).multiplex(muxer).boxed(),
        "tls" => pipe.authenticate(tls::Config::new(key)?).multiplex(muxer).boxed(),
        _ => return Err("security is noise or tls".into()),
    })
}

async fn drive(
    mut swarm: Swarm<Behaviour>,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    listening: mpsc::UnboundedSender<Multiaddr>,
) {
    let mut dials: HashMap<ConnectionId, oneshot::Sender<_>> = HashMap::new();
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Dial(address, reply)) => {
                    // Without a peer id every dial is a connection of its own.
                    let options = DialOpts::unknown_peer_id().address(address).build();
                    let id = options.connection_id();
                    match swarm.dial(options) {
                        Ok(()) => drop(dials.insert(id, reply)),
                        Err(error) => drop(reply.send(Err(error.to_string()))),
                    }
                }
                Some(Command::Close(id)) => drop(swarm.close_connection(id)),
                None => return,
            },
            event = swarm.select_next_some() => match event {
                SwarmEvent::NewListenAddr { address, .. } => drop(listening.send(address)),
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                    if let Some(reply) = dials.remove(&connection_id) {
                        let _ = reply.send(Ok((peer_id, connection_id)));
                    }
                }
                SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                    if let Some(reply) = dials.remove(&connection_id) {
                        let _ = reply.send(Err(error.to_string()));
                    }
                }
                _ => {}
            },
        }
    }
}

/// An endpoint that serves and dials with libp2p's mutual TLS and rust-libp2p's QUIC limits.
fn endpoint(listen: &str) -> Result<quinn::Endpoint, String> {
    let key = Keypair::generate_ed25519();
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(256u32.into())
        .max_concurrent_uni_streams(0u32.into())
        .stream_receive_window(10_000_000u32.into())
        .receive_window(15_000_000u32.into())
        .keep_alive_interval(Some(Duration::from_secs(5)));
    let transport = Arc::new(transport);
    let crypto = tls::make_server_config(&key).map_err(text)?;
    let crypto = Arc::new(QuicServerConfig::try_from(crypto).map_err(text)?);
    let mut server = quinn::ServerConfig::with_crypto(crypto);
    server.transport = transport.clone();
    let crypto = tls::make_client_config(&key, None).map_err(text)?;
    let crypto = Arc::new(QuicClientConfig::try_from(crypto).map_err(text)?);
    let mut client = quinn::ClientConfig::new(crypto);
    client.transport_config(transport);
    let mut endpoint =
        quinn::Endpoint::server(server, listen.parse().map_err(text)?).map_err(text)?;
    endpoint.set_default_client_config(client);
    Ok(endpoint)
}

async fn accept(endpoint: quinn::Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            while let Ok((send, receive)) = connection.accept_bi().await {
                tokio::spawn(workload::respond(Reader::Quinn(receive), Writer::Quinn(send)));
            }
        });
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
