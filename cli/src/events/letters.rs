//! `comptoir events dead-letters`: what could not be applied, and what to do about it.

use super::{
    connect::{System, explain, is_not_found},
    json::{Decoder, timestamp},
    table::{Table, print},
};
use anyhow::{bail, ensure};
use contracts::events::v1::{
    DeadLetter, DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest, RetryDeadLettersRequest,
    RetryDeadLettersResponse,
};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Request, Status};

/// Letters in one answer.
const PAGE: i32 = 200;

/// How long the letters of one aggregate may take.
const RETRY_TIMEOUT: Duration = Duration::from_secs(600);

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// List them
    List,
    /// Show one, with its data decoded
    Show {
        /// The event, evt_…, or the message, msg_…
        #[arg(value_name = "EVENT")]
        id: String,
    },
    /// Apply the letters of an aggregate in order, until one fails again
    Retry {
        /// An event, evt_…, whose aggregate is meant, or the aggregate
        #[arg(value_name = "EVENT|AGGREGATE")]
        id: String,
    },
    /// Apply the letters of an aggregate in order, until one fails again
    RetryAggregate {
        /// The aggregate, for example ord_…
        #[arg(value_name = "AGGREGATE")]
        id: String,
    },
    /// Give an event up: it counts as applied without its effect, and those behind it follow. Cannot be undone
    Drop {
        /// The event, evt_…, the first of its aggregate's letters; or a message that is no event, msg_…
        #[arg(value_name = "EVENT")]
        id: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
}

/// The dead letters of some consumers, and how they are shown.
pub struct DeadLetters<'a> {
    pub system: &'a System,
    /// Only of this consumer.
    pub service: Option<String>,
    pub json: bool,
}

pub async fn run(letters: &DeadLetters<'_>, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List => letters.list().await,
        Action::Show { id } => letters.show(&id).await,
        Action::Retry { id } if id.starts_with("evt_") || id.starts_with("msg_") => letters.retry_event(&id).await,
        Action::Retry { id } | Action::RetryAggregate { id } => letters.retry(&id).await,
        Action::Drop { id, yes } => {
            ensure!(yes, "{id} would count as applied without its effect, for good: repeat with --yes if you mean it");
            letters.give_up(&id).await
        }
    }
}

impl DeadLetters<'_> {
    fn services(&self) -> anyhow::Result<Vec<String>> {
        self.system.chosen(self.service.as_slice())
    }

    async fn list(&self) -> anyhow::Result<()> {
        let mut found = Vec::new();
        for service in self.services()? {
            let letters = self.all(&service).await?;
            found.extend(letters.into_iter().map(|letter| (service.clone(), letter)));
        }
        if self.json {
            let decoder = Decoder::new()?;
            let all: Vec<Value> = found.iter().map(|(service, letter)| decoder.letter(service, letter)).collect();
            return print(&(serde_json::to_string_pretty(&all)? + "\n"));
        }
        if found.is_empty() {
            return print("no dead letters\n");
        }
        let mut table =
            Table::new(&["CONSUMER", "EVENT", "AGGREGATE", " SEQ", "NAME", " ATTEMPTS", "NEXT ATTEMPT", "REASON"]);
        for (service, letter) in &found {
            table.row(row(service, letter));
        }
        print(&table.text())
    }

    async fn all(&self, service: &str) -> anyhow::Result<Vec<DeadLetter>> {
        let mut client = self.system.client(service).await?;
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListDeadLettersRequest { page_size: PAGE, page_token };
            let answer = client.list_dead_letters(request).await.map_err(|status| explain(service, &status))?;
            let page = answer.into_inner();
            found.extend(page.dead_letters);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn show(&self, id: &str) -> anyhow::Result<()> {
        let decoder = Decoder::new()?;
        let found = self.find(id).await?;
        let shown: Vec<Value> = found.iter().map(|(service, letter)| decoder.letter(service, letter)).collect();
        let text = match shown.as_slice() {
            [one] => serde_json::to_string_pretty(one)?,
            all => serde_json::to_string_pretty(all)?,
        };
        print(&(text + "\n"))
    }

    /// The letter at each service that has it; an error when none has.
    async fn find(&self, id: &str) -> anyhow::Result<Vec<(String, DeadLetter)>> {
        let mut found = Vec::new();
        for service in self.services()? {
            let request = GetDeadLetterRequest { event_id: id.to_owned() };
            match self.system.client(&service).await?.get_dead_letter(request).await {
                Ok(letter) => found.push((service, letter.into_inner())),
                Err(status) if is_absent(&status) => {}
                Err(status) => return Err(explain(&service, &status)),
            }
        }
        ensure!(!found.is_empty(), "no service has a dead letter {id}; `comptoir events dead-letters list` shows all");
        Ok(found)
    }

    async fn retry_event(&self, id: &str) -> anyhow::Result<()> {
        for (service, letter) in self.find(id).await? {
            let aggregate_id = letter.event.map(|event| event.aggregate_id).unwrap_or_default();
            let answer = self.retry_at(&service, &aggregate_id).await;
            self.tell(&service, &aggregate_id, answer.map_err(|status| explain(&service, &status))?)?;
        }
        Ok(())
    }

    async fn retry(&self, aggregate_id: &str) -> anyhow::Result<()> {
        let mut is_known = false;
        for service in self.services()? {
            match self.retry_at(&service, aggregate_id).await {
                // Several services may have letters of one aggregate: the retry goes to each.
                Ok(answer) => self.tell(&service, aggregate_id, answer)?,
                Err(status) if is_absent(&status) => continue,
                Err(status) => return Err(explain(&service, &status)),
            }
            is_known = true;
        }
        if !is_known {
            bail!("no service has dead letters of {aggregate_id}; `comptoir events dead-letters list` shows all");
        }
        Ok(())
    }

    async fn retry_at(&self, service: &str, aggregate_id: &str) -> Result<RetryDeadLettersResponse, Status> {
        let client = self.system.client(service).await.map_err(|error| Status::unavailable(format!("{error:#}")));
        let mut request = Request::new(RetryDeadLettersRequest { aggregate_id: aggregate_id.to_owned() });
        // A request without a deadline of its own ends after a minute, and many letters take longer.
        request.set_timeout(RETRY_TIMEOUT);
        Ok(client?.retry_dead_letters(request).await?.into_inner())
    }

    async fn give_up(&self, id: &str) -> anyhow::Result<()> {
        for (service, letter) in self.find(id).await? {
            let mut request = Request::new(DropDeadLetterRequest { event_id: id.to_owned() });
            request.set_timeout(RETRY_TIMEOUT);
            let answer = self.system.client(&service).await?.drop_dead_letter(request).await;
            let answer = answer.map_err(|status| explain(&service, &status))?.into_inner();
            let aggregate_id = letter.event.map(|event| event.aggregate_id).unwrap_or_default();
            self.tell(&service, &aggregate_id, answer)?;
        }
        Ok(())
    }

    fn tell(&self, service: &str, aggregate_id: &str, answer: RetryDeadLettersResponse) -> anyhow::Result<()> {
        let RetryDeadLettersResponse { applied, left } = answer;
        if self.json {
            let told = json!({ "service": service, "aggregateId": aggregate_id, "applied": applied, "left": left });
            return print(&format!("{told}\n"));
        }
        print(&format!("{service}: {applied} events of {aggregate_id} applied, {left} left\n"))
    }
}

fn row(service: &str, letter: &DeadLetter) -> Vec<String> {
    let event = letter.event.clone().unwrap_or_default();
    let next = letter.next_attempt_time.as_ref().map_or_else(|| "needs a person".to_owned(), timestamp);
    let reason = if letter.reason.is_empty() { "waits behind another" } else { &letter.reason };
    let (seq, attempts) = (event.seq.to_string(), letter.attempts.to_string());
    vec![service.to_owned(), event.id, event.aggregate_id, seq, event.name, attempts, next, reason.to_owned()]
}

/// Whether the service has no such letter, or reads no events at all.
fn is_absent(status: &Status) -> bool {
    is_not_found(status) || rpc::status::reason(status) == "NO_CONSUMER"
}
