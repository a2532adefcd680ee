//! `grpc.reflection.v1` and `v1alpha`: the contracts, for grpcurl and other callers without stubs.
//!
//! Written here because tonic-reflection serves no extensions and ends the stream at the first unknown name; by the
//! protocol that is an error response, and the stream goes on.

use futures::{
    future::BoxFuture,
    stream::{BoxStream, StreamExt},
};
use http::{Request as HttpRequest, Response as HttpResponse, Uri};
use prost_reflect::{DescriptorError, DescriptorPool, FileDescriptor};
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tonic::{Code, Request, Response, Status, Streaming, body::Body, server::NamedService};
use tonic_reflection::pb::{
    v1::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
        ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
        server_reflection_server::{ServerReflection, ServerReflectionServer},
    },
    v1alpha,
};
use tower::Service;

const METHOD: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const ALPHA_METHOD: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// What a server tells of its contracts.
#[derive(Clone)]
pub(crate) struct Reflection {
    pool: DescriptorPool,
    services: Vec<String>,
}

impl Reflection {
    /// Tells all contracts, and lists `services`.
    pub(crate) fn new(services: Vec<String>) -> Result<Self, DescriptorError> {
        let mut pool = DescriptorPool::decode(contracts::DESCRIPTORS)?;
        // The services that are listed beside the contracts have their files here.
        for more in [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            pool.decode_file_descriptor_set(more)?;
        }
        Ok(Self { pool, services })
    }

    /// As the present version of the protocol.
    pub(crate) fn v1(self) -> ServerReflectionServer<Self> {
        ServerReflectionServer::new(self)
    }

    /// As the version before it, whose messages are the same bytes.
    pub(crate) fn v1alpha(self) -> Alpha {
        Alpha(self.v1())
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let answer = match &request.message_request {
            Some(wanted) => self.find(wanted),
            None => Err((Code::InvalidArgument, "the request asks for nothing".to_owned())),
        };
        let answer = answer.unwrap_or_else(|(code, error_message)| {
            MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message })
        });
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(answer),
        }
    }

    fn find(&self, wanted: &MessageRequest) -> Result<MessageResponse, (Code, String)> {
        let unknown = |what: &str| (Code::NotFound, format!("{what:?} was not found"));
        let (file, what) = match wanted {
            MessageRequest::FileByFilename(name) => (self.pool.get_file_by_name(name), name.clone()),
            MessageRequest::FileContainingSymbol(symbol) => (self.file_of(symbol), symbol.clone()),
            MessageRequest::FileContainingExtension(wanted) => {
                let number = u32::try_from(wanted.extension_number).ok();
                let message = self.pool.get_message_by_name(&wanted.containing_type);
                let extension = message.zip(number).and_then(|(message, number)| message.get_extension(number));
                let what = format!("extension {} of {}", wanted.extension_number, wanted.containing_type);
                (extension.map(|extension| extension.parent_file()), what)
            }
            MessageRequest::AllExtensionNumbersOfType(name) => {
                let message = self.pool.get_message_by_name(name).ok_or_else(|| unknown(name))?;
                let numbers = message.extensions().filter_map(|extension| i32::try_from(extension.number()).ok());
                return Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.collect(),
                }));
            }
            MessageRequest::ListServices(_) => {
                let service = self.services.iter().map(|name| ServiceResponse { name: name.clone() }).collect();
                return Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service }));
            }
        };
        let file = file.ok_or_else(|| unknown(&what))?;
        let file_descriptor_proto = vec![file.encode_to_vec()];
        Ok(MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
    }

    /// The file that declares a type, a service, an extension, or a member of one of them.
    fn file_of(&self, symbol: &str) -> Option<FileDescriptor> {
        let pool = &self.pool;
        let declared = || {
            let message = pool.get_message_by_name(symbol).map(|found| found.parent_file());
            let found = message.or_else(|| Some(pool.get_enum_by_name(symbol)?.parent_file()));
            let found = found.or_else(|| Some(pool.get_service_by_name(symbol)?.parent_file()));
            found.or_else(|| Some(pool.get_extension_by_name(symbol)?.parent_file()))
        };
        let member = || {
            let (parent, name) = symbol.rsplit_once('.')?;
            if let Some(message) = pool.get_message_by_name(parent) {
                let is_there =
                    message.get_field_by_name(name).is_some() || message.oneofs().any(|oneof| oneof.name() == name);
                return is_there.then(|| message.parent_file());
            }
            let service = pool.get_service_by_name(parent)?;
            service.methods().any(|method| method.name() == name).then(|| service.parent_file())
        };
        // The name of an enum value stands beside its enum, not under it.
        let value = || {
            let mut enums = pool.all_enums();
            enums.find(|each| each.values().any(|value| value.full_name() == symbol)).map(|found| found.parent_file())
        };
        declared().or_else(member).or_else(value)
    }
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let reflection = self.clone();
        let answers = request.into_inner().map(move |request| request.map(|request| reflection.answer(request)));
        Ok(Response::new(answers.boxed()))
    }
}

/// Version v1alpha: v1 under the other name.
#[derive(Clone)]
pub(crate) struct Alpha(ServerReflectionServer<Reflection>);

impl NamedService for Alpha {
    const NAME: &'static str = "grpc.reflection.v1alpha.ServerReflection";
}

impl Service<HttpRequest<Body>> for Alpha {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<HttpRequest<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: HttpRequest<Body>) -> Self::Future {
        if request.uri().path() == ALPHA_METHOD {
            *request.uri_mut() = Uri::from_static(METHOD);
        }
        self.0.call(request)
    }
}
