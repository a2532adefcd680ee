//! The log as it is stored: segments, one for each append, `{_id, entries: [{eid, agg, aid, seq, type, name, at, trace,
//! actor, data}]}`. An entry's place is the `_id` of its segment, which is the place of the first, and its index in it.

use crate::Time;
use bson::{Document, doc};

/// Name of the log's collection, in each service's own database.
pub const LOG: &str = "events";

/// Stages that make documents of the entries that match, each with its place as `_id`; of all when `filter` is empty.
/// The filter is one of the fields of an entry; with `agg`, `aid` and `seq` it has an index.
pub fn entries(filter: Document) -> Vec<Document> {
    let mut stages = vec![
        doc! { "$unwind": { "path": "$entries", "includeArrayIndex": "index" } },
        doc! { "$replaceWith": { "$mergeObjects": [{ "_id": { "$add": ["$_id", "$index"] } }, "$entries"] } },
    ];
    if !filter.is_empty() {
        stages.insert(0, doc! { "$match": { "entries": { "$elemMatch": &filter } } });
        stages.push(doc! { "$match": filter });
    }
    stages
}

/// Stages that find the first entry at or after `time`. No index knows it: the log is read from its beginning.
pub fn first_since(time: Time) -> Vec<Document> {
    let mut stages = vec![doc! { "$sort": { "_id": 1 } }];
    stages.extend(entries(doc! { "at": { "$gte": time } }));
    stages.push(doc! { "$limit": 1 });
    stages
}

/// Stages that find the last place of the log, as `_id`. An empty log has none.
pub fn last() -> Vec<Document> {
    vec![
        doc! { "$sort": { "_id": -1 } },
        doc! { "$limit": 1 },
        doc! { "$project": { "_id": { "$add": ["$_id", { "$size": "$entries" }, -1] } } },
    ]
}

/// Stages that find the first place of the segment that has this one, or of the last before it, as `_id`.
pub fn segment_of(place: i64) -> Vec<Document> {
    vec![
        doc! { "$match": { "_id": { "$lte": place } } },
        doc! { "$sort": { "_id": -1 } },
        doc! { "$limit": 1 },
        doc! { "$project": { "_id": 1 } },
    ]
}
