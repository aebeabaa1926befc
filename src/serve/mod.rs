//! Floor 8: the local page of `slicewise serve`: a small HTTP server on the loopback interface, and the
//! files of the page.
//!
//! ```text
//!  connections ─► guard ─► routes ─┬─► files of the page
//!                                  └─► answers (explore) ─► server-sent events
//! ```
//!
//! It can be reached from this machine only, and only by pages that it served itself; what it reads of the
//! disk is the folder that it was given.

mod answers;
mod connections;
mod folder;
mod guard;
mod page;
mod routes;
mod told;

pub use folder::Folder;

use crate::config::{Catalogue, LoadOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

/// What is served.
pub struct Server {
    listener: TcpListener,
    state: Arc<State>,
}

/// What all requests share.
struct State {
    options: LoadOptions,
    folder: Option<Folder>,
    port: u16,
    answers: answers::Room,
}

impl Server {
    /// Binds a port of the loopback interface; 0 is any that is free. Errors when it cannot be had.
    pub fn bind(port: u16, catalogue: Catalogue, folder: Option<Folder>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let state = State {
            options: LoadOptions::new(catalogue),
            folder,
            port,
            answers: answers::Room::new(),
        };
        Ok(Self { listener, state: Arc::new(state) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.state.port))
    }

    /// Answers requests until the process ends. Errors when the system gives it no threads or sockets.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(answers::THREADS)
            .build()?;
        runtime.block_on(connections::accept(self.listener, routes::of(self.state)))
    }
}
