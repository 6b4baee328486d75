//! Connections: accepting them, ending those that take too long, and ending all
//! of them in good order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tower::ServiceExt as _;

use crate::gate::patient::Patient;
use crate::gate::{Gate, Reason, routes};

/// Bytes of a connection's buffers, and so of a request's header.
const BUFFER_BYTES: usize = 64 << 10;

/// How long to wait when the system has no descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Gate {
    /// Serves until the first message of `ends`, and then until what is in
    /// progress has ended, or the second message, or the time to drain is over.
    /// Meanwhile `/readyz` tells that nothing new is taken.
    ///
    /// # Errors
    /// When the listener can't be used, or everybody is let in who can reach it
    /// from elsewhere.
    pub async fn serve(self, listener: std::net::TcpListener, mut ends: mpsc::Receiver<()>) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        if self.config.tokens.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(io::Error::other("tokens are needed where others than this machine can ask: --tokens FILE"));
        }
        let gate = Arc::new(self);
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(gate.config.connections));
        let scheme = if gate.config.tls.is_some() { "https" } else { "http" };
        gate.log.event(
            "listening",
            &[
                ("address", format!("{scheme}://{address}").into()),
                ("ruleset", gate.rules.digest().into()),
                ("sandbox", gate.sandbox().to_string().into()),
            ],
        );
        tokio::select! {
            () = gate.accept(&listener, &room, &graceful) => {}
            Some(()) = ends.recv() => {}
        }
        gate.draining.store(true, Ordering::Relaxed);
        gate.log.event("draining", &[]);
        let all = u32::try_from(gate.config.queue).unwrap_or(u32::MAX);
        let ended = tokio::select! {
            () = gate.accept(&listener, &room, &graceful) => false,
            done = gate.places.acquire_many(all) => done.is_ok(),
            () = tokio::time::sleep(gate.config.drain) => false,
            Some(()) = ends.recv() => false,
        };
        drop(listener);
        if ended {
            // Answers that are ready still go out.
            let _ = tokio::time::timeout(gate.config.silence, graceful.shutdown()).await;
        }
        gate.log.event("ended", &[("complete", ended.into())]);
        Ok(())
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener, room: &Arc<Semaphore>, graceful: &GracefulShutdown) {
        let router = routes::router(Arc::clone(self));
        loop {
            let Ok(permit) = Arc::clone(room).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (gate, router, watcher) = (Arc::clone(self), router.clone(), graceful.watcher());
                    tokio::spawn(async move { gate.connection(stream, peer, router, watcher, permit).await });
                }
                // The peer has gone already, or there are no descriptors.
                Err(error) => {
                    self.log.event("accept", &[("message", error.to_string().into())]);
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        router: axum::Router,
        watcher: Watcher,
        permit: OwnedSemaphorePermit,
    ) {
        // Small answers go at once; without it they only go later.
        let _ = stream.set_nodelay(true);
        let silence = self.config.silence;
        let stream = Patient::new(stream, silence);
        match &self.config.tls {
            None => http(stream, peer, router, watcher, silence).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(silence, tls.acceptor().accept(stream)).await {
                    http(stream, peer, router, watcher, silence).await;
                }
            }
        }
        drop(permit);
    }
}

/// Serves one connection to its end, whatever that is: what matters of it is in
/// the log by its requests.
async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: axum::Router,
    watcher: Watcher,
    silence: Duration,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let response = router.oneshot(request).await;
            Ok::<_, Infallible>(response.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(silence)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let _ = watcher.watch(connection).await;
}

/// The word by which the metrics count a request whose client went away.
pub(super) const GONE: &str = "client-gone";

/// The word for what is neither allowed nor refused.
pub(super) fn outcome(reason: Option<Reason>) -> &'static str {
    reason.map_or("served", Reason::name)
}
