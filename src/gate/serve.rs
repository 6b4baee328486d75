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

/// What an operator tells a gate that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// To end: at first in good order, the second time at once.
    End,
    /// To read tokens and certificates again.
    Reload,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

impl Gate {
    /// Serves until `words` has the first [`Word::End`], and then until what is
    /// in progress has ended, or the second, or the time to drain is over.
    /// Meanwhile `/readyz` tells that nothing new is taken.
    ///
    /// # Errors
    /// When the listener can't be used, or everybody is let in who can reach it
    /// from elsewhere.
    pub async fn serve(self, listener: std::net::TcpListener, mut words: mpsc::Receiver<Word>) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        if self.access().tokens.is_none() && !address.ip().to_canonical().is_loopback() {
            return Err(io::Error::other("tokens are needed where others than this machine can ask: --tokens FILE"));
        }
        let gate = Arc::new(self);
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(gate.config.connections));
        let scheme = if gate.access().tls.is_some() { "https" } else { "http" };
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
            () = gate.until_told(&mut words) => {}
        }
        gate.draining.store(true, Ordering::Relaxed);
        gate.log.event("draining", &[]);
        let all = u32::try_from(gate.config.queue).unwrap_or(u32::MAX);
        let ended = tokio::select! {
            () = gate.accept(&listener, &room, &graceful) => false,
            done = gate.places.acquire_many(all) => done.is_ok(),
            () = tokio::time::sleep(gate.config.drain) => false,
            () = gate.until_told(&mut words) => false,
        };
        drop(listener);
        if ended {
            // Answers that are ready still go out.
            let _ = tokio::time::timeout(gate.config.silence, graceful.shutdown()).await;
        }
        gate.log.event("ended", &[("complete", ended.into())]);
        Ok(())
    }

    /// Waits for the word to end, and does as the others say.
    async fn until_told(&self, words: &mut mpsc::Receiver<Word>) {
        loop {
            match words.recv().await {
                Some(Word::End) => return,
                Some(Word::Reload) => self.reload(),
                // Nobody is left who could say it.
                None => std::future::pending().await,
            }
        }
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
        match &self.access().tls {
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
