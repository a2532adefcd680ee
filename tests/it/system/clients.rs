//! The clients of clients/, over the stubs that `make stubs` writes: each is checked by its compiler, then places an order over
//! gRPC and one over JSON.

use kit::shop::product;
use kit::{Client, root, shared};
use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tokio::process::Command;

/// A client beside its stubs, in a folder that goes when the test has passed.
struct Workshop {
    folder: PathBuf,
    client: PathBuf,
}

impl Workshop {
    async fn open(language: &str) -> Self {
        // The prefix of kit's own folders, which the next test run removes should this one fail.
        let folder = env::temp_dir().join(format!("comptoir-test-{}-{language}", std::process::id()));
        let client = folder.join("clients").join(language);
        fs::create_dir_all(&client).expect("the temporary directory can be written");
        for entry in fs::read_dir(root().join("clients").join(language)).expect("the client is there").flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), client.join(entry.file_name())).expect("a file can be copied");
            }
        }
        let workshop = Self { folder, client };
        let mut make = Command::new("make");
        // The make that runs the tests leaves its own options and job server to those it starts.
        make.args(["stubs", &format!("LANGUAGES={language}")]).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        let stubs = format!("STUBS={}", workshop.folder.join("stubs").display());
        done(make.arg(stubs).current_dir(root()).kill_on_drop(true)).await;
        workshop
    }

    /// A program, in the client's folder. Python finds the stubs and what they import; the others do not look there.
    fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let path = [self.folder.join("stubs/python"), tool("STUBS_DIR", "stubs").join("python")];
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.client).kill_on_drop(true);
        // No proxy is asked for what is on this machine.
        command.env("PYTHONPATH", env::join_paths(path).expect("paths without a colon")).env("no_proxy", "127.0.0.1");
        command
    }

    /// Runs the client, whose orders must be there then; and once more for a product that does not exist.
    async fn order(self, program: impl AsRef<OsStr>, arguments: &[&str]) {
        let stack = shared().await;
        let run = |id: &str| self.command(&program, &[arguments, &[stack.gateway(), id]].concat());
        let id = product(stack, 2).await;
        let printed = done(&mut run(&id)).await;
        let staff = Client::staff(stack).await;
        for over in ["gRPC", "JSON"] {
            let line = printed.lines().find(|line| line.starts_with(over));
            let mut words = line.unwrap_or_else(|| panic!("no {over} in {printed}")).split_whitespace();
            let order = words.nth(1).expect("the line has the order");
            let order = staff.get(&format!("/v1/orders/{order}")).await.expect(200);
            assert_eq!(order["state"], "CONFIRMED", "{printed}");
            assert_eq!(order["items"][0]["productId"], id, "{printed}");
            assert!(
                printed.contains(order["userId"].as_str().expect("text")),
                "{order} is of somebody else: {printed}"
            );
        }
        let refused = run("prd_none").output().await.expect("the client runs");
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(error.contains("\"products/prd_none\" was not found"), "{error}");
        fs::remove_dir_all(self.folder).expect("what was written can be removed");
    }
}

/// What a program prints that must succeed.
async fn done(command: &mut Command) -> String {
    let output = command.output().await.unwrap_or_else(|error| panic!("{command:?}: {error}; mend: make tools"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?} ends with {}:\n{printed}{errors}", output.status);
    printed
}

fn tool(variable: &str, name: &str) -> PathBuf {
    env::var_os(variable).unwrap_or_else(|| root().join(".tools").join(name).into()).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typescript_client_places_an_order_over_grpc_and_over_json() {
    let workshop = Workshop::open("typescript").await;
    let packages = tool("STUBS_DIR", "stubs").join("node_modules");
    link_packages(&packages, &workshop.folder);
    done(&mut workshop.command(packages.join(".bin/tsc"), &[])).await;
    workshop.order("node", &["build/order.js"]).await;
}

/// What `npm install` would bring, without npm.
fn link_packages(packages: &Path, folder: &Path) {
    let modules = folder.join("node_modules");
    fs::create_dir_all(modules.join("@comptoir")).expect("the folder can be written");
    let link = |from: PathBuf, name: &str| symlink(from, modules.join(name)).expect("a link can be made");
    link(folder.join("stubs/typescript"), "@comptoir/stubs");
    for name in ["@bufbuild", "@connectrpc", "@types", "undici-types"] {
        link(packages.join(name), name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_places_an_order_over_grpc_and_over_json() {
    let workshop = Workshop::open("python").await;
    done(&mut workshop.command(tool("STUBS_DIR", "stubs").join("node_modules/.bin/pyright"), &[])).await;
    workshop.order("python3", &["order.py"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_go_client_places_an_order_over_grpc_and_over_json() {
    let workshop = Workshop::open("go").await;
    let go = tool("GO_BIN", "go");
    done(&mut workshop.command(&go, &["vet", "-trimpath", "./..."])).await;
    done(&mut workshop.command(&go, &["build", "-trimpath", "-o", "order", "."])).await;
    let program = workshop.client.join("order");
    workshop.order(program, &[]).await;
}
