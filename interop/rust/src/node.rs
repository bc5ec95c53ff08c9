//! The node: identity, transports, behaviours, and the task that drives the swarm.

use std::time::Duration;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa,
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, identify,
    identity::Keypair,
    ping,
    swarm::{NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle, dial_opts::DialOpts},
};
use tokio::sync::{mpsc, oneshot};

use crate::{Options, serve, streams, tcp};

pub const PROTOCOL_VERSION: &str = "kith-interop/1.0.0";

/// Who pings and answers pings: this program, or libp2p's behaviour, whose responder stalls (see
/// ../README.md).
#[derive(Clone, Copy, PartialEq)]
pub enum Ping {
    Own,
    Libp2p,
}

/// Node is the handle of a running swarm.
pub struct Node {
    pub peer_id: PeerId,
    pub streams: streams::Control,
    commands: mpsc::UnboundedSender<Command>,
}

/// Events is what the swarm reports, one queue per kind.
pub struct Events {
    pub listening: mpsc::UnboundedReceiver<Result<Multiaddr, String>>,
    pub connected: mpsc::UnboundedReceiver<Result<PeerId, String>>,
    pub identified: mpsc::UnboundedReceiver<Result<identify::Info, String>>,
    pub pinged: mpsc::UnboundedReceiver<Result<Duration, String>>,
}

enum Command {
    Dial(DialOpts),
    Close(oneshot::Sender<()>),
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    identify: identify::Behaviour,
    ping: Toggle<ping::Behaviour>,
}

impl Node {
    /// Starts a node on the listen addresses of the options.
    pub fn new(options: &Options) -> Result<(Node, Events), String> {
        let key = new_key(options)?;
        let (streams, control) = streams::new(serve::protocols(options.ping));
        // Every transport is named here; the multiaddr that is listened on or dialed chooses among
        // them.
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_quic()
            .with_other_transport(|key| tcp::transport(key, &options.security))
            .map_err(|error| error.to_string())?
            .with_behaviour(|key| Behaviour {
                streams,
                identify: identify::Behaviour::new(if options.legacy_record {
                    identify::Config::new_with_signed_peer_record(PROTOCOL_VERSION.into(), key)
                } else {
                    identify::Config::new(PROTOCOL_VERSION.into(), key.public())
                }),
                ping: (options.ping == Ping::Libp2p)
                    .then(|| ping::Behaviour::new(ping_config(options)))
                    .into(),
            })
            .map_err(|error| error.to_string())?
            .with_swarm_config(|config| {
                config
                    .with_idle_connection_timeout(Duration::from_secs(60))
                    .with_max_negotiating_inbound_streams(1024)
            })
            .build();
        for address in &options.listen {
            swarm.listen_on(address.clone()).map_err(|error| error.to_string())?;
        }
        let peer_id = *swarm.local_peer_id();
        let (commands, inbox) = mpsc::unbounded_channel();
        let (queues, events) = queues();
        tokio::spawn(drive(swarm, inbox, queues));
        Ok((Node { peer_id, streams: control, commands }, events))
    }

    /// Dials a peer at an address; the outcome arrives in `Events::connected`.
    pub fn dial(&self, peer: PeerId, address: Multiaddr, as_listener: bool) {
        let mut dial = DialOpts::peer_id(peer).addresses(vec![address]);
        if as_listener {
            dial = dial.override_role();
        }
        let _ = self.commands.send(Command::Dial(dial.build()));
    }

    /// Closes the connections, waiting half a second at most for that to have been sent.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let _ = self.commands.send(Command::Close(done));
        let _ = tokio::time::timeout(Duration::from_millis(500), closed).await;
    }
}

/// A dialer pings often, as actions wait for it; a listener as rarely as libp2p does by default.
fn ping_config(options: &Options) -> ping::Config {
    let config = ping::Config::new();
    if options.listen.is_empty() { config.with_interval(Duration::from_millis(20)) } else { config }
}

struct Queues {
    listening: mpsc::UnboundedSender<Result<Multiaddr, String>>,
    connected: mpsc::UnboundedSender<Result<PeerId, String>>,
    identified: mpsc::UnboundedSender<Result<identify::Info, String>>,
    pinged: mpsc::UnboundedSender<Result<Duration, String>>,
}

fn queues() -> (Queues, Events) {
    let (listening, listening_events) = mpsc::unbounded_channel();
    let (connected, connected_events) = mpsc::unbounded_channel();
    let (identified, identified_events) = mpsc::unbounded_channel();
    let (pinged, pinged_events) = mpsc::unbounded_channel();
    (
        Queues { listening, connected, identified, pinged },
        Events {
            listening: listening_events,
            connected: connected_events,
            identified: identified_events,
            pinged: pinged_events,
        },
    )
}

/// Drives the swarm until it is told to close. Nobody may read a queue any more, so failed sends
/// are fine.
async fn drive(
    mut swarm: Swarm<Behaviour>,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    queues: Queues,
) {
    let closed = loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Dial(options)) => {
                    if let Err(error) = swarm.dial(options) {
                        let _ = queues.connected.send(Err(error.to_string()));
                    }
                }
                Some(Command::Close(done)) => break Some(done),
                None => break None,
            },
            event = swarm.select_next_some() => report(event, &queues),
        }
    };
    let peers: Vec<PeerId> = swarm.connected_peers().copied().collect();
    for peer in peers {
        let _ = swarm.disconnect_peer_id(peer);
    }
    while swarm.connected_peers().next().is_some() {
        swarm.select_next_some().await;
    }
    // The endpoint's own task still has to send the close.
    tokio::time::sleep(Duration::from_millis(20)).await;
    closed.map(|done| done.send(()));
}

fn report(event: SwarmEvent<BehaviourEvent>, queues: &Queues) {
    match event {
        SwarmEvent::NewListenAddr { address, .. } => drop(queues.listening.send(Ok(address))),
        SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
            drop(queues.listening.send(Err(error.to_string())))
        }
        SwarmEvent::ConnectionEstablished { peer_id, .. } => {
            drop(queues.connected.send(Ok(peer_id)))
        }
        SwarmEvent::OutgoingConnectionError { error, .. } => {
            drop(queues.connected.send(Err(error.to_string())))
        }
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
            info, ..
        })) => drop(queues.identified.send(Ok(info))),
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Error {
            error, ..
        })) => drop(queues.identified.send(Err(error.to_string()))),
        SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => {
            drop(queues.pinged.send(event.result.map_err(|error| error.to_string())))
        }
        SwarmEvent::ConnectionClosed { ref cause, .. } => {
            eprintln!("{event:?}");
            let reason = cause.as_ref().map_or("by this side".into(), |cause| cause.to_string());
            let reason = format!("the connection has closed: {reason}");
            let _ = queues.identified.send(Err(reason.clone()));
            let _ = queues.pinged.send(Err(reason));
        }
        SwarmEvent::IncomingConnectionError { .. } | SwarmEvent::ListenerError { .. } => {
            eprintln!("{event:?}")
        }
        _ => {}
    }
}

/// Generates the identity: fresh, or Ed25519 from the number given as --seed.
fn new_key(options: &Options) -> Result<Keypair, String> {
    if let Some(seed) = options.seed {
        if options.key != "ed25519" {
            return Err("--seed makes Ed25519 keys only".into());
        }
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        return Keypair::ed25519_from_bytes(bytes).map_err(|error| error.to_string());
    }
    match options.key.as_str() {
        "ed25519" => Ok(Keypair::generate_ed25519()),
        "secp256k1" => Ok(Keypair::generate_secp256k1()),
        "ecdsa" => Ok(Keypair::generate_ecdsa()),
        "rsa" => {
            let key =
                rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|error| error.to_string())?;
            let der: Pkcs8V1Der = key.as_der().map_err(|error| error.to_string())?;
            Keypair::rsa_from_pkcs8(&mut der.as_ref().to_vec()).map_err(|error| error.to_string())
        }
        other => Err(format!("no such key type: {other}")),
    }
}
