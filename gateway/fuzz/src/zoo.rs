//! The types that inputs are of: the product's own, those of the transcoder's tests, and a service of intricate paths.

use crate::echo;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};
use transcode::{Router, Rpc};

/// Types, and what serves them.
pub struct Types {
    pub pool: DescriptorPool,
    pub router: Router,
    pub messages: Vec<MessageDescriptor>,
}

pub static ZOO: LazyLock<Types> = LazyLock::new(|| {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [own.join("src"), own.join("../transcode/src/tests"), own.join("../../proto")];
    let mut compiler = protox::Compiler::new(folders).expect("the folders are there");
    compiler.include_imports(true).open_files(["zoo.proto", "old.proto", "paths.proto"]).expect("they compile");
    Types::new(&compiler.encode_file_descriptor_set(), "zoo.v1.")
});

pub static OWN: LazyLock<Types> = LazyLock::new(|| Types::new(contracts::DESCRIPTORS, "comptoir."));

/// Both.
pub fn all() -> [&'static Types; 2] {
    [&ZOO, &OWN]
}

impl Types {
    fn new(descriptors: &[u8], package: &str) -> Self {
        let mut pool = DescriptorPool::decode(descriptors).expect("they link");
        let is_own = |message: &MessageDescriptor| message.full_name().starts_with(package) && !message.is_map_entry();
        // A group is no message that stands alone.
        let groups = ["zoo.v1.Old.Inner", "zoo.v1.Old.Inner.Core", "zoo.v1.Old.Many"];
        let is_whole = |message: &MessageDescriptor| !groups.contains(&message.full_name());
        let messages: Vec<MessageDescriptor> = pool.all_messages().filter(is_own).filter(is_whole).collect();
        echo::add(&mut pool, &messages);
        let router = Router::new(pool.clone()).expect("it can be served");
        Types { pool, router, messages }
    }

    /// The RPC that takes and answers a type.
    pub fn rpc(&self, message: &str) -> &Arc<Rpc> {
        self.router.rpc(&echo::path(message)).expect("each type has its RPC")
    }
}

/// The type that a byte names, and the RPC that takes and answers it.
pub fn named(byte: u8) -> (&'static Types, &'static MessageDescriptor, &'static Rpc) {
    let types: &'static Types = if byte.is_multiple_of(2) { &ZOO } else { &OWN };
    let message = &types.messages[usize::from(byte / 2) % types.messages.len()];
    (types, message, types.rpc(message.full_name()))
}
