//! Small JSON bodies of the admin API in, JSON replies out.
//!
//! Input is strict: an object, every field known, every value in range; what is wrong is said by the field's name.
//! A field that is `null` counts as not given. Ingest bodies don't come through here.

use std::ops::RangeInclusive;

use bytes::Bytes;
use poem::http::StatusCode;
use poem::{Body, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::http::body::{self, BodyTimes};
use crate::http::route::Call;

/// Most bytes of an admin's body.
pub const MAX_ADMIN_BODY_BYTES: usize = 64 * 1024;

/// Reads a body up to [`MAX_ADMIN_BODY_BYTES`].
///
/// # Errors
/// As [`body::read_body`].
pub async fn read(call: &mut Call) -> Result<Bytes, ApiError> {
    let (body, budget) = (call.request.take_body(), &call.state.bodies);
    let headers = call.request.headers();
    let read = body::read_body(headers, body, MAX_ADMIN_BODY_BYTES, budget, BodyTimes::default()).await;
    // The room is given back here: an admin's body is small and gone when its handler has answered.
    read.map(|read| read.bytes).map_err(|refusal| refusal.error)
}

/// A reply with a JSON body.
#[must_use]
pub fn reply(status: StatusCode, value: &Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .body(Body::from_string(value.to_string()))
}

/// A reply whose body is written straight from its parts, so that raw JSON in them stays as it is.
///
/// # Errors
/// `Internal` when it can't be written, which would be a fault of ours.
pub fn reply_of(status: StatusCode, body: &impl Serialize) -> Result<Response, ApiError> {
    let text = serde_json::to_string(body).map_err(|error| {
        tracing::error!(%error, "an answer can't be written");
        ApiError::Internal
    })?;
    Ok(Response::builder().status(status).content_type("application/json").body(Body::from_string(text)))
}

/// A reply without a body.
#[must_use]
pub fn no_content() -> Response {
    Response::builder().status(StatusCode::NO_CONTENT).finish()
}

/// The fields of a JSON object, taken out one by one.
#[derive(Debug)]
pub struct Fields {
    /// What the object is to the client, before the field's name in a message: empty or `scrub.`.
    within: &'static str,
    map: Map<String, Value>,
}

impl Fields {
    /// Reads the object; an empty body is an empty object.
    ///
    /// # Errors
    /// `InvalidJson` for anything but a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self { within: "", map: Map::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self { within: "", map }),
            Ok(_) => Err(ApiError::InvalidJson("The body must be a JSON object.".to_owned())),
            Err(error) => Err(ApiError::InvalidJson(format!(
                "The body is not JSON (line {}, column {}).",
                error.line(),
                error.column()
            ))),
        }
    }

    /// A text of so many characters, without control characters and without space around it.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn text(&mut self, name: &str, chars: RangeInclusive<usize>) -> Result<Option<String>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let text = value.as_str().map(str::trim).filter(|text| !text.chars().any(char::is_control));
        match text.filter(|text| chars.contains(&text.chars().count())) {
            Some(text) => Ok(Some(text.to_owned())),
            None => {
                Err(self
                    .wrong(name, &format!("must be text of {} to {} characters", chars.start(), chars.end())))
            }
        }
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn whole(&mut self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number))
        {
            Some(number) => Ok(Some(number)),
            None => Err(self
                .wrong(name, &format!("must be a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    /// A number in a range, whole or not.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn part(&mut self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                Err(self.wrong(name, &format!("must be a number from {} to {}", range.start(), range.end())))
            }
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(name, "must be true or false"))
    }

    /// An array, as it is.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(self.wrong(name, "must be an array")),
        }
    }

    /// An object within this one.
    ///
    /// # Errors
    /// `InvalidField`.
    pub fn object(&mut self, name: &str, within: &'static str) -> Result<Option<Self>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { within, map })),
            Some(_) => Err(self.wrong(name, "must be an object")),
        }
    }

    /// Whether the field is there, `null` included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Leaves out a field that is `null`; false when it is anything else.
    pub fn take_null(&mut self, name: &str) -> bool {
        let is_null = self.map.get(name).is_some_and(Value::is_null);
        if is_null {
            self.map.remove(name);
        }
        is_null
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `InvalidField` for a field nobody asked for.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.map.keys().next() {
            None => Ok(()),
            // The name comes from the client; 64 characters are enough to find it.
            Some(name) => Err(self.wrong(&name.chars().take(64).collect::<String>(), "is not a field here")),
        }
    }

    /// The error for a field.
    #[must_use]
    pub fn wrong(&self, name: &str, why: &str) -> ApiError {
        ApiError::InvalidField(format!("{}{name}: {why}.", self.within))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }
}
