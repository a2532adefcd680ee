//! The document of the contracts, and of small descriptors that are compiled here.

mod bounds;
mod contracts;
mod messages;
mod operations;
mod paths;
mod schemas;
mod words;

use crate::{Access, Info, Output, document};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, SerializeOptions};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};
use serde_json::{Value, json};
use std::path::Path;

const OUTPUT: Output = Output { shows_defaults: true, keeps_names: false, numbers_enums: false };
const INFO: Info = Info { title: "Test", version: "1", description: "A test.", license: Some("Apache-2.0") };

const HEAD: &str = r#"syntax = "proto3";
package zoo.v1;
import "buf/validate/validate.proto";
import "comptoir/api/v1/access.proto";
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"#;

/// Files that are a text of a test: `zoo.proto`, and `den.proto` with the same in another package.
struct Text(String);

impl FileResolver for Text {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "zoo.proto" => File::from_source(name, &self.0),
            "den.proto" => File::from_source(name, &self.0.replace("package zoo.v1", "package den.v1")),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The descriptors of the package `zoo.v1` with these declarations.
fn compiled(declarations: &str) -> DescriptorPool {
    linked(declarations, &["zoo.proto"])
}

/// The descriptors of these of the two files.
fn linked(declarations: &str, names: &[&str]) -> DescriptorPool {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut files = ChainFileResolver::new();
    files.add(Text(format!("{HEAD}{declarations}")));
    files.add(IncludeFileResolver::new(protos));
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true).include_source_info(true).open_files(names).expect("they compile");
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("they link")
}

/// A service with one public RPC for each of these rules.
fn service(rules: &[&str], messages: &str) -> String {
    let rpc = |(index, rule): (usize, &&str)| {
        format!(
            "rpc Call{index}(Request) returns (Reply) {{\n  option (google.api.http) = {{{rule}}};\n  \
             option (comptoir.api.v1.access) = {{public: true}};\n}}\n"
        )
    };
    let rpcs: String = rules.iter().enumerate().map(rpc).collect();
    format!("service Zoo {{\n{rpcs}}}\n{messages}")
}

fn described(pool: &DescriptorPool) -> Value {
    described_with(pool, OUTPUT)
}

fn described_with(pool: &DescriptorPool, output: Output) -> Value {
    document(pool, INFO, &Access::default(), output).expect("it can be described")
}

/// What is at a JSON pointer of the document.
fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {pointer}"))
}

fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    at(document, &format!("/components/schemas/{name}"))
}

/// The operation of a method and a path.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    at(document, &format!("/paths/{}/{method}", path.replace('/', "~1")))
}

/// The parameters of an operation that are in `place`, by name.
fn names<'a>(operation: &'a Value, place: &str) -> Vec<&'a str> {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parameters = parameters.iter().filter(|parameter| parameter["in"] == place);
    parameters.filter_map(|parameter| parameter["name"].as_str()).collect()
}

/// What a schema of the document has against a value; empty when the value is valid.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let whole = json!({ "allOf": [schema], "components": document["components"] });
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("test:///schema", whole).expect("a name");
    let index = compiler.compile("test:///schema", &mut schemas).expect("a schema");
    schemas.validate(value, index).err().into_iter().map(|error| format!("{error:#}")).collect()
}

/// A message as the gateway writes it.
fn written(message: &DynamicMessage, output: Output) -> Value {
    let options = SerializeOptions::new()
        .skip_default_fields(!output.shows_defaults)
        .use_proto_field_name(output.keeps_names)
        .use_enum_numbers(output.numbers_enums);
    let written = message.serialize_with_options(serde_json::value::Serializer, &options);
    written.unwrap_or_else(|error| panic!("{}: {error}", message.descriptor().full_name()))
}
