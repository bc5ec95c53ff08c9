//! TCP and WebSocket: a byte pipe, secured by TLS or Noise, multiplexed by yamux.

use std::{error::Error, io};

use futures::{
    AsyncRead, AsyncWrite, FutureExt, TryFutureExt,
    future::{BoxFuture, Either},
};
use libp2p::{
    PeerId, Transport,
    core::{
        UpgradeInfo,
        muxing::StreamMuxerBox,
        transport::Boxed,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, Version},
    },
    identity::Keypair,
    noise, tcp, tls, yamux,
};
use libp2p_websocket as websocket;

/// What can secure a connection, the preferred one first: multistream-select names.
pub const SECURITY: [&str; 2] = ["/tls/1.0.0", "/noise"];

/// Makes the transport for addresses with /tcp and /tcp/../ws that offers these of `SECURITY`.
pub fn transport(
    key: &Keypair,
    security: &[&'static str],
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn Error + Send + Sync>> {
    let security = Security {
        offered: security.to_vec(),
        tls: tls::Config::new(key)?,
        noise: noise::Config::new(key)?,
    };
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default());
    Ok(websocket::Config::new(tcp())
        .or_transport(tcp())
        .upgrade(Version::V1Lazy)
        .authenticate(security)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// Security is TLS, Noise or both, as chosen by multistream-select. libp2p has the same for both, but
/// only inside of its builder, where the choice would be one of types.
#[derive(Clone)]
struct Security {
    offered: Vec<&'static str>,
    tls: tls::Config,
    noise: noise::Config,
}

type Secured<C> = (PeerId, Either<tls::TlsStream<C>, noise::Output<C>>);

impl UpgradeInfo for Security {
    type Info = &'static str;
    type InfoIter = std::vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.offered.clone().into_iter()
    }
}

impl<C> InboundConnectionUpgrade<C> for Security
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_inbound(self, pipe: C, name: &'static str) -> Self::Future {
        if name == "/noise" {
            noised(self.noise.upgrade_inbound(pipe, name))
        } else {
            tlsed(self.tls.upgrade_inbound(pipe, name))
        }
    }
}

impl<C> OutboundConnectionUpgrade<C> for Security
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_outbound(self, pipe: C, name: &'static str) -> Self::Future {
        if name == "/noise" {
            noised(self.noise.upgrade_outbound(pipe, name))
        } else {
            tlsed(self.tls.upgrade_outbound(pipe, name))
        }
    }
}

fn noised<C: 'static>(
    upgrade: impl Future<Output = Result<(PeerId, noise::Output<C>), noise::Error>> + Send + 'static,
) -> BoxFuture<'static, io::Result<Secured<C>>> {
    upgrade.map_ok(|(peer, pipe)| (peer, Either::Right(pipe))).map_err(io::Error::other).boxed()
}

fn tlsed<C: 'static>(
    upgrade: impl Future<Output = Result<(PeerId, tls::TlsStream<C>), tls::UpgradeError>>
    + Send
    + 'static,
) -> BoxFuture<'static, io::Result<Secured<C>>> {
    upgrade.map_ok(|(peer, pipe)| (peer, Either::Left(pipe))).map_err(io::Error::other).boxed()
}
