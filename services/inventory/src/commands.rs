//! The batcher of a process through which all commands pass: what has queued up becomes one batch and one transaction.

use crate::{
    domain::{Command, Line, Outcome, WorkingSet},
    error::Error,
    memory::Memory,
    store::Store,
};
use ::saga::StepCall;
use ::store::{BatchWorker, Batcher, Time, now, transaction::retry};
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a batch is decided when other replicas write in between: with three replicas on one hot product, a batch has
/// lost to the others some times before its turn comes.
const ATTEMPTS: u32 = 20;

/// Carries out commands, those at once together. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    batcher: Batcher<Batch>,
    hold: Duration,
}

impl Commands {
    pub fn new(store: Store, hold: Duration) -> Self {
        Self { batcher: Batcher::new(Batch { store, memory: Mutex::default() }), hold }
    }

    /// Carries out a command. Safe to repeat.
    pub async fn send(&self, command: Command) -> Result<Outcome, Error> {
        let is_deferred = matches!(command, Command::Commit(..));
        let asked = Asked { command, actor: telemetry::actor() };
        // Nobody waits until what is sold is off the shelf: it goes with the next hold.
        let submitted = match is_deferred {
            true => self.batcher.submit_deferred(asked, 0).await,
            false => self.batcher.submit(asked, 0).await,
        };
        submitted.map_err(|_| Error::Busy)?
    }

    pub async fn hold(&self, id: String, call: StepCall, lines: Vec<Line>) -> Result<Outcome, Error> {
        self.send(Command::Hold { id, call, lines, expires_at: self.end_of_hold() }).await
    }

    /// Lets a hold live for the configured time from now.
    pub async fn extend(&self, id: String, call: StepCall) -> Result<Outcome, Error> {
        self.send(Command::Extend { id, call, expires_at: self.end_of_hold() }).await
    }

    fn end_of_hold(&self) -> Time {
        let life = i64::try_from(self.hold.as_millis()).unwrap_or(i64::MAX);
        Time::from_millis(now().timestamp_millis().saturating_add(life))
    }
}

/// A command, and who has sent it.
#[derive(Clone)]
struct Asked {
    command: Command,
    actor: Option<String>,
}

/// Decides and writes the commands of a batch.
struct Batch {
    store: Store,
    memory: Mutex<Memory>,
}

impl BatchWorker for Batch {
    type Request = Asked;
    type Outcome = Result<Outcome, Error>;
    // A transaction costs a few milliseconds whatever its size; in this time commands gather into one.
    const MIN_INTERVAL: Duration = Duration::from_millis(10);
    // The longest batch stays well below the 16 MiB of one transaction.
    const MAX_BATCH: usize = 128;

    async fn run(&self, asked: Vec<Asked>) -> Vec<Self::Outcome> {
        self.carry_out(&asked).await
    }
}

impl Batch {
    /// Decides and writes a batch, on remembered documents where they suffice; again when a replica wrote in between. One
    /// document that cannot be read or written fails its own commands: the batch is halved until they are alone.
    async fn carry_out(&self, asked: &[Asked]) -> Vec<Result<Outcome, Error>> {
        let mut may_remember = self.memory.lock().await.is_trusted();
        let attempt = || self.attempt(asked, std::mem::take(&mut may_remember));
        match retry(ATTEMPTS, Error::is_conflict, attempt).await {
            Ok(outcomes) => outcomes,
            Err(error) if asked.len() > 1 && is_of_one_document(&error) => {
                let (some, others) = asked.split_at(asked.len() / 2);
                let mut outcomes = Box::pin(self.carry_out(some)).await;
                outcomes.extend(Box::pin(self.carry_out(others)).await);
                outcomes
            }
            Err(error) => {
                if error.is_conflict() {
                    // No living replica is in the way for so long: a dead one's open transaction may be.
                    self.store.end_abandoned().await;
                }
                asked.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Decides on what is remembered only if a write proves it: a refusal and a command without effect are decided on
    /// what is read.
    async fn attempt(&self, asked: &[Asked], may_remember: bool) -> Result<Vec<Result<Outcome, Error>>, Error> {
        let commands: Vec<&Command> = asked.iter().map(|asked| &asked.command).collect();
        crash_at(&commands, "reading");
        let mut memory = self.memory.lock().await;
        let reading = self.store.read(&commands, may_remember.then_some(&*memory)).await?;
        let mut set: WorkingSet = reading.set.clone();
        // One moment for the whole batch, so that its commands are decided in order on one clock.
        let (now, mut all_had_effect) = (now(), true);
        let outcomes = asked.iter().map(|Asked { command, actor }| {
            let before = set.effects;
            set.actor.clone_from(actor);
            let outcome = set.apply(command, now);
            all_had_effect &= set.effects > before;
            outcome
        });
        let outcomes = outcomes.map(|outcome| outcome.map_err(Error::from)).collect();
        if may_remember && !all_had_effect {
            drop(memory); // the next attempt locks it again
            return Box::pin(self.attempt(asked, false)).await;
        }
        crash_at(&commands, "writing");
        match self.store.write(&reading, set).await {
            Ok(written) => memory.remember(written),
            Err(error) => {
                memory.distrust();
                return Err(error);
            }
        }
        crash_at(&commands, "written");
        Ok(outcomes)
    }
}

/// Where a test kills this process: `inventory.hold.writing`. Release builds have none of this.
fn crash_at(commands: &[&Command], moment: &str) {
    if cfg!(debug_assertions) {
        for command in commands {
            telemetry::crash_point(&format!("inventory.{}.{moment}", command.name()));
        }
    }
}

/// Whether it is the fault of a document, and not of the way to the database.
fn is_of_one_document(error: &Error) -> bool {
    use ::store::Error::{Backlog, Bson, Refused, TooLarge};
    matches!(error, Error::Store(Backlog(_) | Bson(_) | Refused(_) | TooLarge { .. }))
}
