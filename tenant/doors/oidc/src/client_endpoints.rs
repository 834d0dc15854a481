//! The endpoints that clients call without a browser: each form proves its client first.
//! After it: [`super::proven_client`], then the endpoint.

use super::door::{Asked, OidcDoor, refused};
use super::metadata::path;
use super::parameters::{NoParameters, Parameters};
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;

impl OidcDoor {
    /// The answer to a form at one of these paths. Blocks.
    pub(crate) fn client_endpoint(
        &self,
        asked: &Asked,
        parameters: Result<Parameters, NoParameters>,
    ) -> Answer {
        let Ok(mut form) = parameters else {
            return refused(StatusCode::BAD_REQUEST, "invalid_request", "the form cannot be read");
        };
        let client = match self.proven_client(asked, &mut form) {
            Ok(client) => client,
            Err(answer) => return *answer,
        };
        match asked.path.as_str() {
            path::INTROSPECT => self.introspect(&client, &form),
            path::REVOKE => self.revoke(&client, &form),
            path::PUSH => self.push(asked, &client, &form),
            path::DEVICE_AUTHORIZATION => self.device_authorization(asked, &client, &form),
            _ => self.token(asked, &client, &form),
        }
    }
}
