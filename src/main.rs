//! The `slicewise` program: reads the command line, does what it says, tells how it went.
//!
//! All of it is in the library's `cli`; here are only the error and the exit code.

use clap::Parser;
use slicewise::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}
