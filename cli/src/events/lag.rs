//! `comptoir events lag`: how far relays and consumers are behind.

use super::{
    connect::{System, explain},
    table::{Table, print},
};
use contracts::events::v1::{GetLagRequest, Lag};
use futures::future::join_all;
use serde_json::{Value, json};

/// Prints two tables, or JSON. A service that does not answer has its reason in its row, and the command fails in the end.
pub async fn run(system: &System, services: &[String], as_json: bool) -> anyhow::Result<()> {
    let services = system.chosen(services)?;
    // All at once, so that services which do not answer cost one time-out together.
    let answers = join_all(services.iter().map(|service| ask(system, service))).await;
    let answers: Vec<(String, anyhow::Result<Lag>)> = services.into_iter().zip(answers).collect();
    if as_json {
        let all: Vec<Value> = answers.iter().map(|(service, answer)| json(service, answer)).collect();
        print(&(serde_json::to_string_pretty(&json!({ "services": all }))? + "\n"))?;
    } else {
        print(&tables(&answers))?;
    }
    let failed: Vec<String> = answers.into_iter().filter(|(_, answer)| answer.is_err()).map(|(name, _)| name).collect();
    anyhow::ensure!(failed.is_empty(), "no answer from {}", failed.join(", "));
    Ok(())
}

async fn ask(system: &System, service: &str) -> anyhow::Result<Lag> {
    let answer = system.client(service).await?.get_lag(GetLagRequest {}).await;
    Ok(answer.map_err(|status| explain(service, &status))?.into_inner())
}

fn json(service: &str, answer: &anyhow::Result<Lag>) -> Value {
    let lag = match answer {
        Ok(lag) => lag,
        Err(error) => return json!({ "service": service, "error": format!("{error:#}") }),
    };
    let consumers = lag.consumers.iter().map(|consumer| {
        json!({
            "source": consumer.source,
            "pending": consumer.pending,
            "unacknowledged": consumer.unacknowledged,
            "deadLetters": consumer.dead_letters,
            "problem": consumer.problem,
        })
    });
    json!({
        "service": service,
        "logged": lag.logged,
        "published": lag.published,
        "behind": behind(lag),
        "relayOwner": lag.relay_owner,
        "relayProblem": lag.relay_problem,
        "consumers": consumers.collect::<Vec<_>>(),
    })
}

fn tables(answers: &[(String, anyhow::Result<Lag>)]) -> String {
    let mut relays = Table::new(&["SERVICE", " LOGGED", " PUBLISHED", " BEHIND", "RELAY"]);
    let mut consumers = Table::new(&["CONSUMER", "SOURCE", " PENDING", " UNACKNOWLEDGED", " DEAD LETTERS"]);
    for (service, answer) in answers {
        match answer {
            Ok(lag) if lag.relay_owner.is_empty() && lag.logged == 0 => {
                let nothing = || "-".to_owned();
                relays.row(vec![service.clone(), nothing(), nothing(), nothing(), "publishes nothing".to_owned()]);
            }
            Ok(lag) => {
                let numbers = [lag.logged, lag.published, behind(lag)].map(|number| number.to_string());
                relays.row([vec![service.clone()], numbers.to_vec(), vec![lag.relay_owner.clone()]].concat());
            }
            Err(error) => {
                let unknown = || "?".to_owned();
                relays.row(vec![service.clone(), unknown(), unknown(), unknown(), format!("{error:#}")]);
            }
        }
        for consumer in answer.iter().flat_map(|lag| &lag.consumers) {
            let numbers = [consumer.pending, consumer.unacknowledged, consumer.dead_letters];
            let numbers = numbers.map(|number| number.to_string()).to_vec();
            consumers.row([vec![service.clone(), consumer.source.clone()], numbers].concat());
        }
    }
    let readers = if consumers.is_empty() { String::new() } else { format!("\n{}", consumers.text()) };
    relays.text() + &readers + &problems(answers)
}

/// What is wrong with relays and consumers, a line each.
fn problems(answers: &[(String, anyhow::Result<Lag>)]) -> String {
    let mut lines = String::new();
    for (service, lag) in answers.iter().filter_map(|(service, answer)| Some((service, answer.as_ref().ok()?))) {
        if !lag.relay_problem.is_empty() {
            lines += &format!("\n{service}, publishing: {}\n", lag.relay_problem);
        }
        for consumer in lag.consumers.iter().filter(|consumer| !consumer.problem.is_empty()) {
            lines += &format!("\n{service}, reading {}: {}\n", consumer.source, consumer.problem);
        }
    }
    lines
}

fn behind(lag: &Lag) -> i64 {
    (lag.logged - lag.published).max(0)
}
