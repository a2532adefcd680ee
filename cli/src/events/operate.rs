//! `comptoir events replay` and `rebuild`.

use super::{
    connect::{System, explain},
    table::print,
};
use crate::signals;
use anyhow::bail;
use contracts::events::v1::{RebuildProgress, RebuildProjectionRequest, ReplayEventsRequest, rebuild_progress::Phase};
use std::time::{Duration, Instant};
use tonic::Request;

/// How long a replay may take.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(3600);

/// Pause between two lines about a rebuild.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

pub async fn replay(system: &System, consumer: &str, source: &str, from: i64) -> anyhow::Result<()> {
    system.chosen(&[source.to_owned()])?;
    let mut request = Request::new(ReplayEventsRequest { source: source.to_owned(), from_log_sequence: from });
    request.set_timeout(REPLAY_TIMEOUT);
    let answer = system.client(consumer).await?.replay_events(request).await;
    let replayed = answer.map_err(|status| explain(consumer, &status))?.into_inner().replayed;
    print(&format!("{consumer} reads {replayed} events of {source} again\n"))
}

pub async fn rebuild(system: &System, service: &str) -> anyhow::Result<()> {
    let stop = signals::shutdown()?;
    let began = Instant::now();
    let mut client = system.client(service).await?;
    let answer = client.rebuild_projection(RebuildProjectionRequest {}).await;
    let mut reports = answer.map_err(|status| explain(service, &status))?.into_inner();
    let (mut shown, mut shown_at) = (Phase::Unspecified, None::<Instant>);
    loop {
        let report = tokio::select! {
            report = reports.message() => report.map_err(|status| explain(service, &status))?,
            // Dropping the stream ends the rebuild at the service.
            () = stop.cancelled() => bail!("interrupted; the old read model stays in use"),
        };
        let Some(report) = report else { bail!("{service} ended the rebuild without a word; look at its log") };
        let is_due = shown_at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        match report.phase() {
            Phase::Done => return done(&report, began.elapsed()),
            phase if phase != shown || is_due => {
                print(&format!("{:<11} {} events\n", word(phase), report.applied))?;
                (shown, shown_at) = (phase, Some(Instant::now()));
            }
            Phase::Unspecified | Phase::Reading | Phase::CatchingUp => {}
        }
    }
}

fn done(report: &RebuildProgress, took: Duration) -> anyhow::Result<()> {
    let verdict = if report.old_hash == report.new_hash {
        "the same as the old one"
    } else {
        "not the same as the old one: that one was not what its events say"
    };
    print(&format!(
        "done        {} events in {:.1} s\nold hash    {}\nnew hash    {}\nThe new read model is in use; it is {verdict}.\n",
        report.applied,
        took.as_secs_f64(),
        report.old_hash,
        report.new_hash,
    ))
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Unspecified => "starting",
        Phase::Reading => "reading",
        Phase::CatchingUp => "catching up",
        Phase::Done => "done",
    }
}
