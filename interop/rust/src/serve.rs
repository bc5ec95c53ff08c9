//! The protocols that the peer serves. identify is libp2p's own.

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::{Stream, StreamProtocol};

use crate::{node::Ping, streams::Served};

pub const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");
pub const ECHO: StreamProtocol = StreamProtocol::new("/kith/echo/1.0.0");
pub const SINK: StreamProtocol = StreamProtocol::new("/kith/sink/1.0.0");
pub const RESET: StreamProtocol = StreamProtocol::new("/kith/reset/1.0.0");
pub const NO_SUCH: StreamProtocol = StreamProtocol::new("/kith/no-such-protocol/1.0.0");

pub const BUFFER_BYTES: usize = 64 << 10;
pub const PING_BYTES: usize = 32;

/// All that is served on plain streams.
pub fn protocols(ping: Ping) -> Vec<Served> {
    let mut served: Vec<Served> = vec![
        (ECHO, |stream| echo(stream, BUFFER_BYTES).boxed()),
        (SINK, |stream| sink(stream).boxed()),
        (RESET, |stream| reset(stream).boxed()),
    ];
    if ping == Ping::Own {
        // A ping is answered by sending it back, so that echo with a small buffer is a responder.
        served.push((PING, |mut stream| {
            stream.ignore_for_keep_alive();
            echo(stream, PING_BYTES).boxed()
        }));
    }
    served
}

/// Sends back what it reads, one buffer at a time, and ends its side after the remote ended the
/// other. On an error the stream is dropped.
async fn echo(mut stream: Stream, buffer_bytes: usize) {
    let mut buffer = vec![0; buffer_bytes];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            let _ = stream.close().await;
            return;
        }
        if stream.write_all(&buffer[..n]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Reads to the end, then ends its side without having sent anything.
async fn sink(mut stream: Stream) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            let _ = stream.close().await;
            return;
        }
    }
}

/// Drops the stream once the first byte has arrived. rust-libp2p has no way to reset a stream: over
/// QUIC a drop ends our side cleanly and asks the remote to stop sending.
async fn reset(mut stream: Stream) {
    let _ = stream.read(&mut [0]).await;
}
