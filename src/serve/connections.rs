//! Connections: so many at once, none for ever.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Connections at once; more wait until one ends.
const AT_ONCE: usize = 512;

/// The head of a request comes within this time, or the connection ends; so does one that asks nothing.
const HEAD: Duration = Duration::from_secs(15);

/// The longest a connection lasts: nobody holds one by reading slowly.
const LONGEST: Duration = Duration::from_secs(300);

/// After an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves each connection that is made.
pub(super) async fn accept(listener: std::net::TcpListener, routes: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(32 << 10);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // How it ended is the client's affair.
            let _ = tokio::time::timeout(LONGEST, connection).await;
            drop(place);
        });
    }
}
