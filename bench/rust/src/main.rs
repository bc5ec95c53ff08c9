//! The benchmark's peers on rust-libp2p and, for addresses quic://HOST:PORT, on quinn alone. The
//! command line, the output and the protocol are those of ../../workload.h.

mod stack;
mod streams;
mod usage;
mod workload;

use std::{collections::HashMap, process};

use tokio::io::{AsyncBufReadExt, BufReader};

const USAGE: &str = "\
usage: peer serve [--listen ADDRESS] [key=value...]
       peer run ADDRESS SCENARIO [key=value...]
";

/// Options are the key=value arguments.
pub struct Options(HashMap<String, String>);

impl Options {
    pub fn number(&self, key: &str, otherwise: u64) -> u64 {
        self.0.get(key).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    }
    pub fn word(&self, key: &str, otherwise: &'static str) -> &str {
        self.0.get(key).map_or(otherwise, String::as_str)
    }
}

#[tokio::main]
async fn main() {
    let mut words = Vec::new();
    let mut options = Options(HashMap::new());
    let mut listen = "/ip4/127.0.0.1/udp/0/quic-v1".to_owned();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--listen" {
            listen = args.next().unwrap_or(listen);
        } else if let Some((key, value)) = arg.split_once('=') {
            options.0.insert(key.into(), value.into());
        } else {
            words.push(arg);
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["serve"] => serve(&listen, &options).await,
        ["run", address, scenario] => workload::run(address, scenario, &options).await,
        _ => {
            eprint!("{USAGE}");
            process::exit(2)
        }
    };
    if let Err(error) = done {
        eprintln!("bench: {error}");
        process::exit(1);
    }
    process::exit(0);
}

async fn serve(listen: &str, options: &Options) -> Result<(), String> {
    let (_stack, address) = stack::Stack::serve(listen, options).await?;
    let cpu = usage::cpu_seconds();
    println!("{{\"event\":\"listening\",\"addr\":\"{address}\"}}");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "rss" {
            println!(
                "{{\"event\":\"rss\",\"rss_kb\":{},\"cpu_s\":{:.6}}}",
                usage::status_kb("VmRSS:"),
                usage::cpu_seconds() - cpu
            );
        }
    }
    println!(
        "{{\"event\":\"usage\",\"cpu_s\":{:.6},\"peak_rss_kb\":{}}}",
        usage::cpu_seconds() - cpu,
        usage::status_kb("VmHWM:")
    );
    Ok(())
}
