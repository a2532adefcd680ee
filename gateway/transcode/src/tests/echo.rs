//! A service that takes and answers any message: so each type of a pool has an RPC.

use prost_reflect::{
    DescriptorPool, MessageDescriptor,
    prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto},
};
use std::collections::BTreeSet;

/// Adds the service to `pool`, with a method for each of `messages`.
pub(super) fn add(pool: &mut DescriptorPool, messages: &[MessageDescriptor]) {
    let files: BTreeSet<String> = messages.iter().map(|message| message.parent_file().name().to_owned()).collect();
    let method = |message: &MessageDescriptor| MethodDescriptorProto {
        name: Some(message.full_name().replace('.', "_")),
        input_type: Some(format!(".{}", message.full_name())),
        output_type: Some(format!(".{}", message.full_name())),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Echo".to_owned()),
        method: messages.iter().map(method).collect(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("echo.proto".to_owned()),
        package: Some("echo".to_owned()),
        dependency: files.into_iter().collect(),
        service: vec![service],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    pool.add_file_descriptor_proto(file).expect("its types are in the pool");
}

/// The path of the method of a type, by its full name.
pub(super) fn path(message: &str) -> String {
    format!("/echo.Echo/{}", message.replace('.', "_"))
}
