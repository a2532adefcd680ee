//! Passwords: argon2id on a bounded pool, so that sign-ins can neither starve the service nor pile up; and how often those
//! of one account may be wrong.

use crate::{domain::PasswordHash, error::Error};
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash,
    password_hash::phc::PasswordHash as Phc,
};
use contracts::text;
use rpc::attempts::{Attempts, Rate};
use std::{sync::Arc, time::Instant};
use tokio::sync::Semaphore;

/// The minimum of the OWASP Password Storage Cheat Sheet for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Passwords hashed at once; each takes a core and 19 MiB.
const AT_ONCE: usize = 2;

/// Passwords hashed or waiting; one more is refused with UNAVAILABLE.
const ADMITTED: usize = AT_ONCE + 64;

/// What a password is compared with when there is no account: as much work, and no password has it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and verifies passwords. Clones share the pool.
#[derive(Clone)]
pub struct Passwords {
    admitted: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    failures: Arc<Attempts>,
}

impl Passwords {
    /// An idle pool; the password of an account may be wrong at `rate`.
    pub fn new(rate: Rate) -> Self {
        let (admitted, at_work) = (Arc::new(Semaphore::new(ADMITTED)), Arc::new(Semaphore::new(AT_ONCE)));
        Self { admitted, at_work, failures: Arc::new(Attempts::new(rate)) }
    }

    /// Refuses when the passwords of `account` were wrong too often. It is the key of an address, with an account or without.
    fn may_try(&self, account: &str) -> Result<(), Error> {
        self.failures.check(account, Instant::now()).map_err(Error::TooManyAttempts)
    }

    /// The hash of `password`, in its canonical form, with a random salt.
    pub async fn hash(&self, password: String) -> Result<PasswordHash, Error> {
        let hashed = self.run(move || {
            let hashed: Phc = argon2()?.hash_password(text::password(&password).as_bytes())?;
            Ok(PasswordHash::new(hashed.to_string()))
        });
        hashed.await
    }

    /// Whether `password` is the one of `hash`, in its canonical form or, of an older account, as it may have been typed then.
    /// Takes as long when there is no hash, and is false, which is counted against `account`.
    pub async fn verify(&self, account: String, password: String, hash: Option<PasswordHash>) -> Result<bool, Error> {
        self.may_try(&account)?;
        let passwords = self.clone();
        let verified = self.run(move || {
            // Those that came at the same time may have been wrong meanwhile: no more are judged than are at work at once.
            passwords.may_try(&account)?;
            let is_right = is_right(&password, hash)?;
            if !is_right {
                // In the thread: a caller that hangs up before the answer is counted as well.
                passwords.failures.count(&account, Instant::now());
            }
            Ok(is_right)
        });
        verified.await
    }

    /// Runs `work` on a blocking thread. It keeps its place until it ends, also when the caller has gone.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| Error::Busy)?;
        let at_work = self.at_work.clone().acquire_owned().await.map_err(|_| Error::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((admitted, at_work));
            result
        });
        done.await.map_err(|_| password_hash::Error::Internal)?
    }
}

fn is_right(password: &str, hash: Option<PasswordHash>) -> Result<bool, password_hash::Error> {
    let expected = Phc::new(hash.as_ref().map_or(NOBODY, PasswordHash::reveal))?;
    for form in text::passwords(password) {
        match argon2()?.verify_password(form.as_bytes(), &expected) {
            Ok(()) => return Ok(hash.is_some()),
            Err(password_hash::Error::PasswordInvalid) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn argon2() -> Result<Argon2<'static>, password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| password_hash::Error::Internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
