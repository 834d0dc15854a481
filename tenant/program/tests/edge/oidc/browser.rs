//! A browser as far as the tests need one: cookies, forms, and redirects that it does not follow.

use crate::harness::{Edge, exchange, trusting};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, Request, StatusCode};
use landbridge_door_listen::limits::Limits;
use landbridge_host::key_file::KeySource;
use landbridge_tenant::config::Oidc;
use landbridge_tenant_core::provider::Lives;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::net::TcpStream;
use url::{Url, form_urlencoded};

pub(crate) const ISSUER: &str = "https://login.example.com";
pub(crate) const HOST_NAME: &str = "login.example.com";

/// A tenant with an issuer, and the file of the certificate that browsers trust.
pub(crate) async fn configured() -> (Edge, PathBuf) {
    configured_with(|_| ()).await
}

/// The same with another configuration of the issuer.
pub(crate) async fn configured_with(change: impl FnOnce(&mut Oidc)) -> (Edge, PathBuf) {
    let mut file = PathBuf::new();
    let edge = Edge::configured(Limits::default(), |config| {
        let folder = config.data_directory.parent().unwrap().to_owned();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec![HOST_NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
        file = folder.join("oidc.pem");
        std::fs::write(&file, made.pem()).unwrap();
        let key_file = folder.join("oidc.key");
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut oidc = Oidc {
            issuer: ISSUER.parse().unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            certificate: file.clone(),
            key: KeySource::File(key_file),
            balancers: None,
            lives: Lives::default(),
            name: "Example".to_owned(),
            colour: None,
            help: None,
            logo: None,
            domain: Some("corp.example.com".to_owned()),
            back_channel_roots: folder.join("roots.pem"),
            back_channel_networks: Vec::new(),
        };
        change(&mut oidc);
        config.oidc = Some(oidc);
    })
    .await;
    (edge, file)
}

/// `application/x-www-form-urlencoded`
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What a browser shows, or where it is sent.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn redirect(&self) -> Option<Url> {
        Url::parse(self.headers.get(LOCATION)?.to_str().unwrap()).ok()
    }

    /// The path of a redirect within the issuer.
    pub(crate) fn path(&self) -> Option<String> {
        Some(self.headers.get(LOCATION)?.to_str().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn location(&self) -> Url {
        self.redirect().unwrap_or_else(|| panic!("{} {}", self.status, self.text))
    }

    /// A parameter of the redirect.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = self.redirect()?;
        url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn set_cookie(&self, prefix: &str) -> Option<String> {
        let all = self.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        all.map(str::to_owned).find(|value| value.starts_with(prefix))
    }

    /// The page without what differs by what was typed, and without its proof.
    pub(crate) fn text_without_names(&self, names: &[&str]) -> String {
        let mut text = self.text.clone();
        for name in names {
            text = text.replace(name, "");
        }
        text.replace(&self.hidden("csrf"), "")
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let after = self.text.split_once(&start).map(|(_, after)| after).unwrap_or_default();
        let value = after.split_once('"').map(|(value, _)| value).unwrap_or_default();
        value.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"")
    }
}

/// A browser.
#[derive(Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    certificate: PathBuf,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(edge: &Edge, certificate: &Path) -> Self {
        let address = edge.issuer.unwrap();
        Self { address, certificate: certificate.to_owned(), cookies: BTreeMap::new() }
    }

    /// The tenant has been started again, under another address.
    pub(crate) fn moved(&mut self, edge: &Edge) {
        self.address = edge.issuer.unwrap();
    }

    /// Another one, without its cookies.
    pub(crate) fn another(&self) -> Self {
        Self { cookies: BTreeMap::new(), ..self.clone() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.get_as(HOST_NAME, path).await
    }

    pub(crate) async fn get_as(&mut self, host: &str, path: &str) -> Page {
        let request = Request::get(path).header(HOST, host).body(Full::default()).unwrap();
        self.send(request).await
    }

    /// Posts the form of a page with these fields.
    pub(crate) async fn submit(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
        let mut all = vec![("csrf", csrf.as_str()), ("request", &request)];
        all.extend(fields);
        self.post(path, &all, None).await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        authorization: Option<String>,
    ) -> Page {
        let mut request = Request::post(path)
            .header(HOST, HOST_NAME)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(request.body(Full::new(Bytes::from(form(fields)))).unwrap()).await
    }

    /// The token endpoint. An empty secret: none is sent.
    pub(crate) async fn token(
        &mut self,
        client: &str,
        secret: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let page = self.endpoint("/token", client, secret, fields).await;
        (page.status, serde_json::from_str(&page.text).unwrap())
    }

    /// An endpoint that clients call. An empty secret: none is sent.
    pub(crate) async fn endpoint(
        &mut self,
        path: &str,
        client: &str,
        secret: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret))));
        let mut all = fields.to_vec();
        if secret.is_empty() {
            all.push(("client_id", client));
        }
        self.another().post(path, &all, (!secret.is_empty()).then_some(basic)).await
    }

    pub(crate) async fn userinfo(&mut self, token: &str) -> (StatusCode, Value) {
        let request = Request::get("/userinfo")
            .header(HOST, HOST_NAME)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::default())
            .unwrap();
        let page = self.another().send(request).await;
        (page.status, serde_json::from_str(&page.text).unwrap())
    }

    pub(crate) async fn json(&mut self, path: &str) -> Value {
        let page = self.another().get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        serde_json::from_str(&page.text).unwrap()
    }

    /// The claims of a token that one of the published keys has signed.
    pub(crate) async fn verified(&mut self, token: &str, algorithm: &str) -> Value {
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let head: Value = serde_json::from_slice(&decoded(parts[0])).unwrap();
        assert_eq!(head["alg"], algorithm);
        let keys = self.json("/jwks").await;
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]).unwrap();
        let member = |name: &str| decoded(key[name].as_str().unwrap());
        let signed = format!("{}.{}", parts[0], parts[1]);
        let (message, signature) = (signed.as_bytes(), decoded(parts[2]));
        use aws_lc_rs::signature;
        match algorithm {
            "RS256" => {
                let key = signature::RsaPublicKeyComponents { n: member("n"), e: member("e") };
                key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, &signature).unwrap();
            }
            _ => {
                let point = [&[4][..], &member("x"), &member("y")].concat();
                let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                key.verify(message, &signature).unwrap();
            }
        }
        serde_json::from_slice(&decoded(parts[1])).unwrap()
    }

    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Page {
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(COOKIE, pairs.join("; ").parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        let certificate = CertificateDer::from_pem_file(&self.certificate).unwrap();
        let name = ServerName::try_from(HOST_NAME).unwrap();
        let tls = trusting(certificate).connect(name, stream).await.unwrap();
        let (status, headers, body) = exchange(tls, request).await.unwrap();
        for set in headers.get_all(SET_COOKIE) {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            assert!(
                rest.contains("Secure") && rest.contains("HttpOnly") && rest.contains("Path=/"),
                "{rest}"
            );
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { status, headers, text: String::from_utf8(body).unwrap() }
    }
}
