//! The descriptors of a server, as its reflection tells them: `grpc.reflection.v1`, or `v1alpha` where the server does not have
//! that yet (github.com/grpc/grpc/blob/master/doc/server-reflection.md). Both have the same messages.

use crate::{channel::Channel, files};
use bytes::Bytes;
use http::uri::PathAndQuery;
use prost_reflect::prost_types::FileDescriptorProto;
use rpc::tls::{CertificateError, Roots, refused_certificate};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    error::Error as _,
    time::Duration,
};
use tokio::sync::mpsc;
use tonic::{Code, Request, Status, Streaming, client::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ErrorResponse, ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest as Ask,
    server_reflection_response::MessageResponse as Told,
};

/// How long all of it may take: a server with hundreds of files answers within a second.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Files of one server; the largest public API has some thousands.
const MAX_FILES: usize = 8192;

/// Largest single answer, in bytes.
const ANSWER_BYTES: usize = 16 << 20;

const V1: PathAndQuery = PathAndQuery::from_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
const V1ALPHA: PathAndQuery =
    PathAndQuery::from_static("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");

/// Services that every server has for its own sake.
const OF_SERVERS: [&str; 2] = ["grpc.reflection.", "grpc.health."];

/// Why a server did not tell its descriptors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{uri:?} is not the address of a gRPC server such as http://127.0.0.1:50051")]
    Address { uri: String },
    #[error("the server cannot be asked: {:?}, {}", .0.code(), .0.message())]
    Status(Status),
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    #[error("its certificate is refused: {0}; --upstream-ca names authorities of one's own")]
    Certificate(CertificateError),
    #[error("the server has neither grpc.reflection.v1 nor v1alpha")]
    Unimplemented,
    #[error("there was no end of it within {} s", TIMEOUT.as_secs())]
    Timeout,
    #[error("the server ended the stream without an answer about {asked}")]
    Ended { asked: String },
    #[error("the server does not tell {asked}: {message}")]
    Refused { asked: String, message: String },
    #[error("the answer about {asked} is none to what was asked, or no descriptor")]
    Malformed { asked: String },
    #[error("there are more than {MAX_FILES} files or {} bytes", files::LIMIT_BYTES)]
    TooLarge,
}

/// The encoded `google.protobuf.FileDescriptorSet` of all services of the server at `uri`, in an order that does not change
/// by itself. Bounded in time, bytes and files. `roots` sign for a server over https, beside the authorities of the web.
pub async fn descriptors(uri: &str, roots: &Roots) -> Result<Vec<u8>, Error> {
    let channel = Channel::new(uri, roots).ok_or_else(|| Error::Address { uri: uri.to_owned() })?;
    tokio::time::timeout(TIMEOUT, fetch(channel)).await.unwrap_or(Err(Error::Timeout))
}

async fn fetch(channel: Channel) -> Result<Vec<u8>, Error> {
    let found = match Fetch::of(channel.clone(), V1).await {
        Err(Error::Status(status)) if status.code() == Code::Unimplemented => Fetch::of(channel, V1ALPHA).await,
        found => found,
    };
    found.map_err(|error| match error {
        Error::Status(status) if status.code() == Code::Unimplemented => Error::Unimplemented,
        error => error,
    })
}

/// A stream of questions and answers, and what it has told so far.
struct Fetch {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
    files: BTreeMap<String, Bytes>,
    services: BTreeSet<String>,
    /// Files that others import and that have not been told.
    wanted: VecDeque<String>,
    bytes: usize,
}

impl Fetch {
    async fn of(channel: Channel, path: PathAndQuery) -> Result<Vec<u8>, Error> {
        let (questions, asked) = mpsc::channel(1);
        let list = Ask::ListServices("*".to_owned());
        // The first question is there before the call: some servers send no headers before they have been asked.
        let _ = questions.send(question(list.clone())).await; // the receiver is in this function
        let mut client = Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES);
        client.ready().await.map_err(|error| failed(Status::from_error(error.into())))?;
        let asked = futures::stream::unfold(asked, |mut asked| async { Some((asked.recv().await?, asked)) });
        let answers = client.streaming(Request::new(asked), path, ProstCodec::default()).await.map_err(failed)?;
        let (files, services, wanted) = (BTreeMap::new(), BTreeSet::new(), VecDeque::new());
        let mut fetch = Fetch { questions, answers: answers.into_inner(), files, services, wanted, bytes: 0 };
        let Told::ListServicesResponse(told) = fetch.answer("its services").await? else {
            return Err(Error::Malformed { asked: "its services".to_owned() });
        };
        for service in told.service {
            if !OF_SERVERS.iter().any(|own| service.name.starts_with(own)) {
                fetch.service(service.name).await?;
            }
        }
        while let Some(file) = fetch.wanted.pop_front() {
            fetch.file(file).await?;
        }
        Ok(files::set(fetch.files.into_values().collect()))
    }

    /// Asks for the file of a service. A server may list services of which it has no descriptor; those cannot be served.
    async fn service(&mut self, name: String) -> Result<(), Error> {
        if self.services.contains(&name) {
            return Ok(());
        }
        match self.ask(Ask::FileContainingSymbol(name.clone()), &name).await {
            Err(Error::Refused { asked, message }) => {
                tracing::warn!(service = asked, message, "reflection lists a service that it does not describe");
                Ok(())
            }
            Err(error) => Err(error),
            Ok(told) => self.note(told, &name),
        }
    }

    /// Asks for a file. Some servers don't have those that everybody imports.
    async fn file(&mut self, name: String) -> Result<(), Error> {
        if self.files.contains_key(&name) {
            return Ok(());
        }
        let told = match self.ask(Ask::FileByFilename(name.clone()), &name).await {
            Err(Error::Refused { asked, message }) => {
                vec![files::known(&name).ok_or(Error::Refused { asked, message })?]
            }
            told => told?,
        };
        self.note(told, &name)?;
        if self.files.contains_key(&name) { Ok(()) } else { Err(Error::Malformed { asked: name }) }
    }

    async fn ask(&mut self, ask: Ask, asked: &str) -> Result<Vec<Bytes>, Error> {
        // When nobody takes questions any more, the stream tells why.
        let _ = self.questions.send(question(ask)).await;
        match self.answer(asked).await? {
            Told::FileDescriptorResponse(files) => {
                Ok(files.file_descriptor_proto.into_iter().map(Bytes::from).collect())
            }
            _ => Err(Error::Malformed { asked: asked.to_owned() }),
        }
    }

    async fn answer(&mut self, asked: &str) -> Result<Told, Error> {
        let answer = self.answers.message().await.map_err(failed)?;
        let ended = || Error::Ended { asked: asked.to_owned() };
        match answer.ok_or_else(ended)?.message_response {
            Some(Told::ErrorResponse(ErrorResponse { error_code, error_message })) => {
                let message = format!("{:?}, {error_message}", Code::from_i32(error_code));
                Err(Error::Refused { asked: asked.to_owned(), message })
            }
            Some(told) => Ok(told),
            None => Err(Error::Malformed { asked: asked.to_owned() }),
        }
    }

    /// Notes files, and what they import.
    fn note(&mut self, told: Vec<Bytes>, asked: &str) -> Result<(), Error> {
        for encoded in told {
            let malformed = || Error::Malformed { asked: asked.to_owned() };
            let file: FileDescriptorProto = prost::Message::decode(encoded.clone()).map_err(|_| malformed())?;
            let name = |service: &str| match file.package() {
                "" => service.to_owned(),
                package => format!("{package}.{service}"),
            };
            self.services.extend(file.service.iter().map(|service| name(service.name())));
            self.wanted.extend(file.dependency.iter().filter(|other| !self.files.contains_key(*other)).cloned());
            let length = encoded.len();
            // Servers tell a file again with each that imports it.
            if self.files.insert(file.name().to_owned(), encoded).is_none() {
                self.bytes += length;
            }
            if self.files.len() > MAX_FILES || self.bytes > files::LIMIT_BYTES {
                return Err(Error::TooLarge);
            }
        }
        Ok(())
    }
}

/// What a status of tonic is about: the answer of the server, or that there was none.
fn failed(status: Status) -> Error {
    let Some(mut cause) = status.source() else { return Error::Status(status) };
    if let Some(why) = refused_certificate(cause) {
        return Error::Certificate(why.clone());
    }
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Error::Unreachable(cause.to_string())
}

fn question(ask: Ask) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(ask) }
}
