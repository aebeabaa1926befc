//! The `slicewise` program: reads the command line, runs the command, reports errors.
//!
//! All of it is in the library's `cli`; here are only the error and the exit code.

use slicewise::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match cli::command_line() {
        Ok(command) => command,
        Err(code) => return code,
    };
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}
