//! The actions of `peer dial`.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, future};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, identify, multiaddr::Protocol};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use crate::{
    Options,
    node::{Events, Node, Ping},
    serve::{BUFFER_BYTES, ECHO, NO_SUCH, PING, PING_BYTES, RESET},
    streams::{Control, OpenError},
};

/// Runner runs actions on the one connection that connect made.
pub struct Runner {
    pub node: Node,
    events: Events,
    remote: Remote,
    ping: Ping,
    timeout: Duration,
    identity: Option<Result<identify::Info, String>>,
}

/// Remote opens streams to the peer that is connected.
#[derive(Clone)]
struct Remote {
    peer: PeerId,
    control: Control,
}

impl Remote {
    async fn open(&self, protocol: StreamProtocol) -> Result<Stream, String> {
        self.control.open(self.peer, protocol).await.map_err(|error| match error {
            OpenError::Refused(text) | OpenError::Failed(text) => text,
        })
    }
}

impl Runner {
    /// Makes a node and dials the address, which must end in /p2p/ID.
    pub async fn connect(options: &Options, address: &str) -> Result<Runner, String> {
        let address: Multiaddr = address.parse().map_err(|error| format!("{address}: {error}"))?;
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            return Err("the address does not end in /p2p/ID".into());
        };
        let (node, mut events) = Node::new(options)?;
        node.dial(peer, address, options.as_listener);
        timeout(options.timeout, events.connected.recv())
            .await
            .map_err(|_| "timed out")?
            .ok_or("the node ended")??;
        let remote = Remote { peer, control: node.streams.clone() };
        Ok(Runner {
            node,
            events,
            remote,
            ping: options.ping,
            timeout: options.timeout,
            identity: None,
        })
    }

    /// Runs one action, NAME or NAME:NUMBER, within the timeout; adds what it found to the line.
    pub async fn run(&mut self, action: &str, line: &mut Map<String, Value>) -> Result<(), String> {
        timeout(self.timeout, self.run_unlimited(action, line))
            .await
            .unwrap_or_else(|_| Err("timed out".into()))
    }

    async fn run_unlimited(
        &mut self,
        action: &str,
        line: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let (name, number) = match action.split_once(':') {
            Some((name, text)) => {
                (name, Some(text.parse::<usize>().map_err(|_| format!("not a number: {text:?}"))?))
            }
            None => (action, None),
        };
        match (name, number) {
            ("ping", Some(count)) if self.ping == Ping::Own => {
                ping(&self.remote, count, line).await
            }
            ("ping", Some(count)) => self.libp2p_ping(count, line).await,
            ("identify", None) => self.identify(line).await,
            ("echo", Some(size)) => {
                let (bytes, sha256) = echo(&self.remote, size, 1).await?;
                line.insert("bytes".into(), json!(bytes));
                line.insert("sha256".into(), json!(sha256));
                Ok(())
            }
            ("unknown", None) => unknown(&self.remote, line).await,
            ("reset", None) => reset(&self.remote, line).await,
            ("streams", Some(count)) => streams(&self.remote, count, line).await,
            ("wait", Some(ms)) => {
                sleep(Duration::from_millis(ms as u64)).await;
                Ok(())
            }
            ("abort", None) => abort(&self.remote).await,
            _ => Err("no such action".into()),
        }
    }

    /// Waits for round trips of libp2p's behaviour, which pings by itself.
    async fn libp2p_ping(
        &mut self,
        count: usize,
        line: &mut Map<String, Value>,
    ) -> Result<(), String> {
        while self.events.pinged.try_recv().is_ok() {}
        let mut rtts = Vec::new();
        while rtts.len() < count {
            let rtt = self.events.pinged.recv().await.ok_or("the node ended")??;
            rtts.push(rtt.as_nanos() as f64 / 1000.0);
        }
        line.insert("rtt_us".into(), json!(rtts));
        Ok(())
    }

    async fn identify(&mut self, line: &mut Map<String, Value>) -> Result<(), String> {
        if self.identity.is_none() {
            self.identity = self.events.identified.recv().await;
        }
        let info = self.identity.clone().ok_or("the node ended")??;
        let protocols: Vec<&str> = info.protocols.iter().map(|id| id.as_ref()).collect();
        let addrs: Vec<String> = info.listen_addrs.iter().map(|addr| addr.to_string()).collect();
        line.insert("peer_id".into(), json!(info.public_key.to_peer_id().to_string()));
        line.insert("agent".into(), json!(info.agent_version));
        line.insert("protocol_version".into(), json!(info.protocol_version));
        line.insert("protocols".into(), json!(protocols));
        line.insert("listen_addrs".into(), json!(addrs));
        line.insert("observed_addr".into(), json!(info.observed_addr.to_string()));
        line.insert("signed_peer_record".into(), json!(info.signed_peer_record.is_some()));
        Ok(())
    }
}

/// Makes round trips on one stream.
async fn ping(remote: &Remote, count: usize, line: &mut Map<String, Value>) -> Result<(), String> {
    let mut stream = remote.open(PING).await?;
    let mut rtts = Vec::new();
    let mut sent = [0; PING_BYTES];
    let mut received = [0; PING_BYTES];
    for i in 0..count {
        Pattern::new(PING_BYTES, i as u32).fill(&mut sent);
        let start = Instant::now();
        stream.write_all(&sent).await.map_err(text)?;
        stream.flush().await.map_err(text)?;
        stream.read_exact(&mut received).await.map_err(text)?;
        rtts.push(start.elapsed().as_nanos() as f64 / 1000.0);
        if sent != received {
            return Err("the reply differs from the ping".into());
        }
    }
    line.insert("rtt_us".into(), json!(rtts));
    stream.close().await.map_err(text)
}

/// Sends size bytes and reads them back at the same time; the two directions are independent.
/// Returns the length and the SHA-256 of what came back.
async fn echo(remote: &Remote, size: usize, seed: u32) -> Result<(usize, String), String> {
    let stream = remote.open(ECHO).await?;
    let (mut reader, mut writer) = stream.split();
    let write = async {
        let (mut hash, mut pattern) = (Sha256::new(), Pattern::new(size, seed));
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let n = pattern.fill(&mut buffer);
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            writer.write_all(&buffer[..n]).await.map_err(|error| format!("writing: {error}"))?;
        }
        writer.close().await.map_err(|error| format!("closing: {error}"))?;
        Ok::<_, String>(hash.finalize())
    };
    let read = read_all(&mut reader);
    let (sent, (received, bytes)) = future::try_join(write, read).await?;
    if bytes != size {
        return Err(format!("sent {size} bytes, received {bytes}"));
    }
    if sent != received {
        return Err("the bytes received differ from those sent".into());
    }
    Ok((bytes, received.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Reads to the end; returns the SHA-256 and the length.
async fn read_all(
    reader: &mut (impl AsyncRead + Unpin),
) -> Result<(sha2::digest::Output<Sha256>, usize), String> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n = reader
            .read(&mut buffer)
            .await
            .map_err(|error| format!("reading after {bytes} bytes: {error}"))?;
        if n == 0 {
            return Ok((hash.finalize(), bytes));
        }
        hash.update(&buffer[..n]);
        bytes += n;
    }
}

async fn unknown(remote: &Remote, line: &mut Map<String, Value>) -> Result<(), String> {
    match remote.control.open(remote.peer, NO_SUCH).await {
        Ok(_) => Err("the remote accepted a protocol that does not exist".into()),
        Err(OpenError::Refused(text)) => {
            line.insert("refusal".into(), json!(text));
            Ok(())
        }
        Err(OpenError::Failed(text)) => Err(text),
    }
}

async fn reset(remote: &Remote, line: &mut Map<String, Value>) -> Result<(), String> {
    let mut stream = remote.open(RESET).await?;
    stream.write_all(&[1]).await.map_err(text)?;
    stream.flush().await.map_err(text)?;
    let (seen, outcome) = match stream.read(&mut [0]).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => ("reset", Ok(())),
        Err(error) => ("error", Err(error.to_string())),
        Ok(0) => ("eof", Err("the remote ended the stream instead of resetting it".into())),
        Ok(_) => ("data", Err("the remote sent data instead of a reset".into())),
    };
    line.insert("seen".into(), json!(seen));
    outcome
}

async fn streams(
    remote: &Remote,
    count: usize,
    line: &mut Map<String, Value>,
) -> Result<(), String> {
    let remote = Arc::new(remote.clone());
    let tasks = (0..count).map(|i| {
        let remote = remote.clone();
        tokio::spawn(async move { echo(&remote, 1024, i as u32 + 1).await })
    });
    let outcomes = future::join_all(tasks.collect::<Vec<_>>()).await;
    let failures: Vec<String> = outcomes
        .into_iter()
        .filter_map(|outcome| {
            outcome.map_err(|error| error.to_string()).and_then(|echoed| echoed).err()
        })
        .collect();
    line.insert("matched".into(), json!(count - failures.len()));
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Drops an echo stream while data flows in both directions; over QUIC that is a FIN and a
/// STOP_SENDING, because rust-libp2p has no way to reset a stream.
async fn abort(remote: &Remote) -> Result<(), String> {
    let mut stream = remote.open(ECHO).await?;
    let mut buffer = vec![0; BUFFER_BYTES];
    Pattern::new(BUFFER_BYTES, 1).fill(&mut buffer);
    stream.write_all(&buffer).await.map_err(text)?;
    stream.flush().await.map_err(text)?;
    stream.read_exact(&mut [0; 1024]).await.map_err(text)
}

fn text(error: io::Error) -> String {
    error.to_string()
}

/// Pattern makes pseudo-random bytes, the same in every language: a 32-bit linear congruential
/// generator (Numerical Recipes' constants), of which each step gives its top byte.
struct Pattern {
    left: usize,
    state: u32,
}

impl Pattern {
    fn new(size: usize, seed: u32) -> Pattern {
        Pattern { left: size, state: seed }
    }

    /// Fills the buffer as far as bytes are left; returns how many it wrote.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let n = buffer.len().min(self.left);
        for byte in &mut buffer[..n] {
            self.state = self.state.wrapping_mul(1664525).wrapping_add(1013904223);
            *byte = (self.state >> 24) as u8;
        }
        self.left -= n;
        n
    }
}
