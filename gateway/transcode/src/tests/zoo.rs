//! Types for tests: one of everything that a contract can have, beside the product's own.

use crate::{
    error::{Error, Violation},
    parse::Parser,
    report::Report,
    schema::{MessageId, Schema},
    wire::WireError,
    write::{Options, to_json},
};
use prost_reflect::{DescriptorPool, MessageDescriptor};
use std::{path::Path, sync::LazyLock};

/// The descriptors and the tables made of them.
pub(super) struct Types {
    pub pool: DescriptorPool,
    pub schema: Schema,
}

pub(super) static ZOO: LazyLock<Types> = LazyLock::new(|| {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [own.join("src/tests"), own.join("../../proto")];
    let mut compiler = protox::Compiler::new(folders).expect("the folders are there");
    compiler.include_imports(true).open_files(["zoo.proto", "old.proto"]).expect("the types of the tests compile");
    // Decoded, because the annotations are extensions, which plain descriptors lose.
    Types::new(DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("they link"))
});

pub(super) static OWN: LazyLock<Types> =
    LazyLock::new(|| Types::new(DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts")));

impl Types {
    fn new(pool: DescriptorPool) -> Self {
        Types { schema: Schema::new(&pool), pool }
    }

    pub(super) fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(name).unwrap_or_else(|| panic!("{name} is no message"))
    }

    pub(super) fn id(&self, name: &str) -> MessageId {
        self.schema.by_name(name).unwrap_or_else(|| panic!("{name} is no message"))
    }

    /// JSON to the wire.
    pub(super) fn read(&self, name: &str, json: &[u8]) -> Result<Vec<u8>, Vec<Violation>> {
        let (mut out, mut report) = (Vec::new(), Report::default());
        Parser::new(&self.schema, json, &mut out, &mut report, &[]).whole(self.id(name));
        match report.finish(str::to_owned) {
            Ok(()) => Ok(out),
            Err(Error::Invalid(violations)) => Err(violations),
            Err(other) => panic!("{other}"),
        }
    }

    /// The wire to JSON.
    pub(super) fn write(&self, name: &str, bytes: &[u8], options: Options) -> Result<Vec<u8>, WireError> {
        to_json(&self.schema, options, self.id(name), bytes)
    }
}
