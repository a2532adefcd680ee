//! `comptoir events tail`: one task per service reads its stream, one loop merges and prints.

use super::{
    connect::{System, explain},
    json::{Decoder, Output},
    merge::Merge,
    since::Since,
    subject::{self, Pattern},
};
use crate::signals;
use contracts::events::v1::{Event, GetLagRequest, TailEventsRequest};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::Code;

/// Events on their way from the tasks to the loop.
const QUEUE: usize = 256;

/// Pause between two looks at the events that wait.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Pause before a broken stream is opened again.
const REOPEN_DELAY: Duration = Duration::from_secs(1);

pub struct Wanted {
    pub subject: Pattern,
    /// From here on; from now on when none.
    pub since: Option<Since>,
    /// Only of these publishers; all when empty.
    pub services: Vec<String>,
}

/// Prints until Ctrl-C, or until the reader has gone.
pub async fn run(system: &System, wanted: Wanted, output: Output) -> anyhow::Result<()> {
    let stop = signals::shutdown()?;
    let decoder = Decoder::new()?;
    let services = system.chosen(&wanted.services)?;
    let (sender, mut received) = mpsc::channel(QUEUE);
    let mut tasks = Vec::new();
    for service in &services {
        tasks.push(follow(system, service, wanted.since, sender.clone()));
    }
    drop(sender);
    let mut following = futures::future::select_all(tasks.into_iter().map(Box::pin));
    let mut merge = Merge::new(&services, Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            (ended, ..) = &mut following => return ended,
            event = received.recv() => if let Some(event) = event { merge.push(event, Instant::now()) },
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        while let Some(event) = merge.pop(Instant::now()) {
            if wanted.subject.matches(&subject::of(&event)) && !output.line(&decoder.event(&event))? {
                return Ok(());
            }
        }
    }
}

/// Sends the events of one service; opens its stream again when it breaks. Ends with an error that will not go away.
async fn follow(
    system: &System,
    service: &str,
    since: Option<Since>,
    events: mpsc::Sender<Event>,
) -> anyhow::Result<()> {
    let mut client = system.client(service).await?;
    // The end of the log as a number, so that nothing is missed when the stream breaks before its first event.
    let lag = client.get_lag(GetLagRequest {}).await.map_err(|status| explain(service, &status))?.into_inner();
    let mut request = TailEventsRequest { after_log_sequence: lag.logged, since: since.map(Since::to_wire) };
    loop {
        let mut broken = match client.tail_events(request).await {
            Ok(stream) => {
                let mut stream = stream.into_inner();
                loop {
                    match stream.message().await {
                        Ok(Some(event)) => {
                            request = TailEventsRequest { after_log_sequence: event.log_sequence, since: None };
                            if events.send(event).await.is_err() {
                                return Ok(());
                            }
                        }
                        Ok(None) => break None,
                        Err(status) => break Some(status),
                    }
                }
            }
            Err(status) => Some(status),
        };
        if let Some(status) = broken.take_if(|status| is_lasting(status.code())) {
            return Err(explain(service, &status));
        }
        eprintln!("comptoir: the events of {service} broke off; they go on when it answers again");
        client = loop {
            tokio::time::sleep(REOPEN_DELAY).await;
            if let Ok(client) = system.client(service).await {
                break client;
            }
        };
    }
}

fn is_lasting(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument | Code::Unimplemented)
}
