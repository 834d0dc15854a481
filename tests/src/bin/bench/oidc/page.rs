//! People who sign in at the page: the form, name and password, and the code.

use super::http::Connection;
use super::load::{CALLBACK, Cookies, Issuer};
use crate::population::{PASSWORD, mail};
use landbridge_tests::lab::{LabError, trusting};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use url::form_urlencoded;

/// Browsers before the pages of some nodes, in equal parts.
pub(crate) struct Browsers {
    issuer: Arc<Issuer>,
    connections: Vec<Connection>,
}

impl Browsers {
    /// `client`: its name at the issuer, and its secret.
    pub(crate) async fn open(
        nodes: &[SocketAddr],
        ca: &Path,
        client: (&'static str, &str),
        count: usize,
    ) -> Result<Self, LabError> {
        let tls = trusting(ca)?;
        let mut connections = Vec::new();
        for node in nodes.iter().cycle().take(count) {
            connections.push(Connection::open(*node, &tls).await?);
        }
        let first = nodes.first().copied().ok_or_else(|| LabError::said("browsers", &"there is no node"))?;
        let issuer = Issuer::new((first, std::process::id()), tls, ("/authorize", "/userinfo"), client);
        Ok(Self { issuer: Arc::new(issuer), connections })
    }

    /// Lets `count` people sign in, as many at once as there are browsers.
    pub(crate) async fn sign_in(
        self,
        count: u32,
        people: impl Fn(u32) -> u32 + Copy + Send + 'static,
    ) -> Result<Self, LabError> {
        let connections = sign_in(self.connections, &self.issuer, count, people).await?;
        Ok(Self { connections, ..self })
    }
}

/// Lets `count` people sign in, as many at once as there are connections. Each has a browser without cookies.
pub(super) async fn sign_in(
    connections: Vec<Connection>,
    issuer: &Arc<Issuer>,
    count: u32,
    people: impl Fn(u32) -> u32 + Copy + Send + 'static,
) -> Result<Vec<Connection>, LabError> {
    let next = Arc::new(AtomicU32::new(0));
    let task = |mut connection: Connection| {
        let (next, issuer) = (next.clone(), issuer.clone());
        tokio::spawn(async move {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count {
                    return Ok::<_, LabError>(connection);
                }
                one(&mut connection, &issuer, &mail(people(nth))).await?;
            }
        })
    };
    let tasks: Vec<_> = connections.into_iter().map(task).collect();
    let mut connections = Vec::new();
    for task in tasks {
        connections.push(task.await.map_err(|why| LabError::said("a browser", &why))??);
    }
    Ok(connections)
}

async fn one(connection: &mut Connection, issuer: &Issuer, name: &str) -> Result<(), LabError> {
    // 1. The page.
    let mut cookies = Cookies::default();
    let page = connection.get(&issuer.request("openid profile email", &[]), "").await?;
    let page = page.expect("the page", 200)?;
    cookies.store(&page);
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let (csrf, request) = (hidden(&text, "csrf"), hidden(&text, "request"));
    // 2. The form.
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("csrf", csrf.as_str()),
            ("request", &request),
            ("name", name),
            ("password", PASSWORD),
        ])
        .finish();
    let answer = connection.post("/sign-in", &cookies.header(), &form).await?.expect("a sign-in", 303)?;
    if answer.location.starts_with(CALLBACK) && answer.location.contains("code=") {
        Ok(())
    } else {
        Err(LabError::said("a sign-in at the page", &"no code came back"))
    }
}

/// The value of a hidden field.
pub(super) fn hidden(page: &str, name: &str) -> String {
    let after = page.split_once(&format!("name=\"{name}\" value=\"")).map_or("", |(_, after)| after);
    let value = after.split('"').next().unwrap_or_default();
    value.replace("&#38;", "&").replace("&amp;", "&")
}
