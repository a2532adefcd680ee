//! The system that a command talks to: addresses of its services and a staff token.

use crate::{
    Environment,
    dev::state::{self, State},
};
use anyhow::{Context, anyhow, ensure};
use contracts::events::v1::event_service_client::EventServiceClient;
use rpc::Signer;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// Life of a token that is made here; a call needs it at its beginning only.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client of one service.
pub type Client = EventServiceClient<InterceptedService<Channel, Bearer>>;

/// Which system to talk to.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// Data directory of a running `comptoir dev`; its addresses and its key are used
    #[arg(long, value_name = "DIR", default_value = ".comptoir", global = true)]
    pub data: PathBuf,
    /// Addresses of the services of a cluster instead, for example orders=http://10.0.0.4:9004; needs a token
    #[arg(long, value_name = "NAME=URI,…", value_delimiter = ',', value_parser = peer, global = true)]
    pub peers: Vec<(String, String)>,
    /// Access token of a user with the role "staff" [env: COMPTOIR_TOKEN]
    #[arg(long, value_name = "TOKEN", global = true)]
    pub token: Option<String>,
}

/// Where the services are, and as whom they are called.
pub struct System {
    peers: BTreeMap<String, String>,
    token: Token,
    place: String,
}

#[derive(Clone)]
enum Token {
    Given(String),
    Signed(Arc<Signer>),
}

impl Token {
    /// The header of a call. One that is signed here is signed for each call: some commands take longer than a token lives.
    fn header(&self) -> anyhow::Result<MetadataValue<Ascii>> {
        let token = match self {
            Token::Given(token) => token.clone(),
            Token::Signed(signer) => signer.user_token("operator", &["staff".to_owned()], TOKEN_LIFE)?,
        };
        format!("Bearer {token}").parse().context("the token has characters that no token has")
    }
}

impl System {
    /// From the options: `--peers` with a token, or the data directory of a running `comptoir dev`.
    pub fn open(target: &Target, environment: &Environment) -> anyhow::Result<Self> {
        // A token on the command line is seen by every user of the machine, so the variable is there too.
        let given = target.token.clone().or_else(|| environment.get("COMPTOIR_TOKEN").cloned());
        let given = given.filter(|token| !token.is_empty());
        if !target.peers.is_empty() {
            let token = given.context("--peers needs the token of a member of staff: set --token or COMPTOIR_TOKEN")?;
            let peers = target.peers.iter().cloned().collect();
            return Ok(Self { peers, token: Token::Given(token), place: "--peers".to_owned() });
        }
        let state = running(&target.data)?;
        let token = match given {
            Some(token) => Token::Given(token),
            None => Token::Signed(Arc::new(signer(&state)?)),
        };
        Ok(Self { peers: state.grpc, token, place: target.data.display().to_string() })
    }

    /// The services of `names`, or all when there are none.
    pub fn chosen(&self, names: &[String]) -> anyhow::Result<Vec<String>> {
        for name in names {
            self.uri(name)?;
        }
        Ok(if names.is_empty() { self.peers.keys().cloned().collect() } else { names.to_vec() })
    }

    /// A connected client of what a service tells about events.
    pub async fn client(&self, service: &str) -> anyhow::Result<Client> {
        Ok(EventServiceClient::new(self.channel(service).await?))
    }

    /// A connection to a service, with the token.
    pub async fn channel(&self, service: &str) -> anyhow::Result<InterceptedService<Channel, Bearer>> {
        let uri = self.uri(service)?;
        self.token.header()?;
        let endpoint = Endpoint::from_shared(uri.clone()).with_context(|| format!("{uri:?} is not a URI"))?;
        let channel = endpoint
            .connect_timeout(CONNECT_LIMIT)
            .connect()
            .await
            .map_err(|error| anyhow!("{service} does not answer at {uri} ({}): {error}", self.place))?;
        Ok(InterceptedService::new(channel, Bearer(self.token.clone())))
    }

    fn uri(&self, service: &str) -> anyhow::Result<&String> {
        let known = || self.peers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.peers
            .get(service)
            .with_context(|| format!("there is no service {service:?} in {}; known: {}", self.place, known()))
    }
}

/// The state of a `comptoir dev` that runs.
pub(crate) fn running(data: &Path) -> anyhow::Result<State> {
    let none = || {
        let data = data.display();
        anyhow!(
            "no running system in {data}: start one with `make run`, choose another with --data, or name a cluster (see --help)"
        )
    };
    let path = data.join(state::FILE);
    let text = std::fs::read(&path).map_err(|_| none())?;
    let state: State = serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
    let pid =
        state.pids.get("comptoir").and_then(|pid| i32::try_from(*pid).ok()).and_then(rustix::process::Pid::from_raw);
    // A killed `dev` leaves its file: its addresses may belong to other programs by now.
    ensure!(pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok()), none());
    Ok(state)
}

fn signer(state: &State) -> anyhow::Result<Signer> {
    let path = &state.user_token_key_file;
    let pem = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Signer::new(rpc::issuer::user_key_id(path), &pem)?)
}

pub fn peer(text: &str) -> Result<(String, String), String> {
    match text.trim().split_once('=') {
        Some((name, uri)) if !name.is_empty() && uri.contains("://") => Ok((name.to_owned(), uri.to_owned())),
        _ => Err("it is not NAME=URI, for example orders=http://10.0.0.4:9004".to_owned()),
    }
}

/// Adds the token to each call.
#[derive(Clone)]
pub struct Bearer(Token);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let header = self.0.header().map_err(|error| Status::unauthenticated(format!("{error:#}")))?;
        request.metadata_mut().insert("authorization", header);
        Ok(request)
    }
}

/// What a refused call means for the person who made it.
pub fn explain(service: &str, status: &Status) -> anyhow::Error {
    let message = status.message();
    match status.code() {
        Code::Unauthenticated => anyhow!("{service} does not accept the token: {message}"),
        Code::PermissionDenied => {
            anyhow!("{service} refuses: the token must be that of a user with the role \"staff\"")
        }
        Code::Unavailable => anyhow!("{service} cannot do it now: {message}"),
        Code::Unimplemented => anyhow!("{service} cannot do that: {message}"),
        _ => anyhow!("{service}: {message}"),
    }
}

pub fn is_not_found(status: &Status) -> bool {
    status.code() == Code::NotFound
}
