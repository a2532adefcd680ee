//! Fields that have a header of their own.

use crate::{BuildError, Router};
use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver},
};
use std::path::Path;

/// One contract, in memory.
struct Text(String);

impl FileResolver for Text {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        if name == "own.proto" { File::from_source(name, &self.0) } else { Err(Error::file_not_found(name)) }
    }
}

/// The router of one RPC, whose request has this field.
fn built(field: &str) -> Result<Router, BuildError> {
    let text = format!(
        "syntax = \"proto3\"; package own; import \"comptoir/api/v1/access.proto\";
        service Own {{ rpc Echo(Thing) returns (Thing); }} message Thing {{ {field} }}"
    );
    let mut resolver = ChainFileResolver::new();
    resolver.add(Text(text));
    resolver.add(IncludeFileResolver::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto")));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("own.proto").expect("it compiles");
    Router::new(DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("it links"))
}

#[test]
fn a_field_that_no_header_can_hold_and_a_name_that_is_none_do_not_build() {
    assert!(built("string token = 1 [(comptoir.api.v1.header) = \"Own-Token\"];").is_ok());
    for field in [
        "int32 token = 1 [(comptoir.api.v1.header) = \"Own-Token\"];",
        "repeated string token = 1 [(comptoir.api.v1.header) = \"Own-Token\"];",
        "string token = 1 [(comptoir.api.v1.header) = \"\"];",
        "string token = 1 [(comptoir.api.v1.header) = \"Own Token\"];",
        "string token = 1 [(comptoir.api.v1.header) = \"Own:\"];",
    ] {
        let error = built(field).map(drop).expect_err(field);
        assert!(matches!(&error, BuildError::Field { field, .. } if field == "token"), "{field}: {error}");
    }
}
