//! One task per process through which all commands pass: what has queued up becomes one batch and one transaction.

use crate::{
    domain::{Books, Command, Line, Outcome},
    error::Error,
    memory::Memory,
    store::Store,
};
use ::saga::Caller;
use ::store::{Time, now};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Commands that may wait; one more is refused.
const QUEUE: usize = 1024;

/// Commands in one transaction.
const BATCH: usize = 128;

/// Transactions begin at least so far apart: the first command after a pause is carried out at once, and those that come
/// fast share a transaction.
const PACE: Duration = Duration::from_millis(10);

/// How often a batch is decided anew when another replica wrote in between.
const ATTEMPTS: u32 = 20;

struct Waiting {
    command: Command,
    reply: oneshot::Sender<Result<Outcome, Error>>,
}

/// Where commands are handed in. Cheap to clone.
#[derive(Clone)]
pub struct Combiner {
    queue: mpsc::Sender<Waiting>,
    hold: Duration,
}

/// A combiner and the task that does its work. The task ends when the last combiner is dropped.
pub fn combiner(store: Store, hold: Duration) -> (Combiner, impl Future<Output = ()>) {
    let (queue, waiting) = mpsc::channel(QUEUE);
    (Combiner { queue, hold }, work(store, waiting))
}

impl Combiner {
    /// Carries out a command. Safe to repeat.
    pub async fn send(&self, command: Command) -> Result<Outcome, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { command, reply }).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// Holds `lines` for the configured time.
    pub async fn hold(&self, id: String, caller: Caller, lines: Vec<Line>) -> Result<Outcome, Error> {
        self.send(Command::Hold { id, caller, lines, expires_at: self.end_of_hold() }).await
    }

    /// Lets a hold live for the configured time from now.
    pub async fn extend(&self, id: String, caller: Caller) -> Result<Outcome, Error> {
        self.send(Command::Extend { id, caller, expires_at: self.end_of_hold() }).await
    }

    fn end_of_hold(&self) -> Time {
        let life = i64::try_from(self.hold.as_millis()).unwrap_or(i64::MAX);
        Time::from_millis(now().timestamp_millis().saturating_add(life))
    }
}

async fn work(store: Store, mut waiting: mpsc::Receiver<Waiting>) {
    let mut memory = Memory::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut next_at = Instant::now();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        tokio::time::sleep_until(next_at).await;
        while batch.len() < BATCH
            && let Ok(more) = waiting.try_recv()
        {
            batch.push(more);
        }
        next_at = Instant::now() + PACE;
        let commands: Vec<Command> = batch.iter().map(|waiting| waiting.command.clone()).collect();
        let outcomes = carry_out(&store, &commands, &mut memory).await;
        for (waiting, outcome) in batch.drain(..).zip(outcomes) {
            let _ = waiting.reply.send(outcome); // the caller may have gone; the command stands
        }
    }
}

/// Decides and writes a batch, on what is remembered if that will do; anew when somebody else wrote in between. One document
/// that cannot be read or written fails its own commands: the batch is halved until they are alone.
async fn carry_out(store: &Store, commands: &[Command], memory: &mut Memory) -> Vec<Result<Outcome, Error>> {
    let (mut attempt, mut may_remember) = (0, memory.is_trusted());
    loop {
        match once(store, commands, memory, may_remember).await {
            Ok(Some(outcomes)) => return outcomes,
            Ok(None) => {}
            Err(error) if commands.len() > 1 && is_of_one_document(&error) => {
                let (some, others) = commands.split_at(commands.len() / 2);
                let mut outcomes = Box::pin(carry_out(store, some, memory)).await;
                outcomes.extend(Box::pin(carry_out(store, others, memory)).await);
                return outcomes;
            }
            Err(error) if attempt >= ATTEMPTS || !error.is_conflict() => {
                if error.is_conflict() {
                    store.end_abandoned().await; // nobody alive is in the way for so long
                }
                return commands.iter().map(|_| Err(error.clone())).collect();
            }
            Err(_) => {
                memory.was_wrong();
                attempt += 1;
                let jitter = rand::random_range(0..=(1000u64 << attempt.min(6)));
                tokio::time::sleep(Duration::from_micros(jitter)).await;
            }
        }
        may_remember = false;
    }
}

/// `None` when what is remembered does not do: something was refused or had no effect, so that no write has proved it.
async fn once(
    store: &Store,
    commands: &[Command],
    memory: &mut Memory,
    may_remember: bool,
) -> Result<Option<Vec<Result<Outcome, Error>>>, Error> {
    crash_at(commands, "reading");
    let reading = store.read(commands, may_remember.then_some(&*memory)).await?;
    let mut books: Books = reading.books.clone();
    let (now, mut all_had_effect) = (now(), true);
    let outcomes = commands.iter().map(|command| {
        let before = books.effects;
        let outcome = books.apply(command, now);
        all_had_effect &= books.effects > before;
        outcome
    });
    let outcomes = outcomes.collect();
    if may_remember && !all_had_effect {
        return Ok(None);
    }
    crash_at(commands, "writing");
    let written = store.write(&reading, books).await?;
    crash_at(commands, "written");
    memory.note(written);
    Ok(Some(outcomes))
}

/// Where a test kills this process: `inventory.hold.writing`. Release builds have none of this.
fn crash_at(commands: &[Command], moment: &str) {
    if cfg!(debug_assertions) {
        for command in commands {
            telemetry::crash_point(&format!("inventory.{}.{moment}", command.name()));
        }
    }
}

/// Whether it is the fault of a document, and not of the way to the database.
fn is_of_one_document(error: &Error) -> bool {
    use ::store::Error::{Backlog, Bson, Refused, TooLarge};
    matches!(error, Error::Store(cause) if matches!(**cause, Backlog(_) | Bson(_) | Refused(_) | TooLarge { .. }))
}
