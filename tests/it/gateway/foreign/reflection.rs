//! Schemas that a server tells by its reflection.

use super::{
    Gateway,
    library::{Library, Running, SERVICE, serve, serve_on},
    library_set,
};
use futures::{Stream, StreamExt};
use kit::{Directory, binary, eventually, reply, shop::reason};
use prost::Message;
use prost_reflect::DescriptorPool;
use reqwest::Method;
use serde_json::json;
use std::{
    pin::Pin,
    process::Command,
    sync::{Arc, Mutex},
};
use tokio::net::TcpSocket;
use tonic::{Request, Response, Status, Streaming, service::Routes};
use tonic_reflection::{
    pb::v1::{
        ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
        ServiceResponse, server_reflection_request::MessageRequest as Ask,
        server_reflection_response::MessageResponse as Told,
    },
    server::{Builder, v1::ServerReflection, v1::ServerReflectionServer},
};

const BOOK: &str = "/v1/shelves/s1/books/b1";
const OPEN: [&str; 2] = ["--default-access", "public"];

/// The library with the stock reflection of tonic, in one version.
fn routes(is_v1: bool, set: &[u8]) -> Routes {
    let builder = Builder::configure().register_encoded_file_descriptor_set(set);
    let routes = Routes::new(Library("acme"));
    if is_v1 {
        routes.add_service(builder.build_v1().expect("a reflection"))
    } else {
        routes.add_service(builder.build_v1alpha().expect("a reflection"))
    }
}

/// A gateway that asks `server`.
async fn before(server: &Running, arguments: &[&str]) -> Gateway {
    Gateway::start(Directory::new(), &[&["--reflect", &server.uri], arguments].concat()).await
}

#[tokio::test]
async fn a_schema_is_told_by_reflection_v1_and_by_v1alpha_where_that_is_all() {
    let directory = Directory::new();
    let set = library_set(&directory.0, |text| text);
    for is_v1 in [true, false] {
        let server = serve(routes(is_v1, &set)).await;
        let gateway = before(&server, &OPEN).await;
        assert_eq!(gateway.client().get(BOOK).await.expect(200)["title"], "of acme", "v1: {is_v1}");
        let counted = reply(gateway.client().request(Method::POST, &format!("/{SERVICE}/CountBooks")).json(&json!({})));
        assert_eq!(counted.await.expect(200), json!({"count": 3}), "v1: {is_v1}");
        let hidden = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert_eq!(reply(gateway.client().request(Method::POST, hidden).json(&json!({}))).await.status, 404);
    }
}

#[tokio::test]
async fn what_reflection_tells_is_served_by_that_server_unless_an_upstream_is_named() {
    let directory = Directory::new();
    let server = serve(routes(true, &library_set(&directory.0, |text| text))).await;
    let other = super::library::library("other").await;
    let upstream = format!("acme={}", other.uri);
    let gateway = before(&server, &[&OPEN[..], &["--upstream", &upstream]].concat()).await;
    assert_eq!(gateway.client().get(BOOK).await.expect(200)["title"], "of other");
}

#[tokio::test]
async fn the_gateway_waits_for_a_server_that_is_not_there_and_is_not_ready_until_then() {
    let directory = Directory::new();
    let set = library_set(&directory.0, |text| text);
    // The port is taken already, and nobody listens on it.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let uri = format!("http://{}", socket.local_addr().expect("bound"));
    let gateway = Gateway::spawn(Directory::new(), &[&["--reflect", &uri], &OPEN[..]].concat()).await;
    gateway.logged("nothing is served before the descriptors are there; waiting", 1).await;
    let refused = gateway.client().get(BOOK).await;
    assert_eq!((refused.status, reason(&refused)), (503, "SCHEMA_UNAVAILABLE".to_owned()));
    assert_eq!(gateway.client().get("/readyz").await.status, 503);
    assert_eq!(gateway.client().get("/healthz").await.status, 200);
    let _server = serve_on(socket.listen(16).expect("it listens"), routes(true, &set));
    gateway.ready().await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
    assert_eq!(gateway.count("nothing is served before"), 1, "it is said once");
}

/// A server whose reflection tells what it is made to tell.
struct Telling<T>(T);

#[tonic::async_trait]
impl<T: Fn(&Ask) -> Told + Clone + Send + Sync + 'static> ServerReflection for Telling<T> {
    type ServerReflectionInfoStream = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let tell = self.0.clone();
        let told = request.into_inner().map(move |asked| {
            let message_response = asked?.message_request.map(|ask| tell(&ask));
            Ok(ServerReflectionResponse { message_response, ..Default::default() })
        });
        Ok(Response::new(Box::pin(told)))
    }
}

/// One service, and files that each import another one.
fn without_end(ask: &Ask) -> Told {
    let (name, service) = match ask {
        Ask::ListServices(_) => {
            let service = vec![ServiceResponse { name: "a.B".to_owned() }];
            return Told::ListServicesResponse(ListServiceResponse { service });
        }
        Ask::FileByFilename(name) => (name.clone(), vec![]),
        _ => (
            "1".to_owned(),
            vec![prost_types::ServiceDescriptorProto { name: Some("B".to_owned()), ..Default::default() }],
        ),
    };
    let next = name.parse::<u32>().expect("a number") + 1;
    let package = Some("a".to_owned());
    let file = prost_types::FileDescriptorProto {
        name: Some(name),
        package,
        service,
        dependency: vec![next.to_string()],
        ..Default::default()
    };
    Told::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![file.encode_to_vec()] })
}

/// What is no descriptor.
fn nonsense(ask: &Ask) -> Told {
    match ask {
        Ask::ListServices(_) => without_end(ask),
        _ => Told::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![vec![0xff; 9]] }),
    }
}

/// What a server tells that has the library's own file alone, as it is in `set`.
fn telling(set: Arc<Mutex<Vec<u8>>>) -> impl Fn(&Ask) -> Told + Clone + Send + Sync + 'static {
    move |ask| match ask {
        Ask::ListServices(_) => {
            let service = [SERVICE, "acme.Undescribed", "grpc.health.v1.Health"];
            let service = service.map(|name| ServiceResponse { name: name.to_owned() }).to_vec();
            Told::ListServicesResponse(ListServiceResponse { service })
        }
        Ask::FileContainingSymbol(name) if name == SERVICE => {
            let pool = DescriptorPool::decode(set.lock().expect("no holder panics").as_slice()).expect("it links");
            let file = pool.get_file_by_name("library.proto").expect("it is there").encode_to_vec();
            Told::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![file] })
        }
        _ => {
            let error_message = "not here".to_owned();
            Told::ErrorResponse(ErrorResponse { error_code: tonic::Code::NotFound as i32, error_message })
        }
    }
}

/// Runs `comptoir gateway routes --reflect`; the exit code and what it prints.
fn reflected(uri: &str) -> (Option<i32>, String) {
    let arguments = ["gateway", "routes", "--reflect", uri, "--default-access", "public"];
    let output = Command::new(binary()).args(arguments).env_clear().output().expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

async fn routes_of(uri: String) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(move || reflected(&uri)).await.expect("it ends")
}

#[tokio::test]
async fn reflection_is_bounded_and_what_is_no_descriptor_is_told() {
    for (tell, why) in [
        (without_end as fn(&Ask) -> Told, "there are more than 8192 files"),
        (nonsense, "the answer about a.B is none to what was asked, or no descriptor"),
    ] {
        let server = serve(Routes::new(ServerReflectionServer::new(Telling(tell)))).await;
        let (code, text) = routes_of(server.uri.clone()).await;
        assert!(code == Some(1) && text.contains(why), "{why}: {text}");
    }
    let silent = serve(Routes::new(Library("acme"))).await;
    let (code, text) = routes_of(silent.uri.clone()).await;
    assert!(code == Some(1) && text.contains("neither grpc.reflection.v1 nor v1alpha"), "{text}");
}

#[tokio::test]
async fn routes_and_explanations_are_those_that_reflection_tells() {
    let directory = Directory::new();
    let server = serve(routes(false, &library_set(&directory.0, |text| text))).await;
    let (code, text) = routes_of(server.uri.clone()).await;
    assert_eq!(code, Some(0), "{text}");
    let row = text.lines().find(|line| line.contains("/acme.library.v1.LibraryService/AddBook")).expect("its route");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..2], ["POST", "/v1/{parent=shelves/*}/books"]);
    assert_eq!(cells[3..], ["public", "book", "one"], "{row}");
    let uri = server.uri.clone();
    let explained = tokio::task::spawn_blocking(move || {
        let arguments = ["gateway", "explain", "--reflect", &uri, "GET", BOOK];
        Command::new(binary()).args(arguments).env_clear().output().expect("the binary runs")
    });
    let text = String::from_utf8_lossy(&explained.await.expect("it ends").stdout).into_owned();
    assert!(text.contains("rpc      /acme.library.v1.LibraryService/GetBook"), "{text}");
    assert!(text.contains("access   nobody"), "{text}");
}

#[tokio::test]
async fn a_file_that_everybody_imports_is_there_also_when_the_server_lacks_it() {
    let directory = Directory::new();
    let alone = telling(Arc::new(Mutex::new(library_set(&directory.0, |text| text))));
    let reflection = ServerReflectionServer::new(Telling(alone));
    let server = serve(Routes::new(Library("acme")).add_service(reflection)).await;
    let gateway = before(&server, &OPEN).await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
    assert_eq!(gateway.count("reflection lists a service that it does not describe"), 1);
}

#[tokio::test]
async fn reflection_is_asked_again_by_interval_and_at_sighup() {
    let directory = Directory::new();
    let of =
        |version: &str| library_set(&directory.0, |text| text.replace("/v1/{name=", &format!("/{version}/{{name=")));
    let set = Arc::new(Mutex::new(of("v1")));
    let reflection = ServerReflectionServer::new(Telling(telling(set.clone())));
    let server = serve(Routes::new(Library("acme")).add_service(reflection)).await;
    let by_interval = before(&server, &[&OPEN[..], &["--reflect-interval-seconds", "1"]].concat()).await;
    let at_sighup = before(&server, &[&OPEN[..], &["--reflect-interval-seconds", "0"]].concat()).await;
    *set.lock().expect("no holder panics") = of("v2");
    let book = "/v2/shelves/s1/books/b1";
    eventually(super::WAIT, || async {
        let status = by_interval.client().get(book).await.status;
        anyhow::ensure!(status == 200, "{status}: {}", by_interval.process.tail(5));
        Ok(())
    })
    .await;
    assert_eq!(at_sighup.client().get(book).await.status, 404, "nobody has asked for it");
    at_sighup.hangup();
    at_sighup.logged("\"message\":\"serving\"", 2).await;
    assert_eq!(at_sighup.client().get(book).await.status, 200);
}
