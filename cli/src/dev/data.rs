//! The data directory: locked, readable by its owner only, everything secret in it written with mode 0600.

use anyhow::{Context, bail};
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Name of the log of the services that run in this process.
pub const LOG: &str = "comptoir.log";

/// How long to wait for the lock: a process that was killed a moment ago still holds it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// An opened data directory; the lock ends with the value.
pub struct DataDir {
    path: PathBuf,
    lock: Option<File>,
    ephemeral: bool,
}

impl DataDir {
    /// Makes the directory when it is absent, and locks it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        create_private(path)?;
        let path = path.canonicalize().with_context(|| format!("resolve {}", path.display()))?;
        let lock = lock(&path)?;
        Ok(Self { path, lock: Some(lock), ephemeral: false })
    }

    /// A new temporary one, which is removed when the value is dropped.
    pub fn temporary() -> anyhow::Result<Self> {
        let name = format!("comptoir-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let mut data = Self::open(&std::env::temp_dir().join(name))?;
        data.ephemeral = true;
        Ok(data)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn directory(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.join(name);
        create_private(&path)?;
        Ok(path)
    }

    /// Writes a file with mode 0600, in one step: a crash leaves the old one or the new one.
    pub fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let path = self.join(name);
        let fresh = self.join(&format!("{name}.new"));
        let write = || {
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(content.as_bytes())?;
            // Before the rename: after a power cut the new name must not lead to an empty file.
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// A file's text, `None` when it is absent.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        drop(self.lock.take());
        if self.ephemeral
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("comptoir: {} could not be removed: {error}", self.path.display());
        }
    }
}

fn create_private(path: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).with_context(|| format!("make the directory {}", path.display()))
}

/// Takes the lock and leaves our process id in it, for the message of whoever comes second.
fn lock(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join("lock");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).with_context(|| format!("open {}", path.display()))?;
    let began = Instant::now();
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if began.elapsed() < LOCK_TIMEOUT => std::thread::sleep(LOCK_TIMEOUT / 50),
            TryLockError::WouldBlock => bail!(
                "{} is in use by `comptoir dev` with process id {}; stop that one, or choose another --data",
                directory.display(),
                fs::read_to_string(&path)?.trim()
            ),
            TryLockError::Error(error) => return Err(error).with_context(|| format!("lock {}", path.display())),
        }
    }
    // Only the holder of the lock may write: whoever waits reads the id of the process that has it.
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}
