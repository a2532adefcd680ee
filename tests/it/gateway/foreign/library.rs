//! A gRPC server that is not ours: tonic, its own contract, no health service. What a generator would write of
//! `library.proto` is written by hand.

use futures::{Stream, StreamExt, stream};
use std::{collections::HashMap, convert::Infallible, pin::Pin, task, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codegen::{BoxFuture, Service},
    server::{ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService},
    service::Routes,
    transport::Server,
};
use tonic_prost::ProstCodec;

/// Streams at once on a connection, as many as servers often allow.
pub const STREAMS: u32 = 100;

pub const SERVICE: &str = "acme.library.v1.LibraryService";

#[derive(Clone, PartialEq, prost::Message)]
pub struct Book {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub title: String,
    #[prost(int64, tag = "3")]
    pub pages: i64,
    #[prost(map = "string, string", tag = "4")]
    pub headers: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct GetBookRequest {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AddBookRequest {
    #[prost(string, tag = "1")]
    parent: String,
    #[prost(message, optional, tag = "2")]
    book: Option<Book>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CountBooksRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CountBooksResponse {
    #[prost(int32, tag = "1")]
    pub count: i32,
}

/// The service; its books tell the library that they are of.
#[derive(Clone)]
pub struct Library(pub &'static str);

impl Library {
    fn book<T>(&self, request: &Request<T>, name: &str) -> Result<Book, Status> {
        if name.ends_with("/lost") {
            return Err(refusal(tonic::Code::NotFound, "LOST", "this book was lost"));
        }
        if name.ends_with("/away") {
            return Err(refusal(tonic::Code::Unavailable, "AWAY", "this book is away"));
        }
        let text = |value: &tonic::metadata::AsciiMetadataValue| value.to_str().unwrap_or_default().to_owned();
        let headers = ["x-tenant", "x-other", "authorization"]
            .into_iter()
            .filter_map(|header| Some((header.to_owned(), text(request.metadata().get(header)?))));
        let headers = headers.collect();
        Ok(Book { name: name.to_owned(), title: format!("of {}", self.0), pages: 9_007_199_254_740_993, headers })
    }
}

/// A refusal with details, as others give them.
fn refusal(code: tonic::Code, reason: &str, message: &str) -> Status {
    use tonic_types::{ErrorDetails, StatusExt};
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "library.example", HashMap::new()))
}

impl UnaryService<GetBookRequest> for Library {
    type Response = Book;
    type Future = BoxFuture<Response<Book>, Status>;

    fn call(&mut self, request: Request<GetBookRequest>) -> Self::Future {
        let library = self.clone();
        Box::pin(async move {
            let name = &request.get_ref().name;
            if name.ends_with("/stuck") {
                std::future::pending::<()>().await;
            }
            if name.ends_with("/slow") {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            library.book(&request, name).map(Response::new)
        })
    }
}

impl UnaryService<AddBookRequest> for Library {
    type Response = Book;
    type Future = BoxFuture<Response<Book>, Status>;

    fn call(&mut self, request: Request<AddBookRequest>) -> Self::Future {
        let AddBookRequest { parent, book } = request.into_inner();
        let book = book.unwrap_or_default();
        Box::pin(async move { Ok(Response::new(Book { name: format!("{parent}/books/new"), ..book })) })
    }
}

impl UnaryService<CountBooksRequest> for Library {
    type Response = CountBooksResponse;
    type Future = BoxFuture<Response<CountBooksResponse>, Status>;

    fn call(&mut self, _: Request<CountBooksRequest>) -> Self::Future {
        Box::pin(async { Ok(Response::new(CountBooksResponse { count: 3 })) })
    }
}

impl ClientStreamingService<AddBookRequest> for Library {
    type Response = CountBooksResponse;
    type Future = BoxFuture<Response<CountBooksResponse>, Status>;

    fn call(&mut self, request: Request<Streaming<AddBookRequest>>) -> Self::Future {
        Box::pin(async move {
            let count = request.into_inner().collect::<Vec<_>>().await.len();
            Ok(Response::new(CountBooksResponse { count: i32::try_from(count).unwrap_or_default() }))
        })
    }
}

impl ServerStreamingService<GetBookRequest> for Library {
    type Response = Book;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Book, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    /// A book each 20 ms, with the number of the message as its pages.
    fn call(&mut self, request: Request<GetBookRequest>) -> Self::Future {
        let (library, name) = (self.clone(), request.get_ref().name.clone());
        Box::pin(async move {
            let books = stream::iter(1..).then(move |pages| {
                let book = library.book(&request, &name).map(|book| Book { pages, ..book });
                async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    book
                }
            });
            Ok(Response::new(Box::pin(books) as Self::ResponseStream))
        })
    }
}

impl StreamingService<AddBookRequest> for Library {
    type Response = Book;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Book, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<AddBookRequest>>) -> Self::Future {
        let book = |AddBookRequest { parent, book }| {
            let book = book.unwrap_or_default();
            Book { name: format!("{parent}/books/{}", book.title), ..book }
        };
        let books = request.into_inner().map(move |added| added.map(book));
        Box::pin(async { Ok(Response::new(Box::pin(books) as Self::ResponseStream)) })
    }
}

impl NamedService for Library {
    const NAME: &'static str = SERVICE;
}

impl Service<http::Request<Body>> for Library {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let library = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "GetBook" => Grpc::new(ProstCodec::<Book, GetBookRequest>::default()).unary(library, request).await,
                "AddBook" => Grpc::new(ProstCodec::<Book, AddBookRequest>::default()).unary(library, request).await,
                "CountBooks" => {
                    let codec = ProstCodec::<CountBooksResponse, CountBooksRequest>::default();
                    Grpc::new(codec).unary(library, request).await
                }
                "SortBooks" => {
                    let codec = ProstCodec::<CountBooksResponse, AddBookRequest>::default();
                    Grpc::new(codec).client_streaming(library, request).await
                }
                "EchoBooks" => {
                    Grpc::new(ProstCodec::<Book, AddBookRequest>::default()).streaming(library, request).await
                }
                "WatchBook" => {
                    let codec = ProstCodec::<Book, GetBookRequest>::default();
                    Grpc::new(codec).server_streaming(library, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A running server; it ends with the guard.
pub struct Running {
    pub uri: String,
    _stop: DropGuard,
}

/// Serves `routes` on a free port.
pub async fn serve(routes: Routes) -> Running {
    serve_on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), routes)
}

pub fn serve_on(listener: TcpListener, routes: Routes) -> Running {
    serve_with(Server::builder(), listener, routes)
}

/// Serves `routes` on a free port, over what `builder` speaks.
pub async fn serve_over(builder: Server, routes: Routes) -> Running {
    serve_with(builder, TcpListener::bind("127.0.0.1:0").await.expect("a free port"), routes)
}

fn serve_with(builder: Server, listener: TcpListener, routes: Routes) -> Running {
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let stop = CancellationToken::new();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let serving = builder
        .max_concurrent_streams(STREAMS)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::spawn(serving);
    Running { uri, _stop: stop.drop_guard() }
}

/// A library without reflection.
pub async fn library(name: &'static str) -> Running {
    serve(Routes::new(Library(name))).await
}
