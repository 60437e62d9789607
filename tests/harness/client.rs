//! HTTPS as an outsider speaks it: trusts the CA of `endpoints.json` and nothing else.
use std::{path::Path, sync::Arc, time::Duration};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON ({}): {}", self.status, self.text()))
    }
}

/// Header names and values.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// A client with its own connections.
#[derive(Clone)]
pub struct Client(Agent);

impl Client {
    /// One that trusts this CA.
    pub fn trusting(ca: &Path) -> Self {
        let pem = std::fs::read(ca).unwrap_or_else(|error| panic!("the CA {}: {error}", ca.display()));
        let ca = Certificate::from_pem(&pem).unwrap().to_owned();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(vec![ca]))).build();
        Self(Self::config().tls_config(tls).build().into())
    }

    /// One for the operations listener, which speaks in clear.
    pub fn plain() -> Self {
        Self(Self::config().build().into())
    }

    fn config() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
        Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(180))).proxy(None)
    }

    pub fn get(&self, url: &str, headers: Headers<'_>) -> Result<Answer, ureq::Error> {
        let request = headers.iter().fold(self.0.get(url), |request, (name, value)| request.header(*name, *value));
        Self::answer(request.call()?)
    }

    pub fn post(&self, url: &str, headers: Headers<'_>, body: &[u8]) -> Result<Answer, ureq::Error> {
        let request = headers.iter().fold(self.0.post(url), |request, (name, value)| request.header(*name, *value));
        Self::answer(request.send(body)?)
    }

    /// The answer's body as it comes, for streams.
    pub fn open(&self, url: &str, headers: Headers<'_>) -> Result<(u16, ureq::BodyReader<'static>), ureq::Error> {
        let request = headers.iter().fold(self.0.get(url), |request, (name, value)| request.header(*name, *value));
        let answer = request.config().timeout_global(None).build().call()?;
        Ok((answer.status().as_u16(), answer.into_body().into_reader()))
    }

    fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        let headers = headers.collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec()?;
        Ok(Answer { status, headers, body })
    }
}
