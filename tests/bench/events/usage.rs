//! CPU time of processes, from /proc.

use std::{collections::BTreeMap, fmt};

/// Jiffies per second on Linux, as /proc counts them.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU milliseconds by the name of the process.
#[derive(Debug, Clone, Default)]
pub struct Usage(BTreeMap<String, f64>);

/// CPU microseconds per event, by process.
pub struct PerEvent(Vec<(String, f64)>);

impl Usage {
    /// What these processes have used so far.
    pub fn of<'a>(processes: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let used = |pid: u32| -> Option<f64> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
            Some(ticks * 1e3 / TICKS_PER_SECOND)
        };
        Self(processes.into_iter().filter_map(|(name, pid)| Some((name.to_owned(), used(pid)?))).collect())
    }

    /// What was used since `before`, for each of `events`.
    pub fn since(&self, before: &Usage, events: usize) -> PerEvent {
        let used = self.0.iter().map(|(name, ms)| {
            let ms = ms - before.0.get(name).copied().unwrap_or(0.0);
            (name.clone(), ms * 1e3 / events.max(1) as f64)
        });
        PerEvent(used.collect())
    }
}

impl fmt::Display for PerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum: f64 = self.0.iter().map(|(_, us)| us).sum();
        for (name, us) in &self.0 {
            write!(f, "{name} {us:.0}  ")?;
        }
        write!(f, "sum {sum:.0}")
    }
}
