//! The HTTP side: limits, the signature over the raw bytes, and only then the content. 200 means that the event log has
//! everything; whatever goes wrong before is a 503, and the platform sends again. Which paths there are, and whose
//! secret signs, is each platform's own to say.
mod body;
mod rate;
mod secrets;

use crate::{
    intake::{Intake, IntakeError, Signed},
    metrics::Metrics,
    platforms::{Connector, Entrance, Handshake, signature},
    settings::{IngestSettings, Secret},
};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Path, Query, Request, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use keys::{KeyError, KeyErrorClass, Vault};
use schemas::{clock::SharedClock, ids::ConnectionId, kind::Platform};
use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};
use warehouse::registry::Connection;

/// What the handlers share.
pub(crate) struct State {
    intake: Intake,
    secrets: secrets::Secrets,
    settings: IngestSettings,
    metrics: Metrics,
    by_connection: rate::Limiter<ConnectionId>,
    by_address: rate::Limiter<IpAddr>,
    /// Which refusals are worth a line of the log.
    told: rate::Limiter<Option<ConnectionId>>,
    room: body::Room,
}

impl State {
    pub(crate) fn new(
        intake: Intake,
        vault: Vault,
        clock: SharedClock,
        settings: IngestSettings,
        metrics: Metrics,
    ) -> Self {
        Self {
            intake,
            secrets: secrets::Secrets::new(vault, clock.clone()),
            by_connection: rate::Limiter::new(settings.rate.per_connection, clock.clone()),
            by_address: rate::Limiter::new(settings.rate.per_address, clock.clone()),
            told: rate::Limiter::new(1, clock),
            room: body::Room::new(settings.bodies_max),
            settings,
            metrics,
        }
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.intake
    }
}

/// The routes of all platforms.
pub(crate) fn router(state: Arc<State>) -> Router {
    let routes = state.intake.connectors().iter().fold(Router::new(), |router, connector| {
        router.route(&connector.entrance().route(connector.platform()), methods(connector))
    });
    routes.with_state(state)
}

/// What a platform's path answers to.
fn methods(connector: &Arc<dyn Connector>) -> MethodRouter<Arc<State>> {
    let (connector, platform) = (connector.clone(), connector.platform());
    match connector.entrance() {
        Entrance::Connection { secret } => post(
            move |Shared(state): Shared<Arc<State>>, Path(connection): Path<String>, request: Request| async move {
                let answer = state.of_connection(&*connector, secret, &connection, request);
                state.timed(platform, answer).await
            },
        ),
        Entrance::App { handshake } => {
            let posts = post(move |Shared(state): Shared<Arc<State>>, request: Request| async move {
                let answer = state.of_app(&*connector, request);
                state.timed(platform, answer).await
            });
            let Some(handshake) = handshake else { return posts };
            posts.get(move |Shared(state): Shared<Arc<State>>, Query(query): Query<Vec<(String, String)>>| async move {
                state.shake(platform, handshake, &query)
            })
        }
    }
}

impl State {
    /// An answer, counted and timed.
    async fn timed(
        &self,
        platform: Platform,
        answer: impl Future<Output = Result<StatusCode, StatusCode>>,
    ) -> StatusCode {
        let started = Instant::now();
        let status = answer.await.unwrap_or_else(|status| status);
        self.metrics.answered(platform, status.as_u16(), started.elapsed());
        status
    }

    fn shake(&self, platform: Platform, handshake: Handshake, query: &[(String, String)]) -> Response {
        let tokens = self.settings.apps.get(&platform).map(|app| app.verify_tokens.as_slice()).unwrap_or_default();
        let tokens: Vec<&str> = tokens.iter().filter_map(|token| std::str::from_utf8(token.expose()).ok()).collect();
        let plain = [(header::CONTENT_TYPE, "text/plain"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        match handshake(query, &tokens) {
            Some(challenge) => (plain, challenge.to_owned()).into_response(),
            None => StatusCode::FORBIDDEN.into_response(),
        }
    }

    /// What can be said without the body.
    fn admit(&self, request: &Request) -> Result<(), StatusCode> {
        if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
            && !self.by_address.admit(serve::client(address.ip()))
        {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        body::check_headers(request.headers(), &self.settings)
    }

    /// A post to a connection's own path, signed with its own secret.
    async fn of_connection(
        &self,
        connector: &dyn Connector,
        secret: &str,
        path: &str,
        request: Request,
    ) -> Result<StatusCode, StatusCode> {
        self.admit(&request)?;
        let view = self.intake.registry.view();
        let known = path.parse().ok().and_then(|id: ConnectionId| view.connections.get(&id));
        let is_meant = |c: &&Arc<Connection>| c.platform == connector.platform() && !c.import;
        let connection = known.filter(is_meant).ok_or(StatusCode::NOT_FOUND)?;
        if !connection.active {
            self.secrets.forget(connection.id);
            return Err(StatusCode::NOT_FOUND);
        }
        let (headers, body) = self.body(request).await?;
        let held = match signature_of(connector, &headers) {
            Some(signature) => self.secrets.verify(connection.id, secret, &signature, &body.bytes).await,
            None => Ok(false),
        };
        match held {
            Ok(true) => self.take(connector, Some(connection.clone()), &body.bytes).await,
            Ok(false) => Err(self.unsigned(Some(connection.id), body.bytes.len())),
            Err(error) => self.without_secret(connection, &view, &error),
        }
    }

    /// There is no secret to check with. In a workspace that is being deleted the secrets go first, and the platform is
    /// told that all is well (`security.md` §9.6); what cannot be checked is not counted.
    fn without_secret(
        &self,
        connection: &Connection,
        view: &warehouse::registry::View,
        error: &KeyError,
    ) -> Result<StatusCode, StatusCode> {
        let is_gone = error.class() == KeyErrorClass::Destroyed || matches!(error, KeyError::Unknown(_));
        let is_active = view.workspaces.get(&connection.workspace).is_some_and(|workspace| workspace.active);
        match (is_gone, is_active) {
            (true, false) => Ok(StatusCode::OK),
            (true, true) => Err(StatusCode::NOT_FOUND),
            (false, _) => {
                tracing::error!(connection = %connection.id, %error, "the secret of a connection cannot be opened");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// A post to an app's path, signed with the app's secret.
    async fn of_app(&self, connector: &dyn Connector, request: Request) -> Result<StatusCode, StatusCode> {
        self.admit(&request)?;
        let app = self.settings.apps.get(&connector.platform()).ok_or(StatusCode::NOT_FOUND)?;
        let (headers, body) = self.body(request).await?;
        let secrets: Vec<&[u8]> = app.secrets.iter().map(Secret::expose).collect();
        match signature_of(connector, &headers) {
            Some(signature) if signature::verify(&secrets, &signature, &body.bytes) => {
                self.take(connector, None, &body.bytes).await
            }
            _ => Err(self.unsigned(None, body.bytes.len())),
        }
    }

    async fn body(&self, request: Request) -> Result<(HeaderMap, body::Held<'_>), StatusCode> {
        let (parts, body): (_, Body) = request.into_parts();
        Ok((parts.headers, body::read(body, &self.room, &self.settings).await?))
    }

    fn unsigned(&self, connection: Option<ConnectionId>, bytes: usize) -> StatusCode {
        self.metrics.signature_failed(connection);
        // Anybody can send these, and must not be able to fill a disk with lines; the metric has them all.
        if self.told.admit(connection) {
            let connection = connection.map(|id| id.to_string());
            tracing::warn!(connection, bytes, "a post was refused: its signature does not hold");
        }
        StatusCode::UNAUTHORIZED
    }

    async fn take(
        &self,
        connector: &dyn Connector,
        connection: Option<Arc<Connection>>,
        bytes: &[u8],
    ) -> Result<StatusCode, StatusCode> {
        let id = connection.as_ref().map(|connection| connection.id.to_string());
        let signed = Signed { connector, connection, bytes, is_dead_letter: false };
        let admit = |id| self.by_connection.admit(id);
        // A log that hangs must not keep posts, and their bodies, for as long as the platform waits.
        let taken = tokio::time::timeout(self.settings.append_timeout, self.intake.take(signed, &admit)).await;
        match taken.unwrap_or_else(|_| Err(IntakeError::Unavailable("the event log stalls".into()))) {
            Ok(accepted) => {
                for reason in &accepted.dead_letters {
                    self.metrics.dead_letter(*reason);
                }
                tracing::debug!(connection = id, bytes = bytes.len(), records = accepted.records, "accepted");
                Ok(StatusCode::OK)
            }
            Err(IntakeError::TooMany) => Err(StatusCode::TOO_MANY_REQUESTS),
            Err(error) => {
                tracing::error!(connection = id, bytes = bytes.len(), %error, "a post was not accepted");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

/// The decoded signature; two headers of it are none, as nobody could say which one counts.
fn signature_of(connector: &dyn Connector, headers: &HeaderMap) -> Option<signature::Signature> {
    let mut values = headers.get_all(connector.signature_header()).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { connector.decode_signature(value.as_bytes()) }
}
