//! Query parameters, strictly: each at most once, each known, each readable; what does not fit is named.
use super::{
    Shared,
    problem::{ApiError, Code},
};
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};

/// A request's parameters. Handlers take what they know and then [`Self::finish`].
pub(super) struct RawQuery(Vec<(String, String)>);

impl FromRequestParts<Shared> for RawQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| ApiError::new(Code::BadParameter, "The query cannot be read."))?;
        Ok(Self(pairs))
    }
}

impl RawQuery {
    /// The parameter's value, where it is given. `parse` says `None` to what it does not take.
    pub(super) fn take<T>(
        &mut self,
        name: &str,
        takes: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(at) = self.0.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(at);
        if self.0.iter().any(|(given, _)| given == name) {
            return Err(bad(name, "is given more than once"));
        }
        parse(&value).map(Some).ok_or_else(|| bad(name, &format!("takes {takes}")))
    }

    /// A whole number in a range.
    pub(super) fn number(&mut self, name: &str, least: usize, most: usize) -> Result<Option<usize>, ApiError> {
        self.take(name, &format!("a number from {least} to {most}"), |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| digits && (least..=most).contains(number))
        })
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.0.first() {
            Some((name, _)) => Err(bad(name, "is not known here")),
            None => Ok(()),
        }
    }
}

/// Names the parameter. The name may be anything the caller sent, so it is cut and has no characters that could
/// disturb whoever reads it.
fn bad(name: &str, what: &str) -> ApiError {
    let name: String = name.chars().take(40).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    ApiError::new(Code::BadParameter, format!("The parameter `{name}` {what}."))
}
