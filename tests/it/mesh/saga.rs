//! mesh/saga: the runner on a paused clock.

mod runner;
mod world;
