//! Health and reflection of a server, asked as the protocols allow and tools do.

use futures::{StreamExt, stream};
use kit::shared;
use prost::Message;
use std::time::Duration;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};
use v1::{
    ExtensionRequest, ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest as Ask, server_reflection_response::MessageResponse as Told,
};

/// Sends all requests on one stream; an answer to each, in order.
async fn ask(requests: Vec<Option<Ask>>) -> Vec<Told> {
    let channel = rpc::Channel::new(shared().await.grpc("orders"), None).expect("an address");
    let message = |message_request| ServerReflectionRequest { host: "here".into(), message_request };
    let requests: Vec<ServerReflectionRequest> = requests.into_iter().map(message).collect();
    let mut client = ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(stream::iter(requests.clone())).await.expect("a stream").into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.expect("an error does not end the stream")).collect().await;
    assert_eq!(answers.len(), requests.len());
    for (answer, request) in answers.iter().zip(&requests) {
        assert_eq!((answer.valid_host.as_str(), answer.original_request.as_ref()), ("here", Some(request)));
    }
    answers.into_iter().map(|answer| answer.message_response.expect("an answer")).collect()
}

/// The name of the one file that was told.
fn file(told: &Told) -> String {
    let Told::FileDescriptorResponse(files) = told else { panic!("{told:?}") };
    assert_eq!(files.file_descriptor_proto.len(), 1);
    prost_types::FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice())
        .expect("a file")
        .name()
        .to_owned()
}

fn code(told: &Told) -> i32 {
    let Told::ErrorResponse(error) = told else { panic!("{told:?}") };
    assert!(!error.error_message.is_empty());
    error.error_code
}

fn extension(of: &str, number: i32) -> Option<Ask> {
    Some(Ask::FileContainingExtension(ExtensionRequest { containing_type: of.into(), extension_number: number }))
}

#[tokio::test]
async fn what_is_unknown_is_told_as_an_error_and_the_stream_goes_on() {
    let symbol = |name: &str| Some(Ask::FileContainingSymbol(name.into()));
    let told = ask(vec![
        symbol("comptoir.orders.v1.Nothing"),
        symbol("comptoir.orders.v1.Order.nothing"),
        symbol(""),
        Some(Ask::FileByFilename("nothing.proto".into())),
        extension("google.protobuf.MethodOptions", 1),
        extension("google.protobuf.MethodOptions", -1),
        extension("comptoir.Nothing", 50001),
        Some(Ask::AllExtensionNumbersOfType("comptoir.Nothing".into())),
        None,
        symbol("comptoir.orders.v1.Order"),
    ])
    .await;
    let codes: Vec<i32> = told[..9].iter().map(code).collect();
    assert_eq!(codes, [vec![Code::NotFound as i32; 8], vec![Code::InvalidArgument as i32]].concat());
    assert_eq!(file(&told[9]), "comptoir/orders/v1/orders.proto");
}

#[tokio::test]
async fn extensions_are_found_by_number_by_name_and_by_what_they_extend() {
    let options = "google.protobuf.MethodOptions";
    let told = ask(vec![
        extension(options, 50001),
        extension(options, 72_295_728),
        extension("google.protobuf.FieldOptions", 1159),
        Some(Ask::FileContainingSymbol("comptoir.api.v1.access".into())),
        Some(Ask::AllExtensionNumbersOfType(options.into())),
        Some(Ask::AllExtensionNumbersOfType("comptoir.orders.v1.Order".into())),
    ])
    .await;
    let files: Vec<String> = told[..4].iter().map(file).collect();
    let access = "comptoir/api/v1/access.proto";
    assert_eq!(files, [access, "google/api/annotations.proto", "buf/validate/validate.proto", access]);
    let numbers = |told: &Told| {
        let Told::AllExtensionNumbersResponse(numbers) = told else { panic!("{told:?}") };
        let mut sorted = numbers.extension_number.clone();
        sorted.sort_unstable();
        (numbers.base_type_name.clone(), sorted)
    };
    assert_eq!(numbers(&told[4]), (options.to_owned(), vec![50001, 72_295_728]));
    assert_eq!(numbers(&told[5]), ("comptoir.orders.v1.Order".to_owned(), vec![]));
}

#[tokio::test]
async fn every_kind_of_symbol_is_found_in_the_file_that_declares_it() {
    let cases = [
        ("comptoir.orders.v1.OrderService", "comptoir/orders/v1/orders.proto"),
        ("comptoir.orders.v1.OrderService.GetOrder", "comptoir/orders/v1/orders.proto"),
        ("comptoir.orders.v1.Order.order_id", "comptoir/orders/v1/orders.proto"),
        ("comptoir.orders.v1.Order.State", "comptoir/orders/v1/orders.proto"),
        ("comptoir.orders.v1.Order.STATE_UNSPECIFIED", "comptoir/orders/v1/orders.proto"),
        ("google.protobuf.MethodOptions", "google/protobuf/descriptor.proto"),
        ("grpc.health.v1.Health", "health.proto"),
        ("grpc.reflection.v1.ServerReflectionRequest.message_request", "reflection_v1.proto"),
    ];
    let told = ask(cases.iter().map(|(symbol, _)| Some(Ask::FileContainingSymbol((*symbol).into()))).collect()).await;
    let files: Vec<String> = told.iter().map(file).collect();
    assert_eq!(files, cases.map(|(_, file)| file));
}

#[tokio::test]
async fn custom_options_of_an_rpc_are_in_the_file_that_is_told() {
    let told = ask(vec![Some(Ask::FileByFilename("comptoir/orders/v1/orders.proto".into()))]).await;
    let Told::FileDescriptorResponse(files) = &told[0] else { panic!("{told:?}") };
    let contains = |text: &[u8]| files.file_descriptor_proto[0].windows(text.len()).any(|window| window == text);
    assert!(contains(b"/v1/orders/{order_id}:watch"), "the option google.api.http is not lost");
}

#[tokio::test]
async fn the_version_before_answers_alike() {
    use v1alpha::{server_reflection_request::MessageRequest, server_reflection_response::MessageResponse};
    let channel = rpc::Channel::new(shared().await.grpc("payments"), None).expect("an address");
    let request = |wanted| v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(wanted) };
    let requests = [
        request(MessageRequest::FileContainingSymbol("nothing".into())),
        request(MessageRequest::ListServices(String::new())),
    ];
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(stream::iter(requests)).await.expect("a stream").into_inner();
    let told: Vec<_> = answers.map(|answer| answer.expect("it goes on").message_response).collect().await;
    assert!(
        matches!(&told[0], Some(MessageResponse::ErrorResponse(error)) if error.error_code == Code::NotFound as i32)
    );
    let Some(MessageResponse::ListServicesResponse(services)) = &told[1] else { panic!("{told:?}") };
    assert!(services.service.iter().any(|service| service.name == "comptoir.payments.v1.PaymentService"));
}

#[tokio::test]
async fn a_watch_of_an_unknown_name_says_so_and_stays_open_beside_one_that_is_known() {
    let channel = rpc::Channel::new(shared().await.grpc("orders"), None).expect("an address");
    let mut health = HealthClient::new(channel);
    for (service, status) in [
        ("nobody", ServingStatus::ServiceUnknown),
        ("comptoir.payments.v1.PaymentService", ServingStatus::ServiceUnknown),
        ("comptoir.orders.v1.OrderService", ServingStatus::Serving),
        ("", ServingStatus::Serving),
    ] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watch = health.watch(request).await.expect("a watch").into_inner();
        let told = watch.message().await.expect("whole").expect("a first status");
        assert_eq!(told.status(), status, "{service:?}");
        let more = tokio::time::timeout(Duration::from_millis(50), watch.message()).await;
        assert!(more.is_err(), "{service:?}: nothing changes, and the watch goes on: {more:?}");
    }
}
