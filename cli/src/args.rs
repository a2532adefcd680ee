//! The command line: one variant for each command; the options of a command are declared in its module.

use clap::{Parser, Subcommand};

/// A commerce backend: gRPC services, MongoDB, NATS JetStream, and a JSON gateway in front.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system on this machine
    ///
    /// Starts mongod and nats-server as children, all services and the gateway in this process, seeds a small shop on
    /// the first start, and prints how to place the first order. Ctrl-C drains and stops everything.
    Dev(crate::dev::Options),
    /// Run one service, the gateway, or the sandbox payment provider, alone
    ///
    /// A flag wins over its variable, a variable over the default. A COMPTOIR_* variable that does not exist, or a value
    /// that cannot be used, ends the process with code 64 and one line that names it. `comptoir config` shows the
    /// outcome. The variables OTEL_EXPORTER_OTLP_ENDPOINT (traces) and COMPTOIR_LOG (filter, default "info") count for
    /// every command.
    Serve(crate::serve::Options),
    /// Print the effective configuration of a service or of the gateway, with secrets redacted
    Config(crate::config::Options),
    /// Ask a running service or gateway whether it is ready; exits with 0 when it is, 1 when not
    Healthcheck(crate::healthcheck::Options),
    /// See and move events: what is published, who is behind, what could not be applied
    Events(crate::events::Options),
    /// See what the gateway answers to, and how it reads one request
    Gateway(crate::gateway::Options),
    /// See and repair the sagas that move orders: what they wait for, why they are parked
    Saga(crate::saga::Options),
    /// Bring a catalogue in from a file, and write it into one
    Products(crate::products::Options),
    /// Compare the payments with what their provider reports
    Payments(crate::payments::Options),
    /// Check that a running system is what it promises to be; reads only
    ///
    /// Compares what the services have stored: stock with its ledger and its reservations, orders with their sagas
    /// and baskets, payments, shipments, rows of order-history and facts of analytics, mails and webhooks with the events that
    /// ask for them, the audit trail with the logs, logs with streams. Safe and exact on a system at work: documents are read in snapshots, and what looks wrong is
    /// looked at again until it is gone or certain. Prints one line for each invariant. Ends with 1 when something does not hold, and names each violation: what it is about, what was expected,
    /// what is there.
    Verify(crate::verify::Options),
    /// Do what a customer does, on a running system: sign in, order, wait until it is confirmed, cancel
    ///
    /// Needs the gateway alone. Ends with 1 at the first step that fails, and says why. It leaves a cancelled order; with
    /// --user-token-key-file also an account, and the product COMPTOIR-CHECK.
    Check(crate::check::Options),
    /// Make the keys and passwords of an installation, as files for Kubernetes Secrets
    ///
    /// keys/, mongodb/, nats/ and payment-provider/ become the Secrets that the chart's values name; see
    /// helm/comptoir/README.md. What is there is kept, so run it again for a service that is new. Keep the directory: it is
    /// the only copy.
    Secrets(crate::secrets::Options),
    /// Print a document that is generated from the contracts and the topology
    #[command(hide = true)]
    Docs(crate::docs::Options),
}
