//! Devices without a browser (RFC 8628): the endpoint that gives a device its codes, and the codes for tokens.
//! Neighbours: `device_page.rs` has the page on which a person types a code; `token.rs` goes on with the tokens.

use super::authorization::known_scopes;
use super::door::{Asked, OidcDoor, private_json, refused, unavailable};
use super::metadata::path;
use super::parameters::Parameters;
use hyper::StatusCode;
use landbridge_door_listen::body::Answer;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::provider::device_requests::{DEVICE, INTERVAL, NoDeviceGrant};
use landbridge_tenant_core::provider::{Client, Granted, NoGrant};
use serde_json::json;

const NOT_REGISTERED: &str = "this client is not registered for devices";

impl OidcDoor {
    /// The endpoint. There is no `verification_uri_complete`: the person types the code. Blocks.
    pub(crate) fn device_authorization(&self, asked: &Asked, client: &Client, form: &Parameters) -> Answer {
        let bad = |code, words| refused(StatusCode::BAD_REQUEST, code, words);
        // 1. The request.
        if !client.oidc.device_codes {
            return bad("unauthorized_client", NOT_REGISTERED);
        }
        let Some(scopes) = known_scopes(form.get("scope").unwrap_or_default()) else {
            return bad("invalid_scope", "scope must have openid");
        };
        // 2. Its row.
        if self.applications.charge(&client.app, asked.arrived).is_err() {
            return unavailable();
        }
        match self.provider.request_device(client, &scopes, asked.from, unix_now()) {
            Ok(Some(codes)) => {
                let answer = json!({
                    "device_code": codes.device.as_str(),
                    "user_code": codes.user.to_text().as_str(),
                    "verification_uri": format!("{}{}", self.issuer, path::DEVICE),
                    "expires_in": DEVICE,
                    "interval": INTERVAL,
                });
                private_json(StatusCode::OK, &answer)
            }
            Ok(None) | Err(_) => unavailable(),
        }
    }

    /// The grant for the code of a device. The error is the answer. Blocks.
    pub(crate) fn device_grant(
        &self,
        client: &Client,
        form: &Parameters,
        now: i64,
    ) -> Result<Result<Granted, NoGrant>, Box<Answer>> {
        let bad = |code, words| Err(Box::new(refused(StatusCode::BAD_REQUEST, code, words)));
        if !client.oidc.device_codes {
            return bad("unauthorized_client", NOT_REGISTERED);
        }
        let Some(code) = form.get("device_code") else {
            return bad("invalid_request", "device_code is missing");
        };
        match self.provider.redeem_device_code(client, code, now) {
            Ok(granted) => Ok(Ok(granted)),
            Err(NoDeviceGrant::Pending) => bad("authorization_pending", "the person has not answered yet"),
            Err(NoDeviceGrant::SlowDown) => bad("slow_down", "wait 5 seconds longer from now on"),
            Err(NoDeviceGrant::Expired) => bad("expired_token", "the time of the code is over"),
            Err(NoDeviceGrant::Refused) => bad("access_denied", "the person has refused"),
            Err(NoDeviceGrant::NoGrant(why)) => Ok(Err(why)),
        }
    }
}
