//! A small rust-libp2p node that the interoperability tests drive. The command line and the output
//! are the same for the peers in every language; ../README.md describes both.

mod actions;
mod node;
mod serve;
mod streams;
mod tcp;

use std::{io, process, time::Duration, time::Instant};

use libp2p::Multiaddr;
use serde_json::{Map, Value, json};

use crate::{
    actions::Runner,
    node::{Node, Ping},
};

const USAGE: &str = "\
usage: peer listen [FLAG]... [--listen MADDR]...
       peer dial MADDR ACTION... [FLAG]... [--timeout SECONDS]
flags: --key TYPE, --seed N, --security noise|tls, --muxer yamux, --ping own|libp2p,
       --record none|legacy, --role dialer|listener
";

/// Options are the flags of both modes.
pub struct Options {
    pub key: String,
    pub seed: Option<u64>,
    pub ping: Ping,
    /// Whether identify sends a signed peer record, which rust-libp2p makes in a format of its own.
    pub legacy_record: bool,
    /// What a TCP connection may be secured by.
    pub security: Vec<&'static str>,
    /// Whether we play the listener in the connection that we dial, as the remote dials us too.
    pub as_listener: bool,
    pub listen: Vec<Multiaddr>,
    pub timeout: Duration,
}

#[tokio::main]
async fn main() {
    let (options, args) = parse(std::env::args().skip(1))
        .unwrap_or_else(|error| fail(2, &format!("{error}\n{USAGE}")));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["listen"] => listen(options).await,
        ["dial", address, actions @ ..] => dial(options, address, actions).await,
        _ => fail(2, USAGE),
    };
    match done {
        Ok(all_ok) => process::exit(if all_ok { 0 } else { 1 }),
        Err(error) => fail(1, &format!("{error}\n")),
    }
}

/// Reads flags wherever they stand and returns the other arguments in order.
fn parse(mut args: impl Iterator<Item = String>) -> Result<(Options, Vec<String>), String> {
    let mut options = Options {
        key: "ed25519".into(),
        seed: None,
        ping: Ping::Own,
        legacy_record: false,
        security: tcp::SECURITY.to_vec(),
        as_listener: false,
        listen: Vec::new(),
        timeout: Duration::from_secs(60),
    };
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        if !arg.starts_with("--") {
            rest.push(arg);
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let bad = || format!("bad value for {arg}: {value}");
        match arg.as_str() {
            "--key" => options.key = value,
            "--seed" => options.seed = Some(value.parse().map_err(|_| bad())?),
            "--security" if value == "noise" => options.security = vec!["/noise"],
            "--security" if value == "tls" => options.security = vec!["/tls/1.0.0"],
            "--muxer" if value == "yamux" => {} // the only one
            "--ping" if value == "own" => options.ping = Ping::Own,
            "--ping" if value == "libp2p" => options.ping = Ping::Libp2p,
            "--record" if value == "none" => options.legacy_record = false,
            "--record" if value == "legacy" => options.legacy_record = true,
            "--role" if value == "dialer" => options.as_listener = false,
            "--role" if value == "listener" => options.as_listener = true,
            "--listen" => options.listen.push(value.parse().map_err(|_| bad())?),
            "--timeout" => {
                let seconds = value.parse().map_err(|_| bad())?;
                options.timeout = Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
            }
            _ => return Err(format!("bad flag: {arg} {value}")),
        }
    }
    if options.listen.is_empty() {
        options.listen.push("/ip4/127.0.0.1/udp/0/quic-v1".parse().expect("a valid address"));
    }
    Ok((options, rest))
}

/// Serves the test protocols until stdin reaches its end.
async fn listen(options: Options) -> Result<bool, String> {
    let (node, mut events) = Node::new(&options)?;
    let mut addrs = Vec::new();
    while addrs.len() < options.listen.len() {
        let addr = events.listening.recv().await.ok_or("the node ended")??;
        addrs.push(format!("{addr}/p2p/{}", node.peer_id));
    }
    report(json!({"event": "listening", "peer_id": node.peer_id.to_string(), "addrs": addrs}));
    drop(events);
    // A thread of its own, because a blocked read would keep the runtime from ending.
    let (ended, stdin_end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = stdin_end.await;
    node.close().await;
    Ok(true)
}

/// Connects once and runs the actions in order on that connection.
async fn dial(mut options: Options, address: &str, actions: &[&str]) -> Result<bool, String> {
    options.listen.clear();
    let mut runner = match Runner::connect(&options, address).await {
        Ok(runner) => runner,
        Err(error) => {
            report(json!({"action": "connect", "ok": false, "error": error}));
            return Ok(false);
        }
    };
    let mut all_ok = true;
    for action in actions {
        let start = Instant::now();
        let mut line = Map::new();
        let outcome = runner.run(action, &mut line).await;
        line.insert("action".into(), json!(action));
        line.insert("ok".into(), json!(outcome.is_ok()));
        line.insert("ms".into(), json!(start.elapsed().as_micros() as f64 / 1000.0));
        if let Err(error) = outcome {
            line.insert("error".into(), json!(error));
            all_ok = false;
        }
        report(Value::Object(line));
    }
    runner.node.close().await;
    Ok(all_ok)
}

/// Prints one JSON line; stdout is flushed at each line's end.
fn report(line: Value) {
    println!("{line}");
}

fn fail(code: i32, message: &str) -> ! {
    eprint!("{message}");
    process::exit(code)
}
