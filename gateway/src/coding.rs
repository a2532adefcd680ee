//! Content codings (RFC 9110, section 8.4.1): which there are, and how the entity tag of a coded reply tells its own.
//!
//! A strong `ETag` names the bytes of a reply, and these differ by coding: version 1 is `"1"`, and `"1-gzip"` in gzip. So a
//! cache keeps them apart, and either names the version where it comes back in `If-Match`.

pub(crate) mod reply;
pub(crate) mod request;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

impl Coding {
    /// The name in `Content-Encoding`.
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    /// The coding of this name, in any case. `x-gzip` is an old name of gzip (RFC 9110, section 8.4.1.3).
    fn named(name: &[u8]) -> Option<Self> {
        let is_old_gzip = name.eq_ignore_ascii_case(b"x-gzip");
        let known = ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()));
        known.or(is_old_gzip.then_some(Coding::Gzip))
    }
}

/// The version that an entity tag names, whatever the coding of the reply was.
pub(crate) fn version(opaque_tag: &str) -> &str {
    let uncoded = |coding: Coding| opaque_tag.strip_suffix(coding.name())?.strip_suffix('-');
    ALL.into_iter().find_map(uncoded).unwrap_or(opaque_tag)
}
