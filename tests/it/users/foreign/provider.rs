//! An OpenID provider of another make, and how somebody signs in there: tests/oidc/server.mjs.

use super::claims;
use anyhow::ensure;
use kit::{Directory, eventually, root, shop::TIMEOUT};
use reqwest::{Method, Response, Url, header, redirect::Policy};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

pub struct Provider {
    directory: Directory,
    port: u16,
    process: Child,
    /// What it prints: it ends when nobody takes that.
    _printed: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    /// One whose key has the name "first", without accounts.
    pub async fn start() -> Self {
        let directory = Directory::new();
        std::fs::write(directory.0.join("accounts.json"), "{}").expect("it can be written");
        let (process, port, printed) = run(&directory, 0, "first").await;
        Self { directory, port, process, _printed: printed }
    }

    /// The same with another key. What it has signed before nobody can check any more.
    pub async fn restart(&mut self, key: &str) {
        self.process.kill().await.expect("it is ours");
        (self.process, self.port, self._printed) = run(&self.directory, self.port, key).await;
    }

    pub async fn stop(&mut self) {
        self.process.kill().await.expect("it is ours");
    }

    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it tells of each account.
    pub fn accounts(&self, accounts: Value) {
        std::fs::write(self.directory.0.join("accounts.json"), accounts.to_string()).expect("it can be written");
    }

    /// What the account brings home from a sign-in: an ID token for the client.
    pub async fn id_token(&self, client: &str, account: &str) -> String {
        let redirect = "http://127.0.0.1/signed-in";
        let query = [
            ("client_id", client),
            ("response_type", "code"),
            ("scope", "openid email profile groups"),
            ("redirect_uri", redirect),
            ("login_hint", account),
        ];
        let (mut cookies, issuer) = (BTreeMap::new(), self.issuer());
        let mut at = Url::parse_with_params(&format!("{issuer}/auth"), query).expect("a URL");
        while at.path() != "/signed-in" {
            let jar: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = browser().get(at.clone()).header(header::COOKIE, jar.join("; "));
            let reply = request.send().await.expect("it answers");
            keep(&mut cookies, &reply);
            let location = reply.headers().get(header::LOCATION).expect("it leads on").to_str().expect("a text");
            at = at.join(location).expect("a URL");
        }
        let code = at.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect)];
        let request = browser().request(Method::POST, format!("{issuer}/token")).basic_auth(client, Some("secret"));
        let reply: Value = request.form(&form).send().await.expect("it answers").json().await.expect("JSON");
        reply["id_token"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    /// Another one, which says that it was issued later than `before`: in a later second.
    pub async fn later_id_token(&self, client: &str, account: &str, before: &str) -> String {
        let issued = |token: &str| claims(token)["iat"].as_i64().expect("seconds");
        eventually(TIMEOUT, || async {
            let token = self.id_token(client, account).await;
            ensure!(issued(&token) > issued(before), "it is that second still");
            Ok(token)
        })
        .await
    }

    /// The setting that takes its tokens.
    pub fn setting(&self) -> String {
        let roles = json!({ "shop-staff": "staff", "shop-support": "support" });
        json!([{ "issuer": self.issuer(), "audience": "comptoir", "roleClaim": "groups", "roles": roles }]).to_string()
    }
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client")
}

fn keep(cookies: &mut BTreeMap<String, String>, reply: &Response) {
    for cookie in reply.headers().get_all(header::SET_COOKIE) {
        let cookie = cookie.to_str().expect("a text").split(';').next().unwrap_or_default();
        let (name, value) = cookie.split_once('=').expect("a cookie");
        cookies.insert(name.to_owned(), value.to_owned());
    }
}

async fn run(directory: &Directory, port: u16, key: &str) -> (Child, u16, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new("node");
    command
        .arg(root().join("tests/oidc/server.mjs"))
        .arg(kit::library("OIDC_DIR", "oidc"))
        .args([&port.to_string(), key]);
    command.arg(directory.0.join("accounts.json"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().expect("node is there");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let port = lines.next_line().await.expect("it can be read").expect("the provider prints its port");
    (process, port.parse().expect("a port"), lines)
}
