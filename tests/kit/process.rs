//! The real binary as a child of the test.

use anyhow::{Context, ensure};
use comptoir::child::{Child, log_tail};
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The binary under test: `COMPTOIR_BIN`, or the one of the build directory that the test was built in.
pub fn binary() -> PathBuf {
    if let Some(chosen) = std::env::var_os("COMPTOIR_BIN") {
        return chosen.into();
    }
    let test = std::env::current_exe().expect("a running test has a file");
    let profile = test.parent().and_then(Path::parent).expect("a test runs in target/<profile>/deps");
    let binary = profile.join("comptoir");
    assert!(binary.is_file(), "{} is not there: run `cargo build -p comptoir`, or `make test`", binary.display());
    binary
}

/// An address that nobody listens on, for a process that a test starts.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", comptoir::dev::ports::free().expect("a free port"))
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}

/// Where a library is that `make tools` fetches: what the variable says, or the folder `name` of the tools.
pub fn library(variable: &str, name: &str) -> PathBuf {
    let tools = || std::env::var_os("COMPTOIR_TOOLS").map_or_else(|| root().join(".tools"), PathBuf::from);
    let library = std::env::var_os(variable).map_or_else(|| tools().join(name), PathBuf::from);
    assert!(library.is_dir(), "{} is not there: run `make tools`", library.display());
    library
}

/// Variables of the test run that a process of the binary has too. Any other `COMPTOIR_` of the person who runs the
/// tests would change what is tested.
const INHERITED: [&str; 3] = ["COMPTOIR_TOOLS", "COMPTOIR_LOG", "COMPTOIR_RPC_COVERAGE"];

/// A running process of the binary.
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `comptoir <args>`; standard output and error go to the file `output`.
    pub fn spawn(args: &[String], variables: &BTreeMap<String, String>, output: &Path) -> anyhow::Result<Self> {
        Self::spawn_of(&binary(), args, variables, output)
    }

    /// Like [`Process::spawn`], of another build.
    pub fn spawn_of(
        program: &Path,
        args: &[String],
        variables: &BTreeMap<String, String>,
        output: &Path,
    ) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(output)?;
        let mut command = Command::new(program);
        command.args(args).current_dir(root()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("COMPTOIR_") && !INHERITED.contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command.envs(variables);
        let child = Child::spawn("comptoir", command, output)?;
        Ok(Self { child, output: output.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until its output has `line` on a line of its own.
    pub async fn printed(&self, line: &str, limit: Duration) -> anyhow::Result<()> {
        let seen = || std::fs::read_to_string(&self.output).is_ok_and(|text| text.lines().any(|each| each == line));
        let waited = tokio::time::timeout(limit, async {
            while !seen() && self.child.exit_status().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let in_time = waited.await.is_ok();
        ensure!(in_time && seen(), "comptoir did not print {line:?}:\n{}", self.tail(40));
        Ok(())
    }

    /// SIGSTOP: alive, and doing nothing.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.child.signal(Signal::STOP);
        self.paused(Duration::from_secs(5)).await
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.child.signal(Signal::CONT);
    }

    /// Waits until it has been stopped, by [`Process::pause`] or by a crash point that says `stop`.
    pub async fn paused(&self, limit: Duration) -> anyhow::Result<()> {
        let is_paused = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        let began = Instant::now();
        while !is_paused() {
            ensure!(began.elapsed() < limit, "comptoir was not stopped within {limit:?}:\n{}", self.tail(40));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.child.exit_status().is_none()
    }

    /// SIGKILL, and its end.
    pub async fn kill(&self) {
        self.child.kill().await;
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&self, limit: Duration) -> anyhow::Result<()> {
        let waited = tokio::time::timeout(limit, async {
            while self.child.exit_status().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        ensure!(waited.await.is_ok(), "comptoir still runs after {limit:?}:\n{}", self.tail(40));
        Ok(())
    }

    /// SIGTERM, and its end within `limit` with code 0.
    pub async fn stop(&self, limit: Duration) -> anyhow::Result<()> {
        let graceful = self.child.stop(limit).await;
        let status = self.child.exit_status().context("its end is known")?;
        ensure!(graceful, "comptoir did not end within {limit:?} of SIGTERM:\n{}", self.tail(40));
        ensure!(status.success(), "comptoir ended with {status}:\n{}", self.tail(40));
        Ok(())
    }

    /// All of its output.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// The last lines of its output.
    pub fn tail(&self, lines: usize) -> String {
        log_tail(&self.output, lines)
    }
}

impl Drop for Process {
    /// A stopped process would not see the signal that ends it.
    fn drop(&mut self) {
        self.resume();
    }
}
