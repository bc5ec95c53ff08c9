//! What it costs to read and write single values with rust-libp2p's crates; see ../../rows.py for
//! the operations and ../../codec.cc for kith's side.

mod usage;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};
use prost::Message;
use unsigned_varint::{decode, encode};

/// Counts allocations. There is one thread.
struct Counting;
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    ALLOCATIONS.store(ALLOCATIONS.load(Relaxed) + 1, Relaxed);
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The message of libp2p-identify, which does not show it.
#[derive(Message)]
struct Identify {
    #[prost(string, optional, tag = "5")]
    protocol_version: Option<String>,
    #[prost(string, optional, tag = "6")]
    agent_version: Option<String>,
    #[prost(bytes = "vec", optional, tag = "1")]
    public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    listen_addrs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    observed_addr: Option<Vec<u8>>,
    #[prost(string, repeated, tag = "3")]
    protocols: Vec<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    signed_peer_record: Option<Vec<u8>>,
}

/// Repeats `work`, which does `ops` operations, and prints what CPU time and allocations one takes.
fn measure(ops: usize, mut work: impl FnMut()) {
    let mut batch = |rounds: u64| {
        for _ in 0..rounds {
            work();
        }
    };
    batch(1000);
    let (start, cpu) = (Instant::now(), usage::cpu_seconds());
    let before = ALLOCATIONS.load(Relaxed);
    let mut rounds = 0;
    while start.elapsed() < Duration::from_millis(300) {
        batch(1000);
        rounds += 1000;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), usage::cpu_seconds() - cpu);
    let (n, allocations) = ((rounds * ops as u64) as f64, ALLOCATIONS.load(Relaxed) - before);
    println!(
        "{{\"scenario\":\"codec\",\"seconds\":{seconds:.6},\"n\":{n},\"ns_per_op\":{:.3},\
         \"allocs_per_op\":{:.3},\"cpu_s\":{cpu:.6},\"peak_rss_kb\":{}}}",
        cpu * 1e9 / n,
        allocations as f64 / n,
        usage::status_kb("VmHWM:")
    );
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn varints(mut bytes: &[u8]) -> Vec<u64> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = decode::u64(bytes).unwrap();
        values.push(value);
        bytes = rest;
    }
    values
}

fn main() {
    let (mut op, mut input) = (String::new(), String::new());
    for arg in std::env::args().skip(1) {
        match arg.split_once('=') {
            Some(("op", value)) => op = value.into(),
            Some(("input", value)) => input = value.into(),
            _ => {}
        }
    }
    let text = input.as_str();
    match op.as_str() {
        "multiaddr-text" => measure(1, || {
            black_box(black_box(text).parse::<Multiaddr>().unwrap());
        }),
        "multiaddr-binary" => {
            let bytes = unhex(text);
            measure(1, || {
                black_box(Multiaddr::try_from(black_box(&bytes).clone()).unwrap());
            });
        }
        "varint-decode" => {
            let bytes = unhex(text);
            measure(varints(&bytes).len(), || {
                let mut rest = black_box(&bytes[..]);
                while !rest.is_empty() {
                    let (value, after) = decode::u64(rest).unwrap();
                    black_box(value);
                    rest = after;
                }
            });
        }
        "varint-encode" => {
            let values = varints(&unhex(text));
            measure(values.len(), || {
                let mut buffer = encode::u64_buffer();
                for &value in black_box(&values) {
                    black_box(encode::u64(value, &mut buffer));
                }
            });
        }
        "peer-id-parse" => measure(1, || {
            black_box(black_box(text).parse::<PeerId>().unwrap());
        }),
        "peer-id-print" => {
            let id: PeerId = text.parse().unwrap();
            measure(1, || {
                black_box(black_box(&id).to_string());
            });
        }
        "protobuf" => {
            let bytes = unhex(text);
            measure(1, || {
                black_box(Identify::decode(black_box(&bytes[..])).unwrap());
            });
        }
        "identify" => {
            let bytes = unhex(text);
            measure(1, || {
                let message = Identify::decode(black_box(&bytes[..])).unwrap();
                for address in message.listen_addrs.into_iter().chain(message.observed_addr) {
                    black_box(Multiaddr::try_from(address).unwrap());
                }
                black_box((message.protocols, message.public_key, message.signed_peer_record));
            });
        }
        _ => {
            eprintln!("bench: no such operation");
            process::exit(2);
        }
    }
}
