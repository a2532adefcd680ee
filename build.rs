//! Compiles proto/comptoir/** with protox (no protoc): Rust types, clients, servers, canonical forms and validation, and one
//! descriptor set with comments, which the gateway, reflection and the access rules read.

#[path = "proto/normalize_build.rs"]
mod normalize;
#[path = "proto/validate_build.rs"]
mod validate;

use prost::Message;
use std::{env, error::Error, fs, path::Path, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    protos(Path::new("proto/comptoir"), &mut files)?;
    protos(Path::new("proto/google/rpc"), &mut files)?;
    files.sort();

    let set = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)?
        .encode_file_descriptor_set();
    let path = out.join("descriptors.bin");
    fs::write(&path, &set)?;

    let mut decoded = prost_types::FileDescriptorSet::decode(set.as_slice())?;
    decoded.file.retain(|file| {
        matches!(file.package(), "google.type" | "google.protobuf") || file.package().starts_with("comptoir.")
    });
    let mut config = prost_build::Config::new();
    config.enable_type_names(); // events carry the full name of their message
    config.enum_attribute(".comptoir", "#[derive(serde::Serialize, serde::Deserialize)]");
    tonic_prost_build::configure().include_file("contracts.rs").compile_fds_with_config(decoded, config)?;

    fs::write(out.join("validate.rs"), validate::generate(&set)?)?;
    fs::write(out.join("normalize.rs"), normalize::generate(&set)?)?;
    Ok(())
}

fn protos(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            protos(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
