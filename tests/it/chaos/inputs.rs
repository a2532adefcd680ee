//! What strangers and large customers send, while others order: webhooks for charges that nobody knows, connections on
//! which nothing comes, orders of a hundred lines. After each the system holds what it promises.
//!
//! `make chaos-inputs` plays ROUNDS=10 of each; a run of all tests plays one.

use super::{
    frame::{self, Plan, System},
    split_stack::SplitStack,
};
use crate::payments::{
    Payments,
    webhooks::{event, heard, seconds, signed},
};
use anyhow::ensure;
use contracts::id::Kind as Id;
use kit::shop::{TIMEOUT, draft, id, order_with, place, product};
use kit::{Client, eventually};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Customers who order all the while.
const CUSTOMERS: usize = 3;

/// Means of payment whose webhooks come before, after, twice or in another order than the replies.
const TOKENS: [&str; 5] = ["tok_visa", "tok_webhook_first", "tok_webhook_reordered", "tok_timeout", "tok_webhook_late"];

/// Webhooks of strangers in one round.
const FOREIGN: usize = 300;

/// Orders of the same round whose own webhooks come in another order.
const OWN: usize = 3;

/// Silent connections to each listener in one round.
const SILENT: usize = 200;

/// The address that the silent connections come from; who orders comes from another.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// How long a silent connection may stay open: the limits of the services, and a loaded machine.
const CLOSED_WITHIN: Duration = Duration::from_secs(90);

/// Large orders in one round, and their lines.
const LARGE: usize = 50;
const LINES: usize = 100;

#[derive(Debug, Clone, Copy)]
enum Fault {
    ForeignWebhooks,
    SilentConnections,
    LargeOrders,
}

impl Fault {
    const ALL: [Self; 3] = [Self::ForeignWebhooks, Self::SilentConnections, Self::LargeOrders];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ForeignWebhooks => "webhooks for unknown charges",
            Self::SilentConnections => "silent connections",
            Self::LargeOrders => "orders of 100 lines",
        })
    }
}

impl Plan for Fault {
    fn draw(seed: u64) -> Self {
        Self::ALL[usize::try_from(seed).expect("small") % Self::ALL.len()]
    }

    fn rows(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

/// The system. Payments is a process of its own, so that it can be killed.
struct Cluster {
    system: SplitStack,
    product: String,
    http: reqwest::Client,
}

impl System for Cluster {
    type Plan = Fault;
    const RUNS: usize = usize::MAX;

    async fn open() -> Self {
        let system = SplitStack::start(&["payments"]).await;
        let product = product(&system.stack, 1_000_000).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("the options are valid");
        Self { system, product, http }
    }

    async fn play(&mut self, fault: &Fault) -> anyhow::Result<bool> {
        let enough = AtomicBool::new(false);
        let input = async {
            match fault {
                Fault::ForeignWebhooks => self.foreign_webhooks().await,
                Fault::SilentConnections => self.silent_connections().await,
                Fault::LargeOrders => self.large_orders().await,
            }
            enough.store(true, Ordering::Relaxed);
        };
        let customers = futures::future::join_all((0..CUSTOMERS).map(|_| self.keep_ordering(&enough)));
        tokio::join!(input, customers);
        self.system.is_sound().await;
        Ok(true)
    }

    async fn close(self) {
        self.system.stop().await;
    }
}

impl Cluster {
    /// Orders until there is enough; each order is answered, and confirmed.
    async fn keep_ordering(&self, enough: &AtomicBool) {
        let (customer, _) = Client::register(&self.system.stack).await;
        for token in TOKENS.into_iter().cycle() {
            let key = format!("{:032x}", rand::random::<u128>());
            let order = eventually(TIMEOUT, || async {
                let body = draft(&[(&self.product, 1)], token);
                let reply = customer.post_with_key("/v1/orders", body, &key).await;
                ensure!(reply.status == 201, "{reply:?}");
                Ok(reply.body)
            })
            .await;
            order_with(&customer, &order, "state", "CONFIRMED").await;
            if enough.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Sends them with a good signature, and kills payments while they wait in its inbox.
    async fn foreign_webhooks(&self) {
        for number in 0..FOREIGN {
            self.webhook(&Id::Payment.new_id()).await;
            if number == FOREIGN / 2 {
                self.system.kill("payments").await;
            }
        }
        self.own_webhooks().await;
    }

    /// Sells and sends with a means of payment whose webhooks come in another order, behind those of the strangers.
    async fn own_webhooks(&self) {
        let (customer, staff) = (Client::register(&self.system.stack).await.0, Client::staff(&self.system.stack).await);
        let payments = Payments::connect(&self.system.stack).await;
        for _ in 0..OWN {
            let order = place(&customer, &[(&self.product, 1)], "tok_webhook_reordered").await;
            let planned = order_with(&customer, &order, "shipmentState", "CREATED").await;
            let dispatch = format!("/v1/shipments/{}:dispatch", id(&planned, "shipmentId"));
            staff.post(&dispatch, json!({})).await.expect(200);
            let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
            heard(&self.system.stack, &payments, id(&shipped, "paymentId")).await;
        }
    }

    /// Sends a webhook about a payment, again until it is taken.
    async fn webhook(&self, payment: &str) {
        let event = event(payment, "authorized");
        eventually(TIMEOUT, || async {
            let signature = signed(&self.system.stack, &event, seconds()).unwrap_or_default();
            let request = self.http.post(&self.system.stack.state().webhook_url).header("webhook-signature", signature);
            let reply = request.body(event.to_string()).send().await?;
            ensure!(reply.status() == 200, "{reply:?}");
            Ok(())
        })
        .await;
    }

    /// Connects to the gateway, to orders and to the webhooks of payments, says half a header or nothing, and waits
    /// until each connection has been closed.
    async fn silent_connections(&self) {
        let http = ["GET /v1/products HTTP/1.1\r\nHost: shop\r\nX-Half", ""];
        let grpc = ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""];
        let listeners = [
            (self.system.stack.gateway().to_owned(), http),
            (self.system.stack.grpc("orders").to_owned(), grpc),
            (self.system.stack.state().webhook_url.clone(), http),
        ];
        let mut open = Vec::new();
        for (address, said) in listeners {
            let address = socket(&address);
            for number in 0..SILENT {
                open.extend(connect(address, said[number % said.len()]).await.map(|connection| (address, connection)));
            }
        }
        let all = open.into_iter().map(|(address, connection)| async move {
            let closed = tokio::time::timeout(CLOSED_WITHIN, read_to_end(connection)).await;
            assert!(closed.is_ok(), "{address} keeps a connection on which nothing comes");
        });
        futures::future::join_all(all).await;
    }

    /// Places them, and reads all of them back, page by page, from the gateway.
    async fn large_orders(&self) {
        let (customer, _) = Client::register(&self.system.stack).await;
        let lines = vec![(self.product.as_str(), 1); LINES];
        let mut placed = BTreeSet::new();
        for _ in 0..LARGE {
            let order = customer.post("/v1/orders", draft(&lines, "tok_visa")).await.expect(201);
            placed.insert(id(&order, "orderId").to_owned());
        }
        let (mut listed, mut token) = (Vec::new(), String::new());
        loop {
            let page = customer.get(&format!("/v1/orders?pageSize=100&pageToken={token}")).await.expect(200);
            let orders = page["orders"].as_array().cloned().unwrap_or_default();
            listed.extend(orders.iter().map(|order| id(order, "orderId").to_owned()));
            token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(listed.len(), placed.len(), "each order is listed once");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), placed);
    }
}

/// The address in `http://host:port/path`.
fn socket(url: &str) -> SocketAddr {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    host.parse().expect("an address and a port")
}

/// A connection from the stranger's address that has said `text`; none when the listener refuses more of them.
async fn connect(address: SocketAddr, text: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.bind((STRANGER, 0).into()).expect("all of 127.0.0.0/8 is this machine");
    let mut connection = socket.connect(address).await.ok()?;
    connection.write_all(text.as_bytes()).await.ok()?;
    Some(connection)
}

/// Reads whatever comes until the other side has closed.
async fn read_to_end(mut connection: TcpStream) {
    let mut buffer = [0; 1024];
    while connection.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_strangers_and_large_customers_send_others_are_served() {
    let rounds = frame::number("ROUNDS").unwrap_or(1);
    frame::play::<Cluster>((0..rounds * Fault::ALL.len() as u64).collect(), 1).await;
}
