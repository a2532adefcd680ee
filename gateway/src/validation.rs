//! The rules of `buf.validate`, before a service is asked. A message that breaks some is refused as the service would refuse it:
//! in its canonical form, with all that is wrong.

use crate::state::Gateway;
use contracts::validate::check_of;
use tonic::Status;
use transcode::Rpc;

/// Refuses a request message of `rpc` that breaks a rule of its contract. What other contracts than those of this build ask
/// for their services check.
pub(crate) fn check(gateway: &Gateway, rpc: &Rpc, message: &[u8]) -> Result<(), Status> {
    // The token endpoint tells what is wrong in the form of RFC 6749, which its service writes.
    let is_checked = gateway.is_ours && !rpc.access.oauth2_errors;
    let check = check_of(&rpc.input_name).filter(|_| is_checked);
    check.map_or(Ok(()), |check| check(message)).map_err(rpc::status::violations)
}
