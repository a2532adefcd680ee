//! `comptoir saga retry`, `resume`, `compensate` and `skip`: of named orders, or of all that match a filter.

use super::{
    client::{Client, ORDERS, client},
    filter::Filter,
};
use crate::events::{
    connect::{System, explain},
    table::print,
};
use anyhow::{bail, ensure};
use contracts::orders::v1::{
    CompensateSagaRequest, FailedSaga, InterveneInSagasRequest, InterveneInSagasResponse, RefusedSaga,
    ResumeSagaRequest, RetrySagaRequest, Saga, SagaFilter, SkipSagaStepRequest, intervene_in_sagas_request::Action,
};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Request, Status};

/// How long many sagas may take.
const INTERVENTION_TIMEOUT: Duration = Duration::from_secs(300);

/// To which sagas, and why.
#[derive(Debug, clap::Args)]
pub struct Intervention {
    /// Orders, ord_…; or none, and a filter
    #[arg(value_name = "ORDER")]
    pub orders: Vec<String>,
    /// Which.
    #[command(flatten)]
    pub filter: Filter,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// With a filter: at most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=500))]
    pub max: i32,
    /// With a filter: only tell what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Does it, and tells what came of it. Fails when a saga did not allow it, or when it could not be done.
pub async fn run(system: &System, action: Action, wish: &Intervention, acknowledge_effect: bool) -> anyhow::Result<()> {
    let filter = wish.filter.to_wire();
    let has_filter = filter != SagaFilter::default();
    ensure!(
        has_filter == wish.orders.is_empty(),
        "name orders, or a filter such as --state parked, and not both; `comptoir saga list` shows what matches"
    );
    ensure!(has_filter || !wish.dry_run, "--dry-run goes with a filter; `comptoir saga show` tells about one order");
    let mut client = client(system).await?;
    let reply = if has_filter {
        let request = InterveneInSagasRequest {
            action: action.into(),
            filter: Some(filter),
            reason: wish.reason.clone(),
            max_count: wish.max,
            dry_run: wish.dry_run,
            acknowledge_effect,
        };
        let mut request = Request::new(request);
        // Hundreds of sagas are changed one after the other, each in a write of its own.
        request.set_timeout(INTERVENTION_TIMEOUT);
        client.intervene_in_sagas(request).await.map_err(|status| explain(ORDERS, &status))?.into_inner()
    } else {
        one_by_one(&mut client, action, wish, acknowledge_effect).await?
    };
    tell(action, wish, &reply)
}

async fn one_by_one(
    client: &mut Client,
    action: Action,
    wish: &Intervention,
    acknowledge_effect: bool,
) -> anyhow::Result<InterveneInSagasResponse> {
    let mut reply = InterveneInSagasResponse::default();
    for order in &wish.orders {
        match one(client, action, order, &wish.reason, acknowledge_effect).await {
            Ok(_) => reply.order_ids.push(order.clone()),
            Err(status) if matches!(status.code(), Code::FailedPrecondition | Code::NotFound) => {
                reply.refused.push(RefusedSaga { order_id: order.clone(), message: status.message().to_owned() });
            }
            // What holds for one holds for all.
            Err(status) if is_about_the_caller(status.code()) => return Err(explain(ORDERS, &status)),
            Err(status) => reply.failed.push(FailedSaga {
                order_id: order.clone(),
                reason: rpc::status::reason(&status),
                message: status.message().to_owned(),
            }),
        }
    }
    Ok(reply)
}

fn is_about_the_caller(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument | Code::Unimplemented)
}

async fn one(client: &mut Client, action: Action, order: &str, why: &str, acknowledged: bool) -> Result<Saga, Status> {
    let (order_id, reason) = (order.to_owned(), why.to_owned());
    let answer = match action {
        Action::Unspecified => return Err(Status::invalid_argument("no action")),
        Action::Retry => client.retry_saga(RetrySagaRequest { order_id, reason }).await,
        Action::Resume => client.resume_saga(ResumeSagaRequest { order_id, reason }).await,
        Action::Compensate => client.compensate_saga(CompensateSagaRequest { order_id, reason }).await,
        Action::Skip => {
            let acknowledge_effect = acknowledged;
            client.skip_saga_step(SkipSagaStepRequest { order_id, reason, acknowledge_effect }).await
        }
    };
    Ok(answer?.into_inner())
}

fn tell(action: Action, wish: &Intervention, reply: &InterveneInSagasResponse) -> anyhow::Result<()> {
    print(&if wish.json { as_json(wish, reply) } else { as_text(action, wish, reply) })?;
    let (refused, failed) = (reply.refused.len(), reply.failed.len());
    let count = reply.order_ids.len() + refused + failed;
    if failed > 0 {
        bail!(
            "{failed} of {count} sagas could not be reached: what was done stands, so repeat the command for the rest"
        );
    }
    let hint = if action == Action::Skip { " (skip needs --acknowledge-effect for a step with an effect)" } else { "" };
    if refused > 0 && !wish.dry_run {
        bail!("{refused} of {count} sagas did not allow it{hint}");
    }
    Ok(())
}

fn as_json(wish: &Intervention, reply: &InterveneInSagasResponse) -> String {
    let refusal = |refused: &RefusedSaga| json!({ "orderId": refused.order_id, "message": refused.message });
    let failure =
        |failed: &FailedSaga| json!({ "orderId": failed.order_id, "reason": failed.reason, "message": failed.message });
    let told = json!({
        "orderIds": reply.order_ids,
        "refused": reply.refused.iter().map(refusal).collect::<Vec<Value>>(),
        "failed": reply.failed.iter().map(failure).collect::<Vec<Value>>(),
        "isCutOff": reply.is_cut_off,
        "dryRun": wish.dry_run,
    });
    format!("{told}\n")
}

fn as_text(action: Action, wish: &Intervention, reply: &InterveneInSagasResponse) -> String {
    let (past, word) = (past(action), if wish.dry_run { "would be " } else { "" });
    let mut text: String = reply.order_ids.iter().map(|id| format!("{id}  {word}{past}\n")).collect();
    text.extend(reply.refused.iter().map(|refused| format!("{}  {}\n", refused.order_id, refused.message)));
    text.extend(
        reply.failed.iter().map(|each| format!("{}  failed: {}: {}\n", each.order_id, each.reason, each.message)),
    );
    let failed = if reply.failed.is_empty() { String::new() } else { format!(", {} failed", reply.failed.len()) };
    let more = if reply.is_cut_off { "; more match: repeat, or raise --max" } else { "" };
    let (done, refused) = (reply.order_ids.len(), reply.refused.len());
    text + &format!("{done} {word}{past}, {refused} refused{failed}{more}\n")
}

fn past(action: Action) -> &'static str {
    match action {
        Action::Unspecified => "left",
        Action::Retry => "retried",
        Action::Resume => "resumed",
        Action::Compensate => "turned back",
        Action::Skip => "skipped a step",
    }
}
