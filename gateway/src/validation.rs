//! The rules of `buf.validate`, before a service is asked. A message that breaks some is refused as the service would refuse it:
//! in its canonical form, with all that is wrong.

use contracts::validate::check_of;
use tonic::Status;
use transcode::Rpc;

/// Refuses a request message of `rpc` that breaks a rule of its contract.
pub(crate) fn check(rpc: &Rpc, message: &[u8]) -> Result<(), Status> {
    // The token endpoint tells what is wrong in the form of RFC 6749, which its service writes.
    let check = check_of(&rpc.input_name).filter(|_| !rpc.access.oauth2_errors);
    check.map_or(Ok(()), |check| check(message)).map_err(rpc::status::violations)
}
