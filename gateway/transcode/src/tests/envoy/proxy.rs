//! Envoy with its transcoder in front of the upstream: one listener for each set of types and way of printing.

use super::upstream::Calls;
use crate::tests::{
    echo,
    zoo::{OWN, Types, ZOO},
};
use crate::write::Options;
use prost_reflect::MessageDescriptor;
use serde_json::{Value, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// The ways of printing: ours, and the other of each option.
pub(super) const WAYS: [Options; 2] = [
    Options { shows_defaults: true, keeps_names: false, numbers_enums: false },
    Options { shows_defaults: false, keeps_names: true, numbers_enums: true },
];

pub(super) struct Envoy {
    pub calls: Calls,
    directory: PathBuf,
    child: Child,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory); // what is left is in the directory for temporary files
    }
}

impl Envoy {
    pub(super) async fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("comptoir-envoy-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the directory for temporary files takes one more");
        let calls = Calls::default();
        calls.clone().serve(&directory.join("upstream"));
        let mut listeners = Vec::new();
        for (name, types) in [("zoo", &*ZOO), ("own", &*OWN)] {
            let descriptors = directory.join(format!("{name}.binpb"));
            std::fs::write(&descriptors, with_echo(types)).expect("written");
            for (way, options) in WAYS.iter().enumerate() {
                listeners.push(listener(&directory.join(format!("{name}-{way}")), &descriptors, options));
            }
        }
        let config = directory.join("envoy.json");
        std::fs::write(&config, whole(&listeners, &directory).to_string()).expect("written");
        let log = File::create(directory.join("envoy.log")).expect("made");
        let binary = std::env::var_os("ENVOY_BIN").expect("ENVOY_BIN names Envoy; mend: make tools");
        let mut command = Command::new(binary);
        command.arg("-c").arg(config).args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().expect("open")).stderr(log).spawn();
        let mut envoy = Envoy { calls, child: child.expect("Envoy starts"), directory };
        envoy.listens().await;
        envoy
    }

    /// The socket of a listener.
    pub(super) fn socket(&self, types: &str, way: usize) -> PathBuf {
        self.directory.join(format!("{types}-{way}"))
    }

    async fn listens(&mut self) {
        let last = self.socket("own", WAYS.len() - 1);
        while tokio::net::UnixStream::connect(&last).await.is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = std::fs::read_to_string(self.directory.join("envoy.log")).unwrap_or_default();
                panic!("Envoy ended, {status}: {log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The messages that are sent and answered.
pub(super) fn messages(types: &Types) -> Vec<MessageDescriptor> {
    let is_own = |message: &MessageDescriptor| {
        (message.package_name().starts_with("comptoir.") || message.package_name() == "zoo.v1")
            && !message.is_map_entry()
            && message.parent_message().is_none_or(|parent| parent.name() != "Old" && parent.name() != "Inner")
    };
    types.pool.all_messages().filter(is_own).collect()
}

fn with_echo(types: &Types) -> Vec<u8> {
    let mut pool = types.pool.clone();
    echo::add(&mut pool, &messages(types));
    pool.encode_to_vec()
}

fn typed(name: &str, mut config: Value, kind: &str) -> Value {
    config["@type"] = format!("type.googleapis.com/{kind}").into();
    json!({"name": name, "typed_config": config})
}

fn listener(socket: &Path, descriptors: &Path, options: &Options) -> Value {
    let transcoder = typed(
        "envoy.filters.http.grpc_json_transcoder",
        json!({
            "proto_descriptor": descriptors,
            "services": ["echo.Echo"],
            "auto_mapping": true,
            "print_options": {
                "always_print_primitive_fields": options.shows_defaults,
                "preserve_proto_field_names": options.keeps_names,
                "always_print_enums_as_ints": options.numbers_enums,
            },
        }),
        "envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    );
    let router = typed("envoy.filters.http.router", json!({}), "envoy.extensions.filters.http.router.v3.Router");
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}]);
    let manager = typed(
        "envoy.filters.network.http_connection_manager",
        json!({
            "stat_prefix": "in", "http_filters": [transcoder, router],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        }),
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    );
    json!({"name": socket, "address": {"pipe": {"path": socket}}, "filter_chains": [{"filters": [manager]}]})
}

fn whole(listeners: &[Value], directory: &Path) -> Value {
    let options = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let endpoint = json!({"endpoint": {"address": {"pipe": {"path": directory.join("upstream")}}}});
    json!({"static_resources": {
        "listeners": listeners,
        "clusters": [{"name": "upstream", "type": "STATIC", "typed_extension_protocol_options": options,
                      "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}}],
    }})
}
