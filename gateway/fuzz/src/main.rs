//! `make fuzz`: inputs of any kind for all that reads what callers send.
//!
//! `targets` are what is run on an input, and say what must hold of it beside that nothing panics. `engine` runs one on so
//! many inputs, which `mutate` makes of seeds and of all that reached something new, by `coverage`. `memory` bounds what an
//! input takes; an input that hangs ends the run. What breaks is kept in a file, and the command is printed that runs it again.
//!
//! The engine is our own: libFuzzer, which cargo-fuzz and bolero run where coverage is wanted, is C++ and would stand beside
//! another generator for `make test`. The counters of LLVM are in the stable compiler; `rustc`, beside this folder, puts them
//! into the crates that are fuzzed. In `make test` the same targets run without them, on a few of the same kind of inputs.

#![allow(clippy::print_stdout)] // it tells a person how far it is

mod coverage;
#[path = "../../transcode/src/tests/echo.rs"]
mod echo;
mod engine;
#[path = "../../transcode/src/tests/generate.rs"]
mod generate;
mod memory;
mod mutate;
mod target;
mod targets;
#[cfg(test)]
mod tests;
mod zoo;

use clap::Parser;
use engine::{Broken, Run};
use std::{path::PathBuf, process::ExitCode};
use target::Target;
use targets::TARGETS;

/// Runs targets on made inputs.
#[derive(Parser)]
struct Arguments {
    /// Targets; all when none is named.
    names: Vec<String>,
    /// How many inputs each target runs on.
    #[arg(long, default_value_t = 10_000_000)]
    inputs: u64,
    /// The same seed makes the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs one target on the input in this file.
    #[arg(long)]
    replay: Option<PathBuf>,
}

/// The stack of a thread that serves: recursion must do with it.
const STACK_BYTES: usize = 2 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || run(&arguments));
    thread.expect("a thread starts").join().unwrap_or(ExitCode::FAILURE)
}

fn run(arguments: &Arguments) -> ExitCode {
    let is_named =
        |target: &&Target| arguments.names.is_empty() || arguments.names.iter().any(|name| name == target.name);
    for target in TARGETS.iter().filter(is_named) {
        if let Some(file) = &arguments.replay {
            (target.run)(&std::fs::read(file).expect("the file can be read"));
            println!("{} holds on {}", target.name, file.display());
            continue;
        }
        let (inputs, seed) = (arguments.inputs, arguments.seed);
        match engine::run(target, Run { inputs, seed, is_told: true }) {
            Ok(found) => {
                engine::tell(target, &found);
                println!(
                    "{:<8} holds on {} inputs, seed {seed}, {:.0} s",
                    target.name,
                    found.inputs,
                    found.took.as_secs_f64()
                );
            }
            Err(Broken { file, input }) => {
                println!("{} breaks at input {input} of seed {seed}; run it again:", target.name);
                println!("  make fuzz ARGS=\"{} --replay {}\"", target.name, file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
