//! Which RPCs a run of the tests has called: with `COMPTOIR_RPC_COVERAGE=<file>` each answered call is a line of the file.
//!
//! Release builds have none of this.

/// Appends the path of an RPC to the file that a test run asked for.
#[cfg(debug_assertions)]
pub fn rpc_answered(path: &str) {
    use std::{fs::File, io::Write, sync::LazyLock};
    static FILE: LazyLock<Option<File>> = LazyLock::new(|| {
        let path = std::env::var_os("COMPTOIR_RPC_COVERAGE")?;
        let file = File::options().create(true).append(true).open(path);
        Some(file.expect("COMPTOIR_RPC_COVERAGE names a file that can be written"))
    });
    if let Some(mut file) = FILE.as_ref() {
        // Many processes append to the file at once: a line that is one write to a file opened for appending stays whole.
        file.write_all(format!("{path}\n").as_bytes()).expect("the file of COMPTOIR_RPC_COVERAGE can be written");
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn rpc_answered(_path: &str) {}
