//! Who may call what: every RPC of the contracts by every kind of caller, over gRPC at its service and over JSON at the gateway.
//!
//! `access/matrix.txt` is written by hand: an access option that changes fails here until its row says the same.

mod doors;

use anyhow::ensure;
use doors::{Answer, Door};
use kit::shop::{TIMEOUT, place, product, with_shipment};
use kit::{Client, Stack, eventually, shared};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde_json::json;
use std::{collections::BTreeMap, fmt, time::Duration};

const MATRIX: &str = include_str!("access/matrix.txt");

/// Who calls.
#[derive(Clone, Debug, PartialEq)]
enum Caller {
    Anonymous,
    /// A customer, of whom the resource is.
    Owner,
    /// Another customer.
    Other,
    Support,
    Staff,
    Admin,
    /// A program with the role of staff.
    Client,
    Service(String),
}

/// What a caller gets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// The call is refused for want of a token.
    SignIn,
    /// The call is refused.
    Forbidden,
    /// The RPC, or the resource, does not exist for this caller.
    Hidden,
    /// The caller is admitted; the request itself may be wrong.
    Admitted,
    /// The caller is admitted, and the resource is there.
    Found,
}

/// Who may call an RPC, as its row says.
struct Row(Vec<String>);

impl Row {
    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|found| found == word)
    }

    /// Whether the gateway knows the RPC.
    fn is_reachable(&self) -> bool {
        ["public", "user", "owner", "support", "staff", "admin"].iter().any(|word| self.has(word))
    }

    fn expected(&self, caller: &Caller, door: Door) -> Expected {
        if door == Door::Json && !self.is_reachable() {
            return Expected::Hidden;
        }
        let is_admitted = self.has("public")
            || match caller {
                Caller::Anonymous => return Expected::SignIn,
                Caller::Service(name) => self.has(&format!("service:{name}")),
                // No user, whatever its role: what is for users alone is not for it.
                Caller::Client => self.has("staff"),
                _ if self.has("user") => true,
                Caller::Owner if self.has("owner") => return Expected::Found,
                Caller::Other if self.has("owner") => return Expected::Hidden,
                Caller::Owner | Caller::Other => false,
                role if self.has(&role.to_string()) => true,
                // A customer, to whom nothing of it belongs.
                _ if self.has("owner") => return Expected::Hidden,
                _ => false,
            };
        if is_admitted { Expected::Admitted } else { Expected::Forbidden }
    }
}

impl Expected {
    fn is(self, answer: Answer) -> bool {
        match self {
            Expected::SignIn => answer == Answer::Unauthenticated,
            Expected::Forbidden => answer == Answer::Denied,
            Expected::Hidden => answer == Answer::NotFound,
            Expected::Admitted => matches!(answer, Answer::NotFound | Answer::Other),
            Expected::Found => answer == Answer::Other,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Service(name) => write!(out, "service:{name}"),
            other => write!(out, "{}", format!("{other:?}").to_lowercase()),
        }
    }
}

/// The rows by the full names of their RPCs.
fn rows() -> BTreeMap<String, Row> {
    let lines = MATRIX.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (format!("comptoir.{}", words.next().expect("a name")), Row(words.collect()))
    };
    lines.map(row).collect()
}

fn rpcs() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts");
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn name(rpc: &MethodDescriptor) -> String {
    format!("{}/{}", rpc.parent_service().full_name(), rpc.name())
}

/// Resources of a customer, by the names of the fields that name them.
struct Resources {
    owner: Client,
    fields: BTreeMap<&'static str, String>,
}

impl Resources {
    async fn new(stack: &Stack) -> Self {
        let (owner, user) = Client::register(stack).await;
        let product = product(stack, 1).await;
        let order = with_shipment(&owner, place(&owner, &[(&product, 1)], "tok_visa").await).await;
        let listed = format!("/v1/order-history/{}", order["orderId"].as_str().expect("a text"));
        // The read model follows.
        eventually(TIMEOUT, || async {
            ensure!(owner.get(&listed).await.status == 200, "{listed}");
            Ok(())
        })
        .await;
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let fields = BTreeMap::from([
            ("user_id", text(&user["userId"])),
            ("name", "Another Name".to_owned()),
            ("order_id", text(&order["orderId"])),
            ("payment_id", text(&order["paymentId"])),
            ("shipment_id", text(&order["shipmentId"])),
        ]);
        Resources { owner, fields }
    }
}

/// The callers, and their tokens; none of the owner, who has resources.
struct Callers {
    other: Client,
    support: Client,
    staff: Client,
    admin: Client,
    client: String,
    services: BTreeMap<String, rpc::Signer>,
}

impl Callers {
    async fn new(stack: &Stack) -> Self {
        let signer = |service: &String| {
            let pem = std::fs::read_to_string(stack.data().join(format!("keys/{service}.pem"))).expect("its key");
            rpc::Signer::new(service, &pem).expect("a key")
        };
        let services = topology::Topology::get().service.keys();
        let admin = Client::admin(stack).await;
        Callers {
            other: Client::register(stack).await.0,
            support: Client::support(stack).await,
            staff: Client::staff(stack).await,
            client: Self::client(stack, &admin).await,
            admin,
            services: services.map(|service| (service.clone(), signer(service))).collect(),
        }
    }

    /// The token of a new client.
    async fn client(stack: &Stack, admin: &Client) -> String {
        let made = admin.post("/v1/clients", json!({ "name": "Matrix", "role": "staff" })).await.expect(201);
        let (id, secret) = (&made["client"]["clientId"], &made["clientSecret"]);
        let grant = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
        let token = Client::anonymous(stack).post("/oauth2/token", grant).await.expect(200);
        token["access_token"].as_str().expect("a token").to_owned()
    }

    /// All of them; those who may change what others look for come last.
    fn all(&self) -> Vec<Caller> {
        let services = self.services.keys().cloned().map(Caller::Service);
        let last = [Caller::Owner, Caller::Client, Caller::Support, Caller::Staff, Caller::Admin];
        [Caller::Anonymous, Caller::Other].into_iter().chain(services).chain(last).collect()
    }

    fn token(&self, caller: &Caller, owner: &Client) -> Option<String> {
        match caller {
            Caller::Anonymous => None,
            Caller::Owner => owner.token().map(str::to_owned),
            Caller::Other => self.other.token().map(str::to_owned),
            Caller::Support => self.support.token().map(str::to_owned),
            Caller::Staff => self.staff.token().map(str::to_owned),
            Caller::Admin => self.admin.token().map(str::to_owned),
            Caller::Client => Some(self.client.clone()),
            // Of a short life: made anew when it ends.
            Caller::Service(name) => Some(self.services[name].service_token().expect("a token")),
        }
    }
}

#[test]
fn every_rpc_has_its_row_in_the_matrix_and_every_row_its_rpc() {
    let rpcs: Vec<String> = rpcs().iter().map(name).collect();
    let rows = rows();
    let lacking: Vec<&String> = rpcs.iter().filter(|rpc| !rows.contains_key(*rpc)).collect();
    let left: Vec<&String> = rows.keys().filter(|row| !rpcs.contains(row)).collect();
    assert!(lacking.is_empty() && left.is_empty(), "access/matrix.txt lacks {lacking:?} and has in vain {left:?}");
}

#[tokio::test]
async fn each_rpc_admits_the_callers_of_its_row_through_both_doors_and_no_others() {
    let stack = shared().await;
    let (callers, rows) = (Callers::new(stack).await, rows());
    let (mut calls, mut wrong) = (0, Vec::new());
    let shared_resources = Resources::new(stack).await;
    for rpc in rpcs() {
        let row = &rows[&name(&rpc)];
        let own = if row.has("owner") { Some(Resources::new(stack).await) } else { None };
        // Every service tells its own events, so the gateway has no one server of them.
        let is_of_one = topology::Topology::get().by_proto(rpc.parent_service().package_name()).is_some();
        for door in [Door::Grpc, Door::Json].into_iter().filter(|door| is_of_one || *door == Door::Grpc) {
            for caller in callers.all() {
                let expected = row.expected(&caller, door);
                // What is deleted once is there for nobody else.
                let again =
                    rpc.name().starts_with("Delete") && matches!(expected, Expected::Found | Expected::Admitted);
                let fresh = if again { Some(Resources::new(stack).await) } else { None };
                let resources = fresh.as_ref().or(own.as_ref()).unwrap_or(&shared_resources);
                let fields = if row.has("owner") { resources.fields.clone() } else { BTreeMap::new() };
                let token = callers.token(&caller, &resources.owner);
                let answer =
                    tokio::time::timeout(Duration::from_secs(60), door.call(stack, &rpc, token.as_deref(), &fields));
                let answer = answer.await.unwrap_or_else(|_| panic!("{} as {caller} takes too long", name(&rpc)));
                calls += 1;
                if !expected.is(answer.0) {
                    wrong.push(format!("{} as {caller} over {door:?}: {expected:?}, not {answer:?}", name(&rpc)));
                }
            }
        }
    }
    println!("{calls} calls of {} RPCs by {} callers", rows.len(), callers.all().len());
    assert!(wrong.is_empty(), "{} of {calls}:\n{}", wrong.len(), wrong.join("\n"));
}
