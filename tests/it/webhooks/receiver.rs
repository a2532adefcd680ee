//! The integrator's side: an HTTP server that keeps what it gets, and answers as it was told for a type of event.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde_json::Value;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    /// 302 to this URL.
    Redirect(String),
    /// None, for as long as the other side waits.
    Silence,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Taken {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: String,
}

impl Taken {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn event_type(&self) -> String {
        self.json()["type"].as_str().expect("a text").to_owned()
    }
}

#[derive(Default)]
struct Book {
    taken: Mutex<Vec<Taken>>,
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
}

pub struct Receiver {
    port: u16,
    book: Arc<Book>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (port, book) = (listener.local_addr().expect("an address").port(), Arc::new(Book::default()));
        let app = Router::new().fallback(take).with_state(book.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { port, book, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers the next requests about events of this type so; 200 after them.
    pub fn answer(&self, event_type: &str, answers: impl IntoIterator<Item = Answer>) {
        self.book.answers.lock().expect("a lock").entry(event_type.to_owned()).or_default().extend(answers);
    }

    /// Forgets what it was told to answer.
    pub fn recover(&self) {
        self.book.answers.lock().expect("a lock").clear();
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.book.taken.lock().expect("a lock").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(book): State<Arc<Book>>, uri: Uri, headers: HeaderMap, request: Request) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let taken = Taken {
        path: uri.path().to_owned(),
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: String::from_utf8(body.into()).expect("UTF-8"),
    };
    let event_type = taken.event_type();
    book.taken.lock().expect("a lock").push(taken);
    let answer = book.answers.lock().expect("a lock").get_mut(&event_type).and_then(VecDeque::pop_front);
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).expect("a status").into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Some(Answer::Silence) => std::future::pending().await,
    }
}
