//! The binary: parse, run, turn the outcome into an exit code.

use clap::Parser;
use comptoir::{
    EXIT_USAGE, Environment,
    args::{Cli, Command},
    check, config, dev, docs, events, gateway, healthcheck, payments, products, saga, secrets, serve, verify,
};
use rustix::process::{Resource, Rlimit};
use std::process::ExitCode;

/// The services make and drop many small documents and messages; with glibc's allocator that was a quarter of their CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, of which a service under load fills less than half.
    let _ = rustix::thread::disable_transparent_huge_pages(true); // with them it works as well
    raise_open_files();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to tell it to when the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match run(cli, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comptoir: {error:#}");
            let usage = error.downcast_ref::<::settings::Error>().is_some();
            if usage { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// Takes as many open files as the system allows: the usual 1024 are fewer than a port may have connections.
fn raise_open_files() {
    let allowed = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: allowed.maximum, ..allowed };
    let _ = rustix::process::setrlimit(Resource::Nofile, raised); // with fewer it works as well
}

fn run(cli: Cli, environment: &Environment) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Dev(options) => dev::run(options, environment).await,
            Command::Serve(options) => serve::run(options, environment).await,
            Command::Config(options) => config::run(options, environment),
            Command::Healthcheck(options) => healthcheck::run(options).await,
            Command::Events(options) => events::run(options, environment).await,
            Command::Gateway(options) => gateway::run(options).await,
            Command::Saga(options) => saga::run(options, environment).await,
            Command::Products(options) => products::run(options, environment).await,
            Command::Payments(options) => payments::run(options, environment).await,
            Command::Verify(options) => verify::run(options, environment).await,
            Command::Check(options) => check::run(options, environment).await,
            Command::Secrets(options) => secrets::run(options),
            Command::Docs(options) => docs::run(options),
        }
    })
}
