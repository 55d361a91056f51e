//! Takes a body out of its Content-Encoding: gzip, deflate, br or zstd, at most two of them on top of each other.
//!
//! Never gives or holds more than the allowed size (beside a decoder's window: 32 KiB, zstd 8 MiB, br 16 MiB), so
//! a small body that inflates to gigabytes is stopped at the cap. What follows a complete deflate stream is
//! ignored; trailing bytes after gzip, br or zstd are an error.

use std::io::Read;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use crate::error::ApiError;

/// Codings that may be applied to one body.
const MOST_CODINGS: usize = 2;
/// The first room an output has, unless the cap is less.
const FIRST_ROOM: usize = 16 * 1024;
/// log2 of the largest window a zstd frame may ask for: 8 MiB, which every decoder must offer (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The body as it was before its `Content-Encoding` (a header's value, in any case), at most `max` bytes long.
///
/// # Errors
/// - [`ApiError::UnsupportedEncoding`] for a coding that isn't known, or more than two of them;
/// - [`ApiError::InvalidEncoding`] when the body isn't what the header says, or is cut off;
/// - [`ApiError::PayloadTooLarge`] when it is, or inflates to, more than `max` bytes.
pub fn inflate(encoding: Option<&str>, body: Bytes, max: usize) -> Result<Bytes, ApiError> {
    let mut codings = [None; MOST_CODINGS];
    let mut count = 0;
    for name in encoding.unwrap_or_default().split(',').map(str::trim) {
        let Some(coding) = Coding::parse(name)? else { continue };
        let Some(slot) = codings.get_mut(count) else {
            let detail = format!("more than {MOST_CODINGS} content codings on one body");
            return Err(ApiError::UnsupportedEncoding(detail));
        };
        *slot = Some(coding);
        count += 1;
    }
    // They are listed in the order they were applied.
    let plain = codings.into_iter().rev().flatten().try_fold(body, |body, coding| coding.undo(&body, max))?;
    if plain.len() > max { Err(too_large(max)) } else { Ok(plain) }
}

impl Coding {
    /// `None` for codings that change nothing.
    fn parse(name: &str) -> Result<Option<Self>, ApiError> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if name.is_empty() || is("identity") {
            Ok(None)
        } else if is("gzip") || is("x-gzip") {
            Ok(Some(Self::Gzip))
        } else if is("deflate") {
            Ok(Some(Self::Deflate))
        } else if is("br") {
            Ok(Some(Self::Brotli))
        } else if is("zstd") {
            Ok(Some(Self::Zstd))
        } else {
            let detail = "content encodings understood are gzip, deflate, br, zstd and identity";
            Err(ApiError::UnsupportedEncoding(detail.to_owned()))
        }
    }

    fn undo(self, body: &[u8], max: usize) -> Result<Bytes, ApiError> {
        let mut room = Room::new(body.len(), max);
        match self {
            Self::Gzip => read_all(flate2::bufread::MultiGzDecoder::new(body), &mut room, "gzip")?,
            Self::Deflate => undo_deflate(body, &mut room)?,
            Self::Brotli => undo_brotli(body, &mut room)?,
            Self::Zstd => undo_zstd(body, &mut room)?,
        }
        Ok(room.into_bytes())
    }
}

/// Output that grows in steps and never beyond one byte more than allowed.
struct Room {
    bytes: Vec<u8>,
    filled: usize,
    max: usize,
}

impl Room {
    fn new(body_bytes: usize, max: usize) -> Self {
        let first = body_bytes.saturating_mul(4).max(FIRST_ROOM).min(max.saturating_add(1));
        Self { bytes: vec![0; first], filled: 0, max }
    }

    /// Where the next bytes go; never empty.
    fn spare(&mut self) -> Result<&mut [u8], ApiError> {
        if self.filled > self.max {
            return Err(too_large(self.max));
        }
        if self.filled == self.bytes.len() {
            let next = self.bytes.len().saturating_mul(2).min(self.max.saturating_add(1));
            self.bytes.resize(next, 0);
        }
        Ok(&mut self.bytes[self.filled..])
    }

    fn into_bytes(mut self) -> Bytes {
        self.bytes.truncate(self.filled);
        Bytes::from(self.bytes)
    }
}

fn read_all(mut decoder: impl Read, room: &mut Room, name: &str) -> Result<(), ApiError> {
    loop {
        match decoder.read(room.spare()?).map_err(|_| invalid(name))? {
            0 => return Ok(()),
            read => room.filled += read,
        }
    }
}

/// HTTP's deflate is a zlib stream, but some clients send the bare deflate data (RFC 9110, 8.4.1.2).
fn undo_deflate(body: &[u8], room: &mut Room) -> Result<(), ApiError> {
    let zlib = matches!(body, [first, second, ..]
        if first & 0x0F == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0);
    if !zlib {
        return undo_deflate_as(false, body, room);
    }
    match undo_deflate_as(true, body, room) {
        Err(ApiError::InvalidEncoding(_)) => {
            room.filled = 0;
            undo_deflate_as(false, body, room)
        }
        other => other,
    }
}

fn undo_deflate_as(zlib: bool, body: &[u8], room: &mut Room) -> Result<(), ApiError> {
    let mut stream = Decompress::new(zlib);
    let mut rest = body;
    loop {
        let spare = room.spare()?;
        let (read_before, written_before) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(rest, spare, FlushDecompress::None).map_err(|_| invalid("deflate"))?;
        let read = to_usize(stream.total_in() - read_before);
        let written = to_usize(stream.total_out() - written_before);
        rest = &rest[read..];
        room.filled += written;
        match status {
            Status::StreamEnd => {
                return if room.filled > room.max { Err(too_large(room.max)) } else { Ok(()) };
            }
            // No progress with room to write into: the stream is cut off.
            _ if read == 0 && written == 0 => return Err(invalid("deflate")),
            _ => {}
        }
    }
}

fn undo_brotli(body: &[u8], room: &mut Room) -> Result<(), ApiError> {
    // Strict: no "large window", which could ask for a gigabyte.
    let mut state =
        BrotliState::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
    let (mut left, mut read, mut total) = (body.len(), 0, 0);
    loop {
        let spare = room.spare()?;
        let (mut unwritten, mut written) = (spare.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            body,
            &mut unwritten,
            &mut written,
            spare,
            &mut total,
            &mut state,
        );
        room.filled += written;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => {
                return if room.filled > room.max { Err(too_large(room.max)) } else { Ok(()) };
            }
            BrotliResult::ResultSuccess | BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(invalid("br"));
            }
        }
    }
}

fn undo_zstd(body: &[u8], room: &mut Room) -> Result<(), ApiError> {
    // A frame that says how much it holds is refused before any of it is inflated.
    if let Ok(Some(declared)) = zstd::zstd_safe::get_frame_content_size(body)
        && declared > u64::try_from(room.max).unwrap_or(u64::MAX)
    {
        return Err(too_large(room.max));
    }
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(|_| ApiError::Internal)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| ApiError::Internal)?;
    read_all(decoder, room, "zstd")
}

/// A count of bytes inside one buffer, which always fits.
fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn invalid(name: &str) -> ApiError {
    ApiError::InvalidEncoding(format!("the body is not valid {name}, or is cut off"))
}

fn too_large(max: usize) -> ApiError {
    ApiError::PayloadTooLarge(format!("the body is more than {max} bytes after its content encoding"))
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
