//! mesh/saga: the runner on a paused clock.

mod fake_cluster;
mod runner;
