//! The workloads, as in ../../workload.h.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    Options,
    stack::{Reader, Session, Stack, Writer},
    usage::{cpu_seconds, status_kb},
};

const HEADER_BYTES: usize = 16;
const CHUNK_BYTES: usize = 256 << 10;
const LAST: u64 = 1 << 63;
static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

fn header(up: u64, down: u64, last: bool) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..8].copy_from_slice(&(up | if last { LAST } else { 0 }).to_be_bytes());
    out[8..].copy_from_slice(&down.to_be_bytes());
    out
}

/// A header and its bytes; `size` counts both.
fn whole_message(size: u64, down: u64, last: bool) -> Bytes {
    let up = size.saturating_sub(HEADER_BYTES as u64);
    let mut out = header(up, down, last).to_vec();
    out.resize(HEADER_BYTES + up as usize, 0);
    out.into()
}

async fn write_zeros(writer: &mut Writer, mut left: u64) -> io::Result<()> {
    while left != 0 {
        let n = left.min(CHUNK_BYTES as u64);
        writer.write(Bytes::from_static(&ZEROS[..n as usize])).await?;
        left -= n;
    }
    Ok(())
}

async fn skip(reader: &mut Reader, mut left: u64) -> io::Result<()> {
    while left != 0 {
        let n = reader.read(left.min(usize::MAX as u64) as usize, |_| ()).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= n as u64;
    }
    Ok(())
}

/// Serves one inbound stream.
pub async fn respond(mut reader: Reader, mut writer: Writer) -> io::Result<()> {
    loop {
        let mut head = Vec::with_capacity(HEADER_BYTES);
        while head.len() < HEADER_BYTES {
            let room = HEADER_BYTES - head.len();
            if reader.read(room, |bytes| head.extend_from_slice(bytes)).await? == 0 {
                return writer.finish().await;
            }
        }
        let number = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().unwrap());
        skip(&mut reader, number(0) & !LAST).await?;
        write_zeros(&mut writer, number(8)).await?;
        if number(0) & LAST != 0 {
            writer.finish().await?;
            // A stream that is dropped before its end has been read tells the peer to stop.
            return reader.read(1, |_| ()).await.map(|_| ());
        }
        writer.flush().await?;
    }
}

/// One message on a stream of its own: how long it took.
async fn exchange(session: &Session, up: u64, down: u64) -> Result<Duration, String> {
    let start = Instant::now();
    let (mut reader, mut writer) = session.open().await?;
    let work = async {
        writer.write(Bytes::copy_from_slice(&header(up, down, true))).await?;
        write_zeros(&mut writer, up).await?;
        writer.finish().await?;
        skip(&mut reader, down).await
    };
    work.await.map_err(|error| error.to_string())?;
    Ok(start.elapsed())
}

/// The same in one piece.
async fn request(session: &Session, message: Bytes, down: u64) -> Result<Duration, String> {
    let start = Instant::now();
    let (mut reader, mut writer) = session.open().await?;
    let work = async {
        writer.write(message).await?;
        writer.finish().await?;
        skip(&mut reader, down).await
    };
    work.await.map_err(|error| error.to_string())?;
    Ok(start.elapsed())
}

/// What is measured: time and CPU between start() and report().
struct Meter(Instant, f64);

impl Meter {
    fn start() -> Meter {
        Meter(Instant::now(), cpu_seconds())
    }
    fn report(self, scenario: &str, metrics: impl FnOnce(f64) -> String) {
        let seconds = self.0.elapsed().as_secs_f64();
        let cpu = cpu_seconds() - self.1;
        println!(
            "{{\"scenario\":\"{scenario}\",\"seconds\":{seconds:.6},{},\"cpu_s\":{cpu:.6},\"peak_rss_kb\":{}}}",
            metrics(seconds),
            status_kb("VmHWM:")
        );
    }
}

fn latency(mut values: Vec<Duration>, unit: f64, name: &str) -> String {
    values.sort();
    let at = |p: f64| values[(p * (values.len() - 1) as f64 + 0.5) as usize].as_secs_f64() * unit;
    format!(
        "\"p50_{name}\":{:.3},\"p99_{name}\":{:.3},\"p999_{name}\":{:.3},\"max_{name}\":{:.3}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}

async fn connections(stack: &Stack, remote: &str, count: usize) -> Result<Vec<Session>, String> {
    let dials = futures::stream::iter(0..count).map(|_| stack.dial(remote)).buffer_unordered(32);
    dials.collect::<Vec<_>>().await.into_iter().collect()
}

pub async fn run(remote: &str, scenario: &str, options: &Options) -> Result<(), String> {
    let stack = Arc::new(Stack::dialer(remote, options)?);
    match scenario {
        "upload" | "download" | "both" => bulk(&stack, remote, scenario, options).await,
        "request" => requests(&stack, remote, options).await,
        "pingpong" => pingpong(&stack, remote, options).await,
        "beside" => beside(&stack, remote, options).await,
        "connect" => connects(&stack, remote, options).await,
        "idle" => idle(&stack, remote, options).await,
        "idle-streams" => idle_streams(&stack, remote, options).await,
        _ => Err("no such scenario".into()),
    }
}

async fn bulk(stack: &Stack, remote: &str, scenario: &str, o: &Options) -> Result<(), String> {
    let (conns, streams) = (o.number("conns", 1), o.number("streams", 1));
    let share = (o.number("bytes", 1 << 30) / (conns * streams)).max(1);
    let sessions = connections(stack, remote, conns as usize).await?;
    let meter = Meter::start();
    let mut tasks = Vec::new();
    for i in 0..(conns * streams) as usize {
        let session = &sessions[i % conns as usize];
        for (up, down, wanted) in
            [(share, 1, scenario != "download"), (0, share, scenario != "upload")]
        {
            let session = session.clone();
            if wanted {
                tasks.push(tokio::spawn(async move { exchange(&session, up, down).await }));
            }
        }
    }
    let (mut sum, mut squares, count) = (0.0, 0.0, tasks.len() as f64);
    for task in tasks {
        let rate = share as f64 / task.await.map_err(|e| e.to_string())??.as_secs_f64();
        sum += rate;
        squares += rate * rate;
    }
    meter.report(scenario, |seconds| {
        let moved = share as f64 * count;
        let (rate, jain) = (moved * 8e-9 / seconds, sum * sum / (squares * count));
        format!("\"bytes\":{moved},\"gbit_s\":{rate:.4},\"jain\":{jain:.4}")
    });
    Ok(())
}

async fn requests(stack: &Stack, remote: &str, o: &Options) -> Result<(), String> {
    let (n, inflight) = (o.number("n", 100_000), o.number("inflight", 1));
    let down = o.number("size_down", 4000);
    let message = whole_message(o.number("size_up", 512), down, true);
    let session = connections(stack, remote, 1).await?.remove(0);
    batch(&session, &message, down, n.min(1000), inflight).await?;
    let meter = Meter::start();
    let latencies = batch(&session, &message, down, n, inflight).await?;
    meter.report("request", |seconds| {
        let rate = n as f64 / seconds;
        format!("\"n\":{n},\"req_s\":{rate:.1},{}", latency(latencies, 1e6, "us"))
    });
    Ok(())
}

async fn batch(
    session: &Session,
    message: &Bytes,
    down: u64,
    n: u64,
    inflight: u64,
) -> Result<Vec<Duration>, String> {
    let mut tasks = Vec::new();
    for i in 0..inflight {
        let (session, message) = (session.clone(), message.clone());
        let mine = n / inflight + u64::from(i < n % inflight);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::with_capacity(mine as usize);
            for _ in 0..mine {
                latencies.push(request(&session, message.clone(), down).await?);
            }
            Ok::<_, String>(latencies)
        }));
    }
    let mut all = Vec::with_capacity(n as usize);
    for task in tasks {
        all.append(&mut task.await.map_err(|e| e.to_string())??);
    }
    Ok(all)
}

/// A message there and back on a stream that is open: how long it took.
async fn ping(
    reader: &mut Reader,
    writer: &mut Writer,
    message: &Bytes,
    down: u64,
) -> Result<Duration, String> {
    let start = Instant::now();
    let work = async {
        writer.write(message.clone()).await?;
        writer.flush().await?;
        skip(reader, down).await
    };
    work.await.map_err(|error| error.to_string())?;
    Ok(start.elapsed())
}

async fn pingpong(stack: &Stack, remote: &str, o: &Options) -> Result<(), String> {
    let (n, size) = (o.number("n", 20_000), o.number("size", 64));
    let message = whole_message(size, size, false);
    let session = connections(stack, remote, 1).await?.remove(0);
    let (mut reader, mut writer) = session.open().await?;
    let warm_up = n.min(500);
    let mut meter = Meter::start();
    let mut latencies = Vec::with_capacity(n as usize);
    for i in 0..warm_up + n {
        if i == warm_up {
            latencies.clear();
            meter = Meter::start();
        }
        latencies.push(ping(&mut reader, &mut writer, &message, size).await?);
    }
    meter.report("pingpong", |seconds| {
        let rate = n as f64 / seconds;
        format!("\"n\":{n},\"req_s\":{rate:.1},{}", latency(latencies, 1e6, "us"))
    });
    Ok(())
}

async fn upload_without_end(mut writer: Writer, moved: Arc<AtomicU64>) -> io::Result<()> {
    writer.write(Bytes::copy_from_slice(&header(1 << 50, 1, true))).await?;
    loop {
        write_zeros(&mut writer, CHUNK_BYTES as u64).await?;
        moved.fetch_add(CHUNK_BYTES as u64, Relaxed);
    }
}

/// Messages there and back on one stream while another, of the same connection, uploads without end.
async fn beside(stack: &Stack, remote: &str, o: &Options) -> Result<(), String> {
    let (seconds, size) = (o.number("seconds", 3), o.number("size", 64));
    let message = whole_message(size, size, false);
    let session = connections(stack, remote, 1).await?.remove(0);
    let moved = Arc::new(AtomicU64::new(0));
    let (_unread, bulk) = session.open().await?;
    tokio::spawn(upload_without_end(bulk, moved.clone()));
    let (mut reader, mut writer) = session.open().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (meter, before) = (Meter::start(), moved.load(Relaxed));
    let mut latencies = Vec::new();
    while meter.0.elapsed() < Duration::from_secs(seconds) {
        latencies.push(ping(&mut reader, &mut writer, &message, size).await?);
    }
    let bytes = moved.load(Relaxed) - before;
    if bytes == 0 {
        return Err("the upload stood still".into());
    }
    meter.report("beside", |seconds| {
        let (rate, count) = (bytes as f64 * 8e-9 / seconds, latencies.len());
        let latency = latency(latencies, 1e6, "us");
        format!("\"gbit_s\":{rate:.4},\"pings\":{count},{latency}")
    });
    Ok(())
}

async fn connects(stack: &Arc<Stack>, remote: &str, o: &Options) -> Result<(), String> {
    let (n, inflight) = (o.number("n", 2000), o.number("inflight", 1));
    let message = whole_message(0, 1, true);
    let meter = Meter::start();
    let tasks: FuturesUnordered<_> = (0..inflight)
        .map(|i| {
            let (stack, message, remote) = (stack.clone(), message.clone(), remote.to_owned());
            let mine = n / inflight + u64::from(i < n % inflight);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for _ in 0..mine {
                    let start = Instant::now();
                    let session = stack.dial(&remote).await?;
                    request(&session, message.clone(), 1).await?;
                    latencies.push(start.elapsed());
                    session.close();
                }
                Ok::<_, String>(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>().await {
        latencies.append(&mut task.map_err(|e| e.to_string())??);
    }
    meter.report("connect", |seconds| {
        let rate = n as f64 / seconds;
        format!("\"n\":{n},\"conn_s\":{rate:.1},{}", latency(latencies, 1e3, "ms"))
    });
    tokio::time::sleep(Duration::from_millis(50)).await; // the last close still has to leave
    Ok(())
}

async fn idle(stack: &Stack, remote: &str, o: &Options) -> Result<(), String> {
    let conns = o.number("conns", 100);
    let _warm_up = connections(stack, remote, 1).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = status_kb("VmRSS:");
    let meter = Meter::start();
    let _sessions = connections(stack, remote, conns as usize).await?;
    tokio::time::sleep(Duration::from_secs(o.number("settle", 3))).await;
    let after = status_kb("VmRSS:");
    meter.report("idle", |_| {
        let each = (after - before) as f64 / conns as f64;
        format!(
            "\"conns\":{conns},\"rss_before_kb\":{before},\"rss_after_kb\":{after},\"kib_per_conn\":{each:.2}"
        )
    });
    let mut stdin = tokio::io::stdin();
    let _ = tokio::io::copy(&mut stdin, &mut tokio::io::sink()).await;
    Ok(())
}

/// Opens `conns` connections, says so, and after a line of stdin `streams` streams on each, which it
/// keeps.
async fn idle_streams(stack: &Stack, remote: &str, o: &Options) -> Result<(), String> {
    let (conns, streams) = (o.number("conns", 100), o.number("streams", 100));
    let settle = Duration::from_secs(o.number("settle", 3));
    let message = whole_message(0, 1, false);
    let sessions = connections(stack, remote, conns as usize).await?;
    tokio::time::sleep(settle).await;
    println!("{{\"event\":\"connected\"}}");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let _ = lines.next_line().await;
    let before = status_kb("VmRSS:");
    let meter = Meter::start();
    let mut open = Vec::new();
    for session in &sessions {
        for _ in 0..streams {
            let (mut reader, mut writer) = session.open().await?;
            ping(&mut reader, &mut writer, &message, 1).await?;
            open.push((reader, writer));
        }
    }
    tokio::time::sleep(settle).await;
    let after = status_kb("VmRSS:");
    meter.report("idle-streams", |_| {
        let all = conns * streams;
        let each = (after - before) as f64 * 1024.0 / all as f64;
        format!("\"streams\":{all},\"bytes_per_stream\":{each:.1}")
    });
    while let Ok(Some(_)) = lines.next_line().await {}
    Ok(())
}
