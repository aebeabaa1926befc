//! `slicewise serve`: the local page.

use super::failure::Failure;
use super::output;
use crate::config::Catalogue;
use crate::serve::{Folder, Server};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `slicewise serve`.
#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    /// A folder of scenario files to choose from, beside the lessons
    folder: Option<PathBuf>,

    /// Port on 127.0.0.1 [default: one that is free]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Also open the page in the browser
    #[arg(long)]
    open: bool,
}

pub(super) const HELP: &str = "\
Only this machine can reach the page, and it needs nothing from anywhere. Ctrl-C ends it.

Examples:
  slicewise serve                  the lessons, at the address that is printed
  slicewise serve my-scenarios     also the scenario files of a folder
  slicewise serve --port 8080 --open";

/// Runs the command.
pub(super) fn run(arguments: &ServeArgs, configs: Option<&Path>) -> Result<(), Failure> {
    let catalogue = Catalogue::load(configs)?;
    let folder = arguments.folder.as_deref().map(Folder::open).transpose()?;
    let server = Server::bind(arguments.port.unwrap_or(0), catalogue, folder).map_err(|error| {
        let port = arguments.port.unwrap_or(0);
        anyhow::anyhow!("cannot listen on 127.0.0.1:{port}: {error}\n  = help: leave out --port, and a free one is taken")
    })?;
    let address = format!("http://{}/", server.address());
    output::data(&format!("{address}\n"))?;
    output::message("the page is there; Ctrl-C ends it");
    if arguments.open && open::that_detached(&address).is_err() {
        output::message("no browser could be started: open the address yourself");
    }
    Ok(server.run().map_err(anyhow::Error::from)?)
}
