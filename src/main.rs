//! The `chatmai` binary: reads the command line and the configuration, does what is asked, and ends with 0 (done),
//! 1 (it failed) or 2 (bad usage or configuration).
mod actions;
mod cli;
mod commands;
mod config;
mod control;
mod demo;
mod logging;
mod node;
mod output;
mod process;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, and go to stdout with 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Err(error) = process::harden() {
        eprintln!("chatmai: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("chatmai: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(actions::run(cli));
    // Whatever still blocks a thread, such as a read of stdin, does not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chatmai: {error}");
            if error.usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
