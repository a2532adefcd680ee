//! Descriptor files as bytes: decoded and encoded again they would lose the options that this build does not know.

use bytes::Bytes;
use prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use std::collections::HashSet;

/// Largest descriptor set, in bytes: that of a large company's API has some megabytes.
pub(crate) const LIMIT_BYTES: usize = 64 << 20;

/// A `google.protobuf.FileDescriptorSet` whose files stay as they are.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// The set of these files.
pub(crate) fn set(file: Vec<Bytes>) -> Vec<u8> {
    FileSet { file }.encode_to_vec()
}

/// A file that everybody imports, `google/…` or `buf/validate/…`, as far as the contracts of this build have it.
pub(crate) fn known(name: &str) -> Option<Bytes> {
    if !name.starts_with("google/") && !name.starts_with("buf/validate/") {
        return None;
    }
    let all = FileSet::decode(contracts::DESCRIPTORS).ok()?.file;
    all.into_iter().find(|file| FileDescriptorProto::decode(file.clone()).is_ok_and(|file| file.name() == name))
}

/// A set without the files that are there again as they are: two sets that were written one after the other into one file have
/// what both import twice.
pub(crate) fn distinct(encoded: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    let mut found = FileSet::decode(encoded)?;
    let mut seen = HashSet::new();
    found.file.retain(|file| seen.insert(file.clone()));
    Ok(found.encode_to_vec())
}
