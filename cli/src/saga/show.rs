//! `comptoir saga show`.

use super::client::{ORDERS, client};
use crate::events::{
    connect::{System, explain, is_not_found},
    json::timestamp,
    table::{Table, print},
};
use anyhow::anyhow;
use contracts::orders::v1::{GetSagaRequest, Saga, SagaIntervention, SagaStep};
use prost_types::Timestamp;
use serde_json::{Value, json};

pub async fn run(system: &System, order: &str, as_json: bool) -> anyhow::Result<()> {
    let answer = client(system).await?.get_saga(GetSagaRequest { order_id: order.to_owned() }).await;
    let saga = answer.map_err(|status| {
        if is_not_found(&status) {
            anyhow!("there is no order {order}; `comptoir saga list` shows the newest")
        } else {
            explain(ORDERS, &status)
        }
    })?;
    let saga = saga.into_inner();
    if as_json { print(&(serde_json::to_string_pretty(&json(&saga))? + "\n")) } else { print(&text(&saga)) }
}

fn text(saga: &Saga) -> String {
    let mut head = vec![
        ("order", saga.order_id.clone()),
        ("saga", format!("{} version {}", saga.kind, saga.version)),
        ("state", saga.state().as_str_name().to_owned()),
        ("started", time(saga.start_time.as_ref())),
    ];
    let mut tell = |name, value: String| {
        if !value.is_empty() {
            head.push((name, value));
        }
    };
    tell("goes back", saga.reason.clone());
    tell("parked", saga.parked_reason.clone());
    tell("failing since", time(saga.alarm_time.as_ref()));
    tell("next look", time(saga.wake_time.as_ref()));
    tell("owner", saga.owner.clone());
    let head: String = head.iter().map(|(name, value)| format!("{name:<14} {value}\n")).collect();
    let mut steps = Table::new(&["STEP", "PROGRESS", " ATTEMPTS", " UNDO", "STARTED", "ENDED", "LAST ERROR"]);
    for step in &saga.steps {
        steps.row(row(step));
    }
    let mut people = Table::new(&["TIME", "ACTION", "STEP", "ACTOR", "REASON"]);
    for done in &saga.interventions {
        let SagaIntervention { action, step, actor, reason, .. } = done.clone();
        people.row(vec![time(done.time.as_ref()), action, step, actor, reason]);
    }
    let people = if people.is_empty() { String::new() } else { format!("\n{}", people.text()) };
    format!("{head}\n{}{people}{}", steps.text(), advice(saga))
}

/// What a person can do next.
fn advice(saga: &Saga) -> &'static str {
    if saga.parked_reason.is_empty() {
        ""
    } else {
        "\nIt waits for a person: mend the cause, then `comptoir saga resume`; or `compensate`, or `skip`.\n"
    }
}

fn row(step: &SagaStep) -> Vec<String> {
    vec![
        step.name.clone(),
        step.progress().as_str_name().to_owned(),
        step.attempts.to_string(),
        step.undo_attempts.to_string(),
        time(step.start_time.as_ref()),
        time(step.end_time.as_ref()),
        step.error.clone(),
    ]
}

fn time(time: Option<&Timestamp>) -> String {
    time.map(timestamp).unwrap_or_default()
}

/// A saga as JSON, with the names of the contract.
pub fn json(saga: &Saga) -> Value {
    let step = |step: &SagaStep| {
        json!({
            "name": step.name,
            "progress": step.progress().as_str_name(),
            "attempts": step.attempts,
            "undoAttempts": step.undo_attempts,
            "failures": step.failures,
            "startTime": step.start_time.as_ref().map(timestamp),
            "endTime": step.end_time.as_ref().map(timestamp),
            "error": step.error,
        })
    };
    let intervention = |done: &SagaIntervention| {
        json!({
            "action": done.action,
            "step": done.step,
            "actor": done.actor,
            "reason": done.reason,
            "time": done.time.as_ref().map(timestamp),
        })
    };
    json!({
        "orderId": saga.order_id,
        "kind": saga.kind,
        "version": saga.version,
        "state": saga.state().as_str_name(),
        "step": saga.step,
        "steps": saga.steps.iter().map(step).collect::<Vec<_>>(),
        "reason": saga.reason,
        "parkedReason": saga.parked_reason,
        "alarmTime": saga.alarm_time.as_ref().map(timestamp),
        "wakeTime": saga.wake_time.as_ref().map(timestamp),
        "owner": saga.owner,
        "epoch": saga.epoch,
        "startTime": saga.start_time.as_ref().map(timestamp),
        "deadline": saga.deadline.as_ref().map(timestamp),
        "interventions": saga.interventions.iter().map(intervention).collect::<Vec<_>>(),
    })
}
