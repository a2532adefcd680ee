//! `comptoir gateway routes`.

use crate::events::table::{Table, print};
use serde_json::json;
use transcode::{Access, Overlap, Route, Router};

pub(super) fn run(router: &Router, as_json: bool) -> anyhow::Result<()> {
    let mut routes: Vec<&Route> = router.routes().iter().map(AsRef::as_ref).collect();
    routes.sort_by_key(|route| (&route.template, &route.method));
    let overlaps = router.overlaps();
    if as_json {
        let text = serde_json::to_string_pretty(&json!({
            "routes": routes.iter().map(|route| row(route)).collect::<Vec<_>>(),
            "overlaps": overlaps.iter().map(overlap).collect::<Vec<_>>(),
        }))?;
        return print(&(text + "\n"));
    }
    let mut table = Table::new(&["METHOD", "PATH", "RPC", "WHO MAY CALL", "BODY", "REPLY"]);
    for route in routes {
        let reply = if route.rpc.server_streaming { "stream" } else { "one" };
        table.row(vec![
            route.method.clone(),
            route.template.clone(),
            route.rpc.path.clone(),
            who(&route.rpc.access),
            route.body().unwrap_or("-").to_owned(),
            reply.to_owned(),
        ]);
    }
    let notes: String = overlaps.iter().map(|overlap| format!("{overlap}\n")).collect();
    let title = if notes.is_empty() { "" } else { "\nPaths that two templates fit:\n" };
    print(&(table.text() + title + &notes))
}

fn row(route: &Route) -> serde_json::Value {
    json!({
        "method": route.method,
        "path": route.template,
        "rpc": route.rpc.path.trim_start_matches('/'),
        "access": who(&route.rpc.access),
        "body": route.body(),
        "streams": route.rpc.server_streaming,
    })
}

fn overlap(overlap: &Overlap) -> serde_json::Value {
    json!({
        "method": overlap.winner.method,
        "path": overlap.path,
        "winner": overlap.winner.template,
        "loser": overlap.loser.template,
        "crossing": overlap.is_crossing,
    })
}

/// Who may call, in the words of the contract.
pub(super) fn who(access: &Access) -> String {
    let named = [(access.public, "public"), (access.user, "user"), (access.owner, "owner")];
    let named = named.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name);
    let all: Vec<&str> = named.chain(access.roles.iter().map(String::as_str)).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}
