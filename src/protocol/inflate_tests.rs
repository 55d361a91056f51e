use std::io::Write;

use proptest::prelude::*;

use super::*;

const MAX: usize = 1 << 20;

/// Text of 1 to 65,536 bytes as a brotli stream that doesn't compress: an encoder is not among the dependencies.
fn brotli_stored(text: &[u8]) -> Vec<u8> {
    // One uncompressed meta-block (RFC 7932, 9.2): WBITS 16, not last, 4 nibbles of MLEN - 1, uncompressed;
    // then an empty last block.
    let length = u32::try_from(text.len() - 1).unwrap();
    assert!(length < 1 << 16);
    let header: u32 = (length << 4) | (1 << 20);
    let mut body = header.to_le_bytes()[..3].to_vec();
    body.extend_from_slice(text);
    body.push(0b11);
    body
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

fn zstd_of(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

fn undo(encoding: &str, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    inflate(Some(encoding), Bytes::copy_from_slice(body), MAX).map(Vec::from)
}

/// Zeroes compressed a megabyte at a time.
fn zeroes(mut out: impl Write, mebibytes: usize) {
    let block = vec![0_u8; 1 << 20];
    for _ in 0..mebibytes {
        out.write_all(&block).unwrap();
    }
}

#[test]
fn every_coding_gives_the_text_back_in_any_case_of_its_name() {
    let text = br#"[{"message":"hello"}]"#.repeat(50);
    for (name, body) in [
        ("identity", text.clone()),
        ("", text.clone()),
        ("gzip", gzip(&text)),
        ("GZip", gzip(&text)),
        ("x-gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", raw_deflate(&text)),
        ("br", brotli_stored(&text)),
        ("zstd", zstd_of(&text)),
        (" identity , gzip", gzip(&text)),
        ("gzip, zstd", zstd_of(&gzip(&text))),
    ] {
        assert_eq!(undo(name, &body).unwrap(), text, "{name}");
    }
    assert_eq!(inflate(None, Bytes::from_static(b"x"), MAX).unwrap(), "x");
}

#[test]
fn a_real_brotli_body_of_a_client_inflates() {
    let raw = include_bytes!("../../tests/fixtures/sentry-python-event-message.raw");
    let body = include_bytes!("../../tests/fixtures/sentry-python-event-message.body");
    assert_eq!(undo("br", raw).unwrap(), body);
}

#[test]
fn gzip_and_zstd_of_several_parts_are_read_to_the_end() {
    assert_eq!(undo("gzip", &[gzip(b"one "), gzip(b"two")].concat()).unwrap(), b"one two");
    assert_eq!(undo("zstd", &[zstd_of(b"one "), zstd_of(b"two")].concat()).unwrap(), b"one two");
}

#[test]
fn an_unknown_coding_or_too_many_of_them_are_unsupported() {
    for name in ["compress", "snappy", "aes128gcm", "gzip;q=1", "gzip,gzip,gzip", "*"] {
        assert!(matches!(undo(name, b""), Err(ApiError::UnsupportedEncoding(_))), "{name}");
    }
}

#[test]
fn a_body_that_is_not_what_the_header_says_or_is_cut_off_is_invalid() {
    let text = br#"[{"message":"hello"}]"#.repeat(50);
    for (name, body) in [
        ("gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", raw_deflate(&text)),
        ("br", brotli_stored(&text)),
        ("zstd", zstd_of(&text)),
    ] {
        for cut in 0..body.len() {
            let result = undo(name, &body[..cut]);
            let empty_stream = name == "zstd" && cut == 0;
            assert!(
                empty_stream || matches!(result, Err(ApiError::InvalidEncoding(_))),
                "{name} {cut}: {result:?}"
            );
        }
        let plain = undo(name, &text);
        assert!(matches!(plain, Err(ApiError::InvalidEncoding(_))), "{name} {plain:?}");
    }
    let mut spoilt = gzip(&text);
    let last = spoilt.len() - 5;
    spoilt[last] ^= 1;
    assert!(matches!(undo("gzip", &spoilt), Err(ApiError::InvalidEncoding(_))), "the checksum is checked");
}

#[test]
fn exactly_the_cap_passes_and_one_byte_more_does_not() {
    for size in [MAX, MAX + 1] {
        let text = vec![b' '; size];
        for (name, body) in [
            ("identity", text.clone()),
            ("gzip", gzip(&text)),
            ("deflate", zlib(&text)),
            ("deflate", raw_deflate(&text)),
            ("zstd", zstd_of(&text)),
        ] {
            match undo(name, &body) {
                Ok(plain) => assert_eq!((plain.len(), size), (MAX, MAX), "{name}"),
                Err(ApiError::PayloadTooLarge(detail)) => {
                    assert_eq!(size, MAX + 1, "{name}");
                    assert!(detail.contains("1048576"), "{detail}");
                }
                Err(other) => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_gigabyte_packed_small_is_stopped_at_the_cap() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zeroes(&mut packed, 64);
    let bomb = packed.finish().unwrap();
    // gzip members follow each other, so sixteen copies are a gigabyte.
    let gigabyte = bomb.repeat(16);
    assert!(matches!(undo("gzip", &gigabyte), Err(ApiError::PayloadTooLarge(_))));
    assert!(matches!(undo("gzip, gzip", &gzip(&gigabyte)), Err(ApiError::PayloadTooLarge(_))));

    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zeroes(&mut packed, 64);
    let bomb = packed.finish().unwrap().repeat(16);
    assert!(bomb.len() < 1 << 20, "a gigabyte in {} bytes", bomb.len());
    assert!(matches!(undo("zstd", &bomb), Err(ApiError::PayloadTooLarge(_))));

    // A declared size is believed before anything is inflated.
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packed.set_pledged_src_size(Some(64 << 20)).unwrap();
    zeroes(&mut packed, 64);
    assert!(matches!(undo("zstd", &packed.finish().unwrap()), Err(ApiError::PayloadTooLarge(_))));
}

#[test]
fn a_brotli_body_of_many_blocks_is_stopped_at_the_cap() {
    let block = brotli_stored(&vec![b'x'; 1 << 16]);
    // Every block but the last without its end marker; only the first has the window's bits.
    let mut body = block[..block.len() - 1].to_vec();
    let header: u32 = (0xFFFF << 3) | (1 << 19);
    for _ in 0..20 {
        // A stored block ends on a byte, so the next header starts on one.
        body.extend_from_slice(&header.to_le_bytes()[..3]);
        body.extend_from_slice(&vec![b'x'; 1 << 16]);
    }
    body.push(0b11);
    assert!(matches!(undo("br", &body), Err(ApiError::PayloadTooLarge(_))));
    assert_eq!(inflate(Some("br"), Bytes::from(body), 2 << 20).unwrap().len(), 21 << 16);
}

#[test]
fn windows_beyond_the_bound_are_refused() {
    // WBITS 0b0010001 announces "large window" brotli, here with 30 bits.
    assert!(matches!(undo("br", &[0b0001_0001, 30, 0, 0, 0]), Err(ApiError::InvalidEncoding(_))));
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packed.window_log(24).unwrap();
    zeroes(&mut packed, 1);
    let body = packed.finish().unwrap();
    assert!(matches!(undo("zstd", &body), Err(ApiError::InvalidEncoding(_))));
}

proptest! {
    #[test]
    fn any_bytes_under_any_coding_are_answered_without_a_panic(
        name in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "gzip,br", "identity"]),
        body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(plain) = inflate(Some(name), Bytes::from(body), 4096) {
            prop_assert!(plain.len() <= 4096);
        }
    }

    #[test]
    fn a_spoilt_body_is_answered_without_a_panic(at in 0_usize..2000, to in any::<u8>()) {
        let real = include_bytes!("../../tests/fixtures/sentry-python-event-message.raw");
        let text = include_bytes!("../../tests/fixtures/sentry-python-event-message.body");
        for (name, body) in [("br", real.to_vec()), ("gzip", gzip(text)), ("deflate", zlib(text)), ("zstd", zstd_of(text))] {
            let mut body = body;
            let at = at % body.len();
            body[at] = to;
            if let Ok(plain) = undo(name, &body) {
                prop_assert!(plain.len() <= MAX);
            }
        }
    }
}
