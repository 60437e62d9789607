//! A small HTTPS client: TLS 1.3, trusting one CA, HTTP/1.1 with keep-alive.
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What went wrong on the way; the text holds no key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(String);

fn failed(error: impl ToString) -> ClientError {
    ClientError(error.to_string())
}

/// One listener.
#[derive(Clone)]
pub struct Server {
    tls: Arc<ClientConfig>,
    host: String,
    port: u16,
}

impl Server {
    /// The listener at a URL like `https://127.0.0.1:8443`.
    ///
    /// # Errors
    /// When URL or CA cannot be read.
    pub fn new(url: &str, ca: &Path) -> Result<Self, ClientError> {
        let bad = || ClientError(format!("not a URL of a listener: {url}"));
        let (host, port) = url.strip_prefix("https://").and_then(|rest| rest.rsplit_once(':')).ok_or_else(bad)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let tls = serve::tls::client_config(ca).map_err(failed)?;
        Ok(Self { tls, host, port: port.parse().map_err(|_| bad())? })
    }

    /// A client of it, not connected yet.
    pub fn client(&self) -> Client {
        Client { server: self.clone(), sender: None }
    }

    /// A client of it that is connected.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn connected(&self) -> Result<Client, ClientError> {
        Ok(Client { server: self.clone(), sender: Some(self.connect().await?) })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let name = ServerName::try_from(self.host.clone()).map_err(failed)?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await.map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // Ends with the connection; what it says is said to whoever waits for an answer too.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }
}

/// One connection, opened when it is needed and kept.
pub struct Client {
    server: Server,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Sends a request and waits for the answer's head.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn open(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.server.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(failed)?;
        let ready = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !ready {
            self.sender = Some(self.server.connect().await?);
        }
        let sender = self.sender.as_mut().ok_or_else(|| failed("no connection"))?;
        let sent = sender.send_request(request).await;
        if sent.is_err() {
            self.sender = None;
        }
        sent.map_err(failed)
    }

    /// Sends a request and reads the answer whole.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.open(method, path, headers, body).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(failed)?;
        Ok((status, body.to_bytes()))
    }

    /// GET with a key; asks again while the server is busy.
    ///
    /// # Errors
    /// When the answer is not 200, or no JSON.
    pub async fn get_json(&mut self, path: &str, key: &str) -> Result<serde_json::Value, ClientError> {
        let authorization = format!("Bearer {key}");
        for attempt in 0..100 {
            let (status, body) =
                self.send(Method::GET, path, &[("authorization", &authorization)], Bytes::new()).await?;
            match status {
                StatusCode::OK => return serde_json::from_slice(&body).map_err(failed),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(Duration::from_millis(20 * (attempt + 1).min(25))).await;
                }
                // The query string may hold a cursor; the route is enough.
                other => {
                    let route = path.split('?').next().unwrap_or(path);
                    let code = serde_json::from_slice::<serde_json::Value>(&body).ok();
                    let code = code.and_then(|value| value["code"].as_str().map(str::to_owned)).unwrap_or_default();
                    return Err(ClientError(format!("GET {route} answered {other} {code}")));
                }
            }
        }
        Err(ClientError(format!("{} stays busy", path.split('?').next().unwrap_or(path))))
    }
}

/// A text as part of a query string.
pub fn query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
