use proptest::collection::{hash_set, vec};
use proptest::prelude::*;

use super::*;
use crate::block::arbitrary::{json, text};
use crate::block::json::for_each_value;

fn tokens_of(ctx: &str) -> Vec<u64> {
    let mut tokens = IdTokens::default();
    tokens.add_ctx(ctx);
    tokens.finish()
}

#[test]
fn sizes_are_powers_of_two_with_nine_point_seven_bits_a_token() {
    assert_eq!([0, 1, 6, 7, 52, 53, 105].map(size_for), [0, 8, 8, 16, 64, 128, 128]);
    assert_eq!(size_for(54_050), 64 << 10);
    assert_eq!(size_for(54_060), 0, "more than the longest filter is none at all");
    assert_eq!(size_for(usize::MAX), 0);
}

#[test]
fn probes_follow_the_documented_arithmetic() {
    let token = 0x8000_0002_FFFF_FFFF;
    assert_eq!(part(token), 16, "the highest five bits");
    assert_eq!(probes(token).map(|probe| probe >> 14), [16; PROBES]);
    // h1 is 0xFFFF_FFFF and h2 0x8000_0003.
    assert_eq!(probes(token).map(|probe| probe & 0x3FFF), [0x3FFF, 2, 5, 8, 0xB, 0xE]);
    let set = |filter: &[u8]| -> Vec<usize> {
        let bits = |(at, byte): (usize, &u8)| {
            let byte = *byte;
            (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| at * 8 + bit)
        };
        filter.iter().enumerate().flat_map(bits).collect()
    };
    assert_eq!(set(&build(&[token])), [2, 5, 8, 11, 14, 63], "each probe mod 64");
    assert_eq!(set(&build_sized(&[token], 8_192)), [2, 5, 8, 11, 14, 16_383], "part 16 of 4 is the first");
    let later = token | 3 << 59;
    assert_eq!(set(&build_sized(&[later], 8_192))[0] / 16_384, 3);
    assert_eq!(set(&build_sized(&[later], 65_536))[0] / 16_384, 19);
}

#[test]
fn all_probes_of_a_token_lie_in_one_part() {
    for number in 0..1_000_u64 {
        let token = id_token("request_id", &number.to_string());
        for bytes in [2_048, 8_192, 65_536] {
            let filter = build_sized(&[token], bytes);
            let parts = u32::try_from(bytes / PART_BYTES).unwrap();
            let own = (part(token) & (parts - 1)) as usize;
            let others = filter
                .chunks(PART_BYTES)
                .enumerate()
                .filter(|(at, part)| *at != own && part.iter().any(|byte| *byte != 0));
            assert_eq!(others.count(), 0);
        }
    }
}

#[test]
fn an_empty_filter_and_one_of_a_strange_length_admit_everything() {
    assert!(may_contain(&[], 1) && may_contain(&[0; 12], 1) && may_contain(&[0; 4], 1));
    assert!(!may_contain(&[0; 8], 1));
}

#[test]
fn id_tokens_are_kept_as_they_were_first_stored() {
    assert_eq!(id_token("user_id", "Ärger-7"), id_token("user_id", "äRGER-7"));
    assert_ne!(id_token("user_id", "7"), id_token("request_id", "7"));
    assert_eq!(id_token("user_id", "user_4711"), 2_292_418_133_662_574_369);
    assert_eq!(ctx_overflow_token(), 3_599_894_592_429_468_289);
}

#[test]
fn what_looks_like_an_id_or_is_named_one_is_indexed() {
    for (path, value) in [
        ("order_id", "abc"),
        ("a.b.c.orderId", "x y z"),
        ("apiKey", "foo"),
        ("uuid", "123"),
        ("trace", "4bf92f3577b34da6"),
        ("", "eu-west-1"),
        ("count", "123456"),
        ("count", "-123456"),
    ] {
        assert!(indexes_ctx(path, value), "{path} {value}");
    }
    for (path, value) in [
        ("order_id", "ab"),
        ("order_id", "null"),
        ("a.b.c.d.id", "abcdef"),
        ("items.0.id", "abcdef"),
        ("a..id", "abcdef"),
        ("count", "12345"),
        ("region", "frankfurt"),
        ("text", "order 12345 failed"),
        ("host", "web-7"),
    ] {
        assert!(!indexes_ctx(path, value), "{path} {value}");
    }
}

#[test]
fn an_event_with_too_many_ids_admits_every_ctx_search_and_no_more() {
    let many = |count: usize| {
        let ids: Vec<String> = (0..count).map(|number| format!("\"{}\"", 100_000 + number)).collect();
        build(&tokens_of(&format!("{{\"ids\":[{}]}}", ids.join(","))))
    };
    assert!(!may_contain_ctx(&many(16), "ids", "999999"));
    assert!(may_contain_ctx(&many(17), "ids", "999999"));
    assert!(!may_contain(&many(17), id_token("user_id", "999999")));
}

#[test]
fn at_most_one_percent_of_strangers_are_admitted() {
    for count in [64_u64, 830, 3000, 6700] {
        let own: Vec<u64> = (0..count).map(|number| id_token("request_id", &number.to_string())).collect();
        let filter = build(&own);
        let strangers = 20_000;
        let admitted =
            (0..strangers).filter(|n| may_contain(&filter, id_token("user_id", &n.to_string()))).count();
        assert!(admitted * 1000 <= strangers * 13, "{admitted} of {strangers} at {count}");
    }
}

#[test]
fn a_filter_within_bounds_is_whole_or_half_or_none() {
    let tokens: Vec<u64> = (0..60).map(|number: u64| id_token("batch", &number.to_string())).collect();
    assert_eq!(size_for(60), 128);
    for (room, bytes) in [(1000, 128), (128, 128), (127, 64), (64, 64), (63, 0), (0, 0)] {
        let filter = build_within(&tokens, room);
        assert_eq!(filter.len(), bytes, "{room}");
        assert!(tokens.iter().all(|&token| may_contain(&filter, token)));
    }
}

#[test]
fn an_id_filter_beyond_its_room_is_halved_where_that_admits_few() {
    let tokens =
        |count: u64| (0..count).map(|number| id_token("batch", &number.to_string())).collect::<Vec<_>>();
    for (count, room, bytes) in [
        (6_000, 100, 8_192),
        (7_000, 16_384, 16_384),
        (7_000, 16_383, 8_192),
        (8_193, 100, 16_384),
        (3, 0, 8),
    ] {
        assert_eq!(build_ids(&tokens(count), room).len(), bytes, "{count} {room}");
    }
    let filter = build_ids(&tokens(8_000), 0);
    let strangers =
        (0..20_000).filter(|number| may_contain(&filter, id_token("user_id", &number.to_string())));
    let admitted = strangers.count();
    assert!(admitted <= 500, "{admitted} of 20000 where a token has 8 bits");
}

proptest! {
    #[test]
    fn a_filter_never_denies_what_was_put_in(tokens in hash_set(any::<u64>(), 1..300)) {
        let tokens: Vec<u64> = tokens.into_iter().collect();
        let filter = build(&tokens);
        prop_assert!(tokens.iter().all(|&token| may_contain(&filter, token)));
    }

    #[test]
    fn every_value_of_ctx_is_admitted_at_its_path_in_any_case(values in vec(json(), 1..4)) {
        let mut tokens: Vec<u64> = values.iter().flat_map(|value| tokens_of(&value.to_string())).collect();
        tokens.push(1);
        let filter = build(&tokens);
        for value in values {
            for_each_value(&value.to_string(), |path, value| {
                assert!(may_contain_ctx(&filter, path, value));
                assert!(may_contain_ctx(&filter, &lowercase(path), &lowercase(value)));
                std::ops::ControlFlow::Continue(())
            });
        }
    }

    #[test]
    fn the_index_rule_does_not_see_case(path in text(), value in text()) {
        let lower = indexes_ctx(&lowercase(&path), &lowercase(&value));
        prop_assert_eq!(indexes_ctx(&path, &value), lower);
        prop_assert_eq!(indexes_ctx(&path.to_ascii_uppercase(), &value.to_ascii_uppercase()), lower);
    }
}
