//! Plain streams: a behaviour that opens streams on a given connection and gives each inbound stream
//! to the task that serves its protocol. From ../../../interop/rust, where a peer has one connection.
//!
//! Not libp2p-stream, because that hands inbound streams over through a channel with one place and
//! drops a stream that arrives while the place is taken, and negotiates outbound streams one after
//! the other.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo, transport::PortUse},
    swarm::{
        self, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NotifyHandler, SubstreamProtocol, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use tokio::sync::{mpsc, oneshot};

/// A protocol and what serves one inbound stream of it.
pub type Served = (StreamProtocol, fn(Stream) -> Pin<Box<dyn Future<Output = ()> + Send>>);

/// Control opens streams from outside of the swarm.
#[derive(Clone)]
pub struct Control(mpsc::UnboundedSender<(PeerId, ConnectionId, OpenRequest)>);

impl Control {
    /// Opens a stream on a connection and negotiates the protocol.
    pub async fn open(
        &self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
    ) -> Result<Stream, String> {
        let (reply, outcome) = oneshot::channel();
        let _ = self.0.send((peer, connection, OpenRequest { protocol, reply }));
        outcome.await.unwrap_or_else(|_| Err("the connection has closed".into()))
    }
}

#[derive(Debug)]
pub struct OpenRequest {
    protocol: StreamProtocol,
    reply: oneshot::Sender<Result<Stream, String>>,
}

pub struct Behaviour {
    served: Arc<[Served]>,
    requests: mpsc::UnboundedReceiver<(PeerId, ConnectionId, OpenRequest)>,
}

/// Makes the behaviour and the control that opens streams through it.
pub fn new(served: Vec<Served>) -> (Behaviour, Control) {
    let (control, requests) = mpsc::unbounded_channel();
    (Behaviour { served: served.into(), requests }, Control(control))
}

impl swarm::NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler { served: self.served.clone(), requests: Vec::new() })
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler { served: self.served.clone(), requests: Vec::new() })
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, OpenRequest>> {
        match self.requests.poll_recv(cx) {
            Poll::Ready(Some((peer_id, connection, event))) => {
                let handler = NotifyHandler::One(connection);
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
            }
            _ => Poll::Pending,
        }
    }
}

pub struct Handler {
    served: Arc<[Served]>,
    requests: Vec<OpenRequest>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = OpenRequest;
    type ToBehaviour = Infallible;
    type InboundProtocol = AnyOf;
    type OutboundProtocol = AnyOf;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenRequest;

    fn listen_protocol(&self) -> SubstreamProtocol<AnyOf> {
        SubstreamProtocol::new(AnyOf(self.served.iter().map(|(id, _)| id.clone()).collect()), ())
    }

    fn on_behaviour_event(&mut self, request: OpenRequest) {
        self.requests.push(request);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<AnyOf, OpenRequest, Infallible>> {
        // No waker is kept: requests come in by on_behaviour_event, after which the connection
        // polls anyway.
        match self.requests.pop() {
            Some(request) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(AnyOf(vec![request.protocol.clone()]), request),
            }),
            None => Poll::Pending,
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<AnyOf, AnyOf, (), OpenRequest>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, id),
                ..
            }) => {
                if let Some((_, serve)) = self.served.iter().find(|(served, _)| *served == id) {
                    tokio::spawn(serve(stream));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info,
            }) => {
                let _ = info.reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let _ = info.reply.send(Err(error.to_string()));
            }
            _ => {}
        }
    }
}

/// An upgrade that gives the stream itself and the protocol that was negotiated.
pub struct AnyOf(Vec<StreamProtocol>);

impl UpgradeInfo for AnyOf {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, id: StreamProtocol) -> Self::Future {
        ready(Ok((stream, id)))
    }
}

impl OutboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, id: StreamProtocol) -> Self::Future {
        ready(Ok((stream, id)))
    }
}
