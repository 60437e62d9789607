//! The door: a request goes through when the table has its route and its key holds, and not otherwise.
use super::{
    Inner, Shared,
    problem::{ApiError, Code},
    routes::{Access, Endpoint},
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use schemas::{
    ids::{ApiKeyId, ConnectionId, WorkspaceId},
    log::Slot,
};
use sha2::{Digest, Sha256};
use warehouse::registry::{ApiKey, Registry, Scope};

/// Who asks: a key that held when the request came in.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) workspace: WorkspaceId,
    pub(super) slot: Slot,
    key: ApiKeyId,
    key_hash: [u8; 32],
}

impl Caller {
    /// True as long as the key is active, may do this, and its workspace is there.
    pub(super) fn holds(&self, api: &Inner, scope: Scope) -> bool {
        let view = api.registry.view();
        let key = view.api_keys.get(&self.key_hash);
        key.is_some_and(|key| key.id == self.key && key.active && allows(key, scope))
            && view.workspaces.get(&self.workspace).is_some_and(|workspace| workspace.active)
    }

    /// True when the connection is the caller's. Another workspace's and none are the same look-up.
    pub(super) fn owns(&self, api: &Inner, connection: ConnectionId) -> bool {
        let view = api.registry.view();
        view.connections.get(&connection).is_some_and(|found| found.workspace == self.workspace)
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    /// What the guard left; a route that it does not stand before has no caller and answers nobody.
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Code::Internal.into())
    }
}

pub(super) async fn guard(State(api): State<Shared>, mut request: Request, next: Next) -> Response {
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(endpoint) = Endpoint::of(&template, request.method()) else {
        return not_served(&template, request.method());
    };
    if let Access::Key(scope) = endpoint.access() {
        match admit(&api, request.headers(), scope) {
            Ok(caller) => drop(request.extensions_mut().insert(caller)),
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

fn not_served(template: &str, method: &Method) -> Response {
    let mut response = if *method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        ApiError::from(Code::MethodNotAllowed).into_response()
    };
    if let Ok(allow) = HeaderValue::from_str(&Endpoint::allow(template)) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn admit(api: &Inner, headers: &HeaderMap, scope: Scope) -> Result<Caller, ApiError> {
    let text = bearer(headers).filter(|key| Registry::key_looks_valid(key)).ok_or(Code::Unauthorized)?;
    let key = api.registry.find_key(text).filter(|key| key.active).ok_or(Code::Unauthorized)?;
    let view = api.registry.view();
    // A workspace that is being deleted: its keys hold no longer, and nobody is told more.
    let workspace = view.workspaces.get(&key.workspace).filter(|found| found.active).ok_or(Code::Unauthorized)?;
    api.rate
        .take(key.id, api.clock.now())
        .map_err(|seconds| ApiError { retry_after: Some(seconds), ..Code::RateLimited.into() })?;
    if !allows(&key, scope) {
        return Err(Code::Scope.into());
    }
    let key_hash = Sha256::digest(text.as_bytes()).into();
    Ok(Caller { workspace: workspace.id, slot: workspace.slot, key: key.id, key_hash })
}

fn allows(key: &ApiKey, scope: Scope) -> bool {
    key.scopes.contains(&scope) || key.scopes.contains(&Scope::Write)
}

/// The key of `Authorization: Bearer <key>`; of two such headers none counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim_matches(' '))
}
