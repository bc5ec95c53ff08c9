//! TCP and WebSocket: a byte pipe, secured by TLS or Noise, multiplexed by yamux.

use std::{error::Error, fs, io};

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
use libp2p_websocket::{self as websocket, tls as web};

use crate::Options;

/// What can secure a connection, the preferred one first: multistream-select names.
pub const SECURITY: [&str; 2] = ["/tls/1.0.0", "/noise"];

/// Makes the transport for addresses with /tcp, /tcp/../ws and /tcp/../tls/ws.
pub fn transport(
    key: &Keypair,
    options: &Options,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn Error + Send + Sync>> {
    let security = Security {
        offered: options.security.clone(),
        tls: tls::Config::new(key)?,
        noise: noise::Config::new(key)?,
    };
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default());
    let mut websocket = websocket::Config::new(tcp());
    websocket.set_tls_config(web_tls(options)?);
    Ok(websocket
        .or_transport(tcp())
        .upgrade(Version::V1Lazy)
        .authenticate(security)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// TLS of the web: we show a new self-signed certificate for 127.0.0.1 and verify others', by the
/// roots of the web and the certificate given as --trust.
fn web_tls(options: &Options) -> Result<web::Config, Box<dyn Error + Send + Sync>> {
    let names = ["127.0.0.1".into(), "localhost".into()];
    let own = rcgen::generate_simple_self_signed(names)?;
    let mut tls = web::Config::builder();
    tls.server(
        web::PrivateKey::new(own.key_pair.serialize_der()),
        [web::Certificate::new(own.cert.der().to_vec())],
    )?;
    if let Some(file) = &options.trust {
        tls.add_trust(&web::Certificate::new(pem::parse(fs::read(file)?)?.into_contents()))?;
    }
    Ok(tls.finish())
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
